"""Which stretch of tape goes to which connection, and what has been answered."""
