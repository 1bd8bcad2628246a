"""Packs the sound of finished sessions as FLAC in a process of its own: the app needs no libsndfile for it."""

import asyncio
import logging
from asyncio.subprocess import DEVNULL
from contextlib import suppress
from pathlib import Path
from typing import Final

from mictape import subprocesses

AFTER_S: Final = 10.0
"""A recording has begun by then: models are loaded and the screen is drawn."""
LIMIT_S: Final = 5.0
"""Leaving waits so long for the session that has just ended: an hour of sound on a busy machine."""

_log = logging.getLogger(__name__)


async def pack_when_idle(sessions: Path, log: Path, after_s: float = AFTER_S) -> None:
    """Pack all finished sessions in this folder, in a process of the lowest priority.

    Cancelled, it ends the process, which may happen at any moment; what fails is in the log, since nothing is lost.
    """
    await asyncio.sleep(after_s)
    await _pack(log, str(sessions))


async def pack_ended(folder: Path, log: Path, limit_s: float = LIMIT_S) -> None:
    """Pack a session that has just ended; what takes longer than the limit is left to `pack_when_idle`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await _pack(log, str(folder.parent), folder.name)


async def _pack(log: Path, *arguments: str) -> None:
    # It ends with this process, by the end of its stdin.
    try:
        process = await subprocesses.start("mictape.library.sound_storage", *arguments, stdout=DEVNULL, stderr=log)
    except OSError as error:
        _log.warning("packing finished sessions cannot be started: %s", error)
        return
    try:
        if status := await process.wait():
            _log.warning("packing finished sessions ended with status %d", status)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()  # it holds the session until it is gone
