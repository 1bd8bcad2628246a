"""Simulated servers of every engine, as strict as the services are."""
