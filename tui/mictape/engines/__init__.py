"""Recognisers behind one protocol: no tape, no retry, no clock."""
