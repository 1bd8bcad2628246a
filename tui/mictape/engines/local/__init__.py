"""The embedded engine: its client in the app, and its process with the model."""
