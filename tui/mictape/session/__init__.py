"""One sitting: joins sound, engines and text. asyncio, no Textual."""
