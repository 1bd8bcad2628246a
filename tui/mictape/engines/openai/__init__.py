"""OpenAI's realtime transcription."""
