"""Helpers and test doubles that several tests share."""
