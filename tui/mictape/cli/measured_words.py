"""When the words of a finished session are said, measured for an export by the embedded model."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from mictape.engines.base import Lost
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.failure import MictapeError
from mictape.library.export import Document
from mictape.library.records import LineRecord, TrackRecord
from mictape.models.choice import BUILT_IN
from mictape.models.languages import primary
from mictape.session.sound_export import sound_between

ENGLISH: Final = (None, "en")
"""What the embedded model knows."""


async def with_measured_words(document: Document, folder: Path, log: Path) -> Document:
    """The same session with measured times of words, in English lines whose words have guessed ones.

    Args:
        document: The session.
        folder: Its own, where its sound is.
        log: What the model's process complains of is appended to it.

    Raises:
        MictapeError: The model cannot be used here, or the sound cannot be read.
    """
    tracks = {track.number: track for track in document.tracks}
    engine = LocalEngine(LocalOptions(model=BUILT_IN), log)
    try:
        lines = [await _measured(line, tracks[line.track], folder, engine) for line in document.lines]
    except Lost as lost:
        raise MictapeError(lost.cause) from lost
    finally:
        await engine.close()
    return replace(document, lines=lines)


async def _measured(line: LineRecord, track: TrackRecord, folder: Path, engine: LocalEngine) -> LineRecord:
    language = line.language and primary(line.language)
    if not line.words or language not in ENGLISH or not all(word.estimated for word in line.words):
        return line
    sound = sound_between(folder, track, line.start, line.end)
    spans = await engine.measure(sound, [word.text for word in line.words])
    if spans is None:
        return line
    words = tuple(
        msgspec.structs.replace(word, start=line.start + first, end=line.start + last, estimated=False)
        for word, (first, last) in zip(line.words, spans, strict=True)
    )
    return msgspec.structs.replace(line, words=words)
