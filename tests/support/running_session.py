"""A session on a sound file of scripted words, run as the app and the command line run it."""

import asyncio
import wave
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mictape.audio.source_spec import FileSource
from mictape.engines.base import Engine, Request
from mictape.library.library import Library, Store
from mictape.session.session import Session
from mictape.session.track import Track
from mictape.transcript.line import Kind
from support.scripted import spoken
from support.sound_system import FakeSoundSystem

WORDS = [1, 2, 3, 1, 0, 2, 3, 3]
SAID = [f"w{word}" for word in WORDS if word]


def recording(path: Path, words: Sequence[int] = WORDS) -> Path:
    """A sound file on which these words are said."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(spoken(words))
    return path


async def begun(library: Library, engine: Engine, path: Path, pace: str = "fast") -> tuple[Session, Track]:
    """A session with the file as its only track; nothing runs yet.

    A process reads it in real time; what is read at speed is read in this one.
    """
    sound = FakeSoundSystem(reads_files=True) if pace == "fast" else None
    session = await Session.begin(library, engine, Request(), log=path.parent / "log", sound=sound)
    return session, session.sound.add_track(FileSource(path, pace))  # type: ignore[arg-type]


@asynccontextmanager
async def running(session: Session, track: Track) -> AsyncGenerator[None]:
    """Capture and follow while the block runs; then close."""
    tasks = [asyncio.create_task(session.sound.capture(track)), asyncio.create_task(session.follow(track))]
    try:
        yield
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await session.close()


async def stored_texts(library: Library, session: str) -> list[str]:
    """The text of every line of speech in the library, in tape order."""
    return [line.text for line in await library.run(Store.lines, session) if line.kind is Kind.SPEECH]
