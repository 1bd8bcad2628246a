"""What is kept on disk: the database of sessions, their folders, and export."""
