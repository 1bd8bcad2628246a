"""Sound: devices, capture, tape, clock, levels. No text, no network."""
