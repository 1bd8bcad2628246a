"""One session: joins sound, engines and text. asyncio, no Textual."""
