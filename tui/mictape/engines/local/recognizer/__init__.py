"""Moonshine driven by ourselves: speech found, cut into segments, recognised, and looked at a second time."""
