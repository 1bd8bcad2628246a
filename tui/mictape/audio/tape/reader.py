"""A tape as every other process reads it, while it grows and afterwards."""

from pathlib import Path
from typing import TYPE_CHECKING

from mictape.audio.tape.files import HEADER, Part, TapeError, cannot_read, count_samples, find_parts
from mictape.audio.tape.unpacking import Unpacker
from mictape.failure import Failure
from mictape.intervals import Intervals
from mictape.units import SAMPLE_BYTES

if TYPE_CHECKING:
    import asyncio  # not at run time: the capture process imports this module and has no event loop


class Tape:
    """A tape as the app reads it: as long as was reported, each reader at its own position.

    Belongs to one event loop.
    """

    def __init__(self, folder: Path, track: int, origin: int = 0) -> None:
        self.folder = folder
        self.track = track
        self.origin = origin
        """Session time of the tape's first sample."""
        self.own_sound = Intervals()
        """What Mictape itself played, as tape positions: `fetch` gives silence in its place."""
        self._parts: list[Part] = []
        """As of the last look into the folder, which costs more than reading a block."""
        self._unpacker = Unpacker()
        self._samples = 0
        self._ended = False
        self._nudges = 0
        self._changed: asyncio.Event | None = None
        """What readers wait for; None while none waits."""

    @classmethod
    def finished(cls, folder: Path, track: int, origin: int = 0) -> "Tape":
        """A tape that is not written any more, as long as its files are. Raises TapeError."""
        tape = cls(folder, track, origin)
        tape.report(count_samples(folder, track))
        tape.end()
        return tape

    @property
    def samples(self) -> int:
        """The length that was reported."""
        return self._samples

    @property
    def ended(self) -> bool:
        """Whether it will not grow any more."""
        return self._ended

    def report(self, samples: int) -> None:
        """Set the length; a tape never gets shorter."""
        if samples > self._samples:
            self._samples = samples
            self._wake()

    def end(self) -> None:
        """Say that it will not grow any more."""
        self._ended = True
        self._wake()

    def read(self, start: int, count: int) -> bytes:
        """Up to `count` samples from tape position `start` as 16-bit PCM; fewer only at its end.

        Raises TapeError when the files hold less than was reported.
        """
        position, end = max(start, 0), min(start + count, self._samples)
        pieces: list[bytes] = []
        while position < end:
            piece = self._read_at(position, end)
            if not piece:  # the part has ended, and another one begun since the folder was looked through
                self._parts = find_parts(self.folder, self.track)
                piece = self._read_at(position, end)
            if not piece:
                what = f"A piece of the recording in {self.folder} is missing"
                raise TapeError(Failure(what, "Check whether files were deleted there"))
            position += len(piece) // SAMPLE_BYTES
            pieces.append(piece)
        return b"".join(pieces)

    async def fetch(self, start: int, count: int) -> bytes:
        """The sound for recognition: as `read`, without what Mictape played.

        It does not hold up the event loop where the sound is packed.
        """
        if not self._parts:
            self._parts = find_parts(self.folder, self.track)
        if any(part.packed for part in self._parts):
            import asyncio

            pcm = await asyncio.to_thread(self.read, start, count)
        else:
            pcm = self.read(start, count)
        return self._without_own_sound(start, pcm) if len(self.own_sound) else pcm

    def _without_own_sound(self, start: int, pcm: bytes) -> bytes:
        start = max(start, 0)
        kept = bytearray(len(pcm))
        for first, behind in self.own_sound.missing(start, start + len(pcm) // SAMPLE_BYTES):
            piece = slice((first - start) * SAMPLE_BYTES, (behind - start) * SAMPLE_BYTES)
            kept[piece] = pcm[piece]
        return bytes(kept)

    async def wait(self, beyond: int) -> int:
        """Return the length as soon as it is more than `beyond`, when the tape has ended, or when nudged."""
        import asyncio

        nudges = self._nudges
        while self._samples <= beyond and not self._ended and self._nudges == nudges:
            self._changed = self._changed or asyncio.Event()
            await self._changed.wait()
        return self._samples

    def nudge(self) -> None:
        """Wake all waiting readers: something other than the length has changed."""
        self._nudges += 1
        self._wake()

    def close(self) -> None:
        """Wake all waiting readers for good."""
        self.end()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def _read_at(self, start: int, end: int) -> bytes:
        """Whole samples from the last known part that begins no later than `start`, as far as its file goes."""
        part = next((part for part in reversed(self._parts) if part.first <= start), None)
        return b"" if part is None else self._read_part(part, start, end)

    def _read_part(self, part: Part, start: int, end: int) -> bytes:
        if part.packed:
            return self._unpacker.read(part.path, start - part.first, end - start)
        try:
            with part.path.open("rb", buffering=0) as file:
                file.seek(HEADER.size + (start - part.first) * SAMPLE_BYTES)
                piece = file.read((end - start) * SAMPLE_BYTES)
                return piece[: len(piece) // SAMPLE_BYTES * SAMPLE_BYTES]
        except OSError as error:
            packed = part.path.with_suffix(".flac")
            if isinstance(error, FileNotFoundError) and packed.exists():  # packed just now, by another process
                self._parts = find_parts(self.folder, self.track)
                return self._unpacker.read(packed, start - part.first, end - start)
            raise cannot_read(self.folder, error) from error
