"""The screens; each has a style sheet of its own beside it."""
