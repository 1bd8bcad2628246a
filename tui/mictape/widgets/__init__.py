"""The widgets; they take values and give messages."""
