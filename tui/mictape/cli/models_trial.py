"""The command `models try`: how well and how fast a model recognizes clips whose text is known, on this machine."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from mictape.cli import output
from mictape.cli.models import here
from mictape.cli.options import settings_of
from mictape.engines import catalog
from mictape.engines.base import Engine, FinalTurn, Lost, Request
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.models.catalogue import Model
from mictape.models.languages import name_of, primary
from mictape.models.runtimes import lacking
from mictape.models.trial import GOOD, POOR, REAL_TIME, WITHOUT_SPACES, Clip, Score, read_clips, score
from mictape.paths import Places
from mictape.terminal import set_up_log
from mictape.units import RATE, SAMPLE_BYTES

CLIPS: Final = "clips"
"""The folder below the data folder that clips are fetched into."""
BLOCK: Final = RATE // 5 * SAMPLE_BYTES
"""Bytes that are sent at a time."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one clip."""

    clip: Clip
    text: str
    score: Score
    seconds: float
    """Of speech."""
    took_s: float


def run(arguments: argparse.Namespace, where: Places) -> int:
    """Try a model; exit code 0 whatever the verdict is. Raises MictapeError."""
    catalogue, store = here(where)
    installed = store.named(catalogue, arguments.name)
    model = installed.model
    if (failure := lacking(model.runtime)) is not None:
        raise MictapeError(failure)
    clips = _clips(arguments, where, model)
    where.prepare()
    set_up_log(where.log)
    engine = catalog.create("local", {"model": model.name, "second_pass": "off"}, where.log)
    tried = asyncio.run(_try_all(engine, clips, quiet=arguments.json))
    speed = sum(one.took_s for one in tried) / sum(one.seconds for one in tried)
    store.note_measured(model.name, speed)
    if arguments.json:
        print(output.as_json([_as_json(one) for one in tried]))
    else:
        print("\n".join((*table(tried), "", verdict(model.name, tried, speed))))
    return ExitCode.DONE


def _clips(arguments: argparse.Namespace, where: Places, model: Model) -> list[Clip]:
    """The clips of the folder that was named, or those that are fetched. Raises MictapeError."""
    if arguments.clips is None:
        from mictape.models import clips
        from mictape.models.download import Client, mirror_of

        known = clips.shipped()
        print(known.attribution, file=sys.stderr)
        client = Client(mirror_of(settings_of(arguments, where).models.mirror))
        note = partial(print, "Fetching", file=sys.stderr)
        return clips.fetched(known, model.knows, where.data / CLIPS, client, note)
    named = [clip for clip in read_clips(arguments.clips) if model.knows(clip.language)]
    if not named:
        what = f"No clip in {arguments.clips} is in a language of {model.name}"
        raise MictapeError(Failure(what, f"See mictape models list --language {model.languages[0]}", ExitCode.USAGE))
    return named


def table(tried: Sequence[Tried]) -> list[str]:
    """A line for each language: clips, words, error rate, speed."""
    rows = [("language", "clips", "words", "errors", "s per s")]
    for language in dict.fromkeys(one.clip.language for one in tried):
        some = [one for one in tried if one.clip.language == language]
        whole = _together(some)
        unit = "CER" if primary(language) in WITHOUT_SPACES else "WER"
        speed = sum(one.took_s for one in some) / sum(one.seconds for one in some)
        rows.append((name_of(language), str(len(some)), str(whole.of), f"{unit} {whole.rate:.1%}", f"{speed:.2f}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def verdict(name: str, tried: Sequence[Tried], speed: float) -> str:
    """What the figures mean for using the model on this machine."""
    rate = _together(tried).rate
    accuracy = "good text" if rate <= GOOD else "text that needs correcting" if rate <= POOR else "poor text"
    pace = "fast enough to follow speech" if speed <= REAL_TIME else "too slow to follow speech: for files only"
    return f"{name}: {accuracy} ({rate:.1%} errors), {pace} ({speed:.2f} s for a second of speech)."


def _together(tried: Sequence[Tried]) -> Score:
    return sum((one.score for one in tried), Score(0, 0))


async def _try_all(engine: Engine, clips: Sequence[Clip], *, quiet: bool) -> list[Tried]:
    tried: list[Tried] = []
    try:
        for clip in clips:
            tried.append(await _try(engine, clip))
            if not quiet:
                print(f"{clip.path.name}: {tried[-1].score.rate:.0%}  {tried[-1].text}", flush=True)
    except Lost as lost:
        raise MictapeError(lost.cause) from lost
    finally:
        await engine.close()
    return tried


async def _try(engine: Engine, clip: Clip) -> Tried:
    pcm = _samples_of(clip.path)
    connection = await engine.connect(Request(clip.language))
    lines: dict[int, str] = {}

    async def take() -> None:
        async for event in connection:
            if isinstance(event, FinalTurn):
                lines[event.turn] = event.text

    begun_s = time.monotonic()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(take())
            for at in range(0, len(pcm), BLOCK):
                await connection.send(pcm[at : at + BLOCK])
            await connection.finish()
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    finally:
        await connection.close()
    took_s = time.monotonic() - begun_s
    text = " ".join(filter(None, lines.values()))
    return Tried(clip, text, score(clip, text), len(pcm) / SAMPLE_BYTES / RATE, took_s)


def _samples_of(path: Path) -> bytes:
    """A sound file as 16-bit mono PCM at 16 kHz."""
    import numpy as np
    import soundfile
    import soxr

    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise MictapeError(Failure(f"{path} cannot be read: {error.error_string}", "Give another file")) from error
    mono = soxr.resample(samples.mean(axis=1), rate, RATE, quality="HQ")
    return np.clip(np.round(mono * 32768), -32768, 32767).astype("<i2").tobytes()


def _as_json(one: Tried) -> dict[str, object]:
    return {
        "file": str(one.clip.path),
        "language": one.clip.language,
        "reference": one.clip.reference,
        "text": one.text,
        "wrong": one.score.wrong,
        "of": one.score.of,
        "seconds": round(one.seconds, 3),
        "took_s": round(one.took_s, 3),
    }
