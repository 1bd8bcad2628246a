"""Sound files of all kinds, read from front to end: what lies in them decides, never what they say of their length."""
