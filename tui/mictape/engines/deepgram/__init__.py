"""Deepgram: v1 and Flux, and the open servers that speak v1."""
