"""Packs finished sessions as FLAC in the background, while something else is recorded."""

import asyncio
import logging
from asyncio.subprocess import DEVNULL
from contextlib import suppress
from pathlib import Path
from typing import Final

from mictape import subprocesses

AFTER_S: Final = 60.0
"""A recording has begun by then: models are loaded and the screen is drawn."""


async def pack_when_idle(sessions: Path, log: Path, after_s: float = AFTER_S) -> None:
    """Pack all finished sessions in this folder, in a process of the lowest priority.

    Cancelled, it ends the process, which may happen at any moment; what fails is in the log, since nothing is lost.
    """
    await asyncio.sleep(after_s)
    # It ends with this process, by the end of its stdin.
    process = await subprocesses.start("mictape.library.sound_storage", str(sessions), stdout=DEVNULL, stderr=log)
    try:
        if status := await process.wait():
            logging.getLogger(__name__).warning("packing finished sessions ended with status %d", status)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
