"""One session: joins sound (`sound`), engines (`session`) and text (`transcript_writer`). asyncio, no Textual."""
