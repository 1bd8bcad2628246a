"""The text of a session in memory: its lines, their layout on the screen, search. Pure Python."""
