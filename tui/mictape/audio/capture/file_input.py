"""Sound that is read: a file or standard input, in real time or as fast as it goes. In the capture process only."""

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np

from mictape.audio.capture.decoding.decoder import FileDecoder, UnreadableError
from mictape.audio.capture.inputs import Exhausted, Inbox, InputError
from mictape.audio.capture.levels import Samples
from mictape.audio.capture.recorder import Block
from mictape.audio.messages import Failed

Pace = Literal["real", "fast"]
"""A file as if it were live, by the monotonic clock; or as fast as it goes."""

_BLOCK_S: Final = {"real": 0.02, "fast": 0.1}
_AHEAD: Final = 8
"""Blocks that may wait to be written; the next one is read when one of them is done."""


class Decoder(Protocol):
    """Sound that is read at one's own pace."""

    rate: int
    channels: int

    def read(self, frames: int) -> Samples:
        """Up to `frames` frames, shape (frames, channels); none at the end."""
        ...

    def warning(self) -> str:
        """At the end: a sentence when it was not whole, else empty."""
        ...


class ReadInput:
    """A decoder read by a thread: in real time or as fast as its blocks are taken."""

    live = False
    twins: Sequence[str] = ()

    def __init__(self, decoder: Decoder, name: str, pace: Pace, *, held: bool, channel: int | None = None) -> None:
        self.name = name
        self.rate = decoder.rate
        self.channels = decoder.channels if channel is None else 1
        self._channel = channel
        self._decoder = decoder
        self._pace: Pace = pace
        self._room = threading.Semaphore(_AHEAD)
        self._flowing = threading.Event()
        self.hold(held)

    def start(self, inbox: Inbox) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, args=(inbox,), name="reader", daemon=True).start()

    def taken(self) -> None:
        """Make room for one more block."""
        self._room.release()

    def hold(self, held: bool) -> None:
        """Stop reading, or read on."""
        if held:
            self._flowing.clear()
        else:
            self._flowing.set()

    def _run(self, inbox: Inbox) -> None:
        try:
            self._read(inbox)
        except (OSError, ValueError) as error:
            inbox.put(Exhausted(f"{self.name} could not be read further: {error}"))

    def _read(self, inbox: Inbox) -> None:
        block_frames = max(round(self.rate * _BLOCK_S[self._pace]), 1)
        due: float | None = None
        while True:
            self._room.acquire()
            if not self._flowing.is_set():
                self._flowing.wait()
                due = None
            samples = _finite(self._decoder.read(block_frames))
            if self._channel is not None:
                samples = samples[:, self._channel - 1 : self._channel]
            if not len(samples):
                inbox.put(Exhausted(self._decoder.warning()))
                return
            seconds = len(samples) / self.rate
            now = time.monotonic()
            if self._pace == "real":  # a block is there when its last frame would have been played
                due = (now if due is None else due) + seconds
                time.sleep(max(due - now, 0))
            else:
                due = now + seconds
            inbox.put(Block(samples, due - seconds))


def _finite(samples: Samples) -> Samples:
    """Floats that are no number become silence, infinite ones full scale: neither levels nor resampling know them."""
    return samples if samples.dtype == np.int16 else np.nan_to_num(samples, nan=0, posinf=1, neginf=-1)


def open_file(path: Path, pace: Pace, folder: Path, *, skip: int = 0, channel: int | None = None) -> ReadInput:
    """Open a file or a named pipe; it is held until it is released.

    Args:
        path: Its path.
        pace: How fast it is read.
        folder: Where a pipe may be kept that has to be read to its end first.
        skip: Samples at 16 kHz to pass over.
        channel: The one to read, counted from 1; None: all of them.

    Raises:
        InputError: It cannot be opened, is no sound that can be read, or has no such channel.
    """
    name = os.fsencode(path.name).decode(errors="replace")
    decoder = _decoder(path, name, folder, skip)
    if channel is not None and not 1 <= channel <= decoder.channels:
        what = f"{name} has no channel {channel}: it has {decoder.channels}"
        raise InputError(Failed(what, "Leave --tracks channels out", "setting"))
    return ReadInput(decoder, name, pace, held=True, channel=channel)


def open_stdin(folder: Path) -> ReadInput:
    """Open the sound on standard input, which flows at once; see `open_file`. Raises InputError."""
    name = "standard input"
    return ReadInput(_decoder(0, name, folder), name, "fast", held=False)


def _decoder(source: Path | int, name: str, folder: Path, skip: int = 0) -> FileDecoder:
    try:
        return FileDecoder(source, name, folder, skip)
    except UnreadableError as error:
        raise InputError(Failed(error.what, error.remedy, "file")) from error
