"""The player: one stretch of tape on the system's loudspeaker, from a process of its own.

The app uses `Player`; it starts `python -m mictape.audio.player`, which reads the tape like everybody else, plays, and
ends. It may be killed at any time, and ends when its command pipe closes. Recording goes on beside it.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

if TYPE_CHECKING:
    from asyncio.subprocess import Process  # brings the event loop, which the process does without

import msgspec

from mictape import subprocesses
from mictape.audio.messages import Failed
from mictape.failure import Failure, MictapeError
from mictape.units import RATE

BLOCK: Final = RATE // 10
"""Samples that are read and handed over at a time."""

LATENCY_S: Final = 0.2
"""What the sound system may hold: the same margin against stutter that recording has."""

TAIL: Final = RATE // 2
"""Silence behind the end, more than is ever held back: 0.25 s were found missing without it."""

_REMEDY: Final = "Connect a loudspeaker or headphones, or look at the system's sound settings"


class Player:
    """Plays one stretch at a time. Belongs to one event loop."""

    def __init__(self, log: Path | None = None) -> None:
        """Prepare; `log` is what the process's own complaints are appended to."""
        self._log = log
        self._process: Process | None = None

    @property
    def playing(self) -> bool:
        """Whether something is played."""
        return self._process is not None

    async def play(self, folder: Path, track: int, start: int, end: int) -> None:
        """Play samples `[start, end)` of a track's tape; returns when it is over or stopped.

        What was played until now is stopped. Raises MictapeError when it cannot be played.
        """
        self.stop()
        what = (str(folder), str(track), str(start), str(end))
        process = await subprocesses.start("mictape.audio.player", *what, stderr=self._log)
        self.stop()  # another one may have been started meanwhile
        self._process = process
        try:
            assert process.stdout is not None
            said = await process.stdout.read()
            code = await process.wait()
        finally:
            _kill(process)
            stopped = self._process is not process
            if not stopped:
                self._process = None
        if said:
            failed = msgspec.json.decode(said, type=Failed)
            raise MictapeError(Failure(failed.what, failed.remedy))
        if code and not stopped:
            raise MictapeError(Failure("The player ended unexpectedly", "Try again; the log says more"))

    def stop(self) -> None:
        """Stop at once; does nothing when nothing is played."""
        process, self._process = self._process, None
        if process is not None:
            _kill(process)


def _kill(process: "Process") -> None:
    with suppress(ProcessLookupError):
        process.kill()


# The process.


class _Stream(Protocol):
    def start(self) -> None: ...
    def write(self, data: bytes) -> None: ...
    def stop(self) -> None: ...


def main(arguments: Sequence[str]) -> None:
    """Play what the arguments name. Does not return; a `Failed` on standard output says why it could not."""
    options = _parse(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stdout = os.dup(1)
    os.dup2(2, 1)  # native libraries print
    threading.Thread(target=_end_with_the_app, name="commands", daemon=True).start()
    from mictape.audio.capture.inputs import InputError
    from mictape.audio.tape import TapeError

    try:
        _play(options)
    except InputError as error:
        os.write(stdout, msgspec.json.encode(error.failed))
    except TapeError as error:
        os.write(stdout, msgspec.json.encode(Failed(error.failure.what, error.failure.remedy, "file")))
    os._exit(0)  # not through the interpreter's end: PortAudio would close the device there, and one may hang


def _play(options: argparse.Namespace) -> None:
    """Read block after block and hand it to the loudspeaker. Raises InputError and TapeError."""
    from mictape.audio.tape import Tape, count_samples
    from mictape.units import SAMPLE_BYTES

    tape = Tape(options.folder, options.track)
    tape.report(min(options.end, count_samples(options.folder, options.track)))
    stream, shape = _open()
    stream.start()
    for at in range(options.start, tape.samples, BLOCK):
        stream.write(shape(tape.read(at, BLOCK)))
    # Stopping throws away what the sound system still holds, whatever its documentation says.
    stream.write(shape(bytes(SAMPLE_BYTES * TAIL)))
    stream.stop()


def _open() -> tuple[_Stream, Callable[[bytes], bytes]]:
    """The system's own output, and what makes tape into what it takes. Raises InputError."""
    from mictape.audio.capture.inputs import InputError

    try:
        import sounddevice
    except OSError as error:
        failed = Failed("The PortAudio library is missing", "Install Mictape again; it says what is missing", "library")
        raise InputError(failed) from error
    sd: Any = sounddevice  # it has no types
    entries = cast("list[Mapping[str, Any]]", list(sd.query_devices()))
    # Where a sound server answers, PortAudio's `pulse` plays to its default; `default` may be a card behind its back.
    served = [index for index, each in enumerate(entries) if each["name"] == "pulse" and each["max_output_channels"]]
    device = served[0] if served else int(sd.default.device[1])
    if not 0 <= device < len(entries):
        raise InputError(Failed("There is nothing to play on: the system has no output device", _REMEDY, "device"))
    entry, refusal = entries[device], None
    for rate in dict.fromkeys((RATE, int(entry["default_samplerate"]), 48_000)):
        for channels in (1, 2):
            try:
                stream = sd.RawOutputStream(
                    samplerate=rate, device=device, channels=channels, dtype="int16", latency=LATENCY_S
                )
            except sd.PortAudioError as error:
                refusal = error
            else:
                return stream, _shape(rate, channels)
    raise InputError(Failed(f"{entry['name']} cannot be opened: {refusal}", _REMEDY, "device")) from refusal


def _shape(rate: int, channels: int) -> Callable[[bytes], bytes]:
    """What turns 16 kHz mono into the device's rate and channels, block after block."""
    import numpy as np
    import soxr

    resampler = None if rate == RATE else soxr.ResampleStream(RATE, rate, 1, dtype="int16", quality="HQ")

    def shape(pcm: bytes) -> bytes:
        samples = np.frombuffer(pcm, dtype=np.int16)
        if resampler is not None:
            samples = resampler.resample_chunk(samples)
        return np.repeat(samples, channels).tobytes()

    return shape


def _end_with_the_app() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mictape.audio.player", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("track", type=int)
    parser.add_argument("start", type=int, help="the first sample")
    parser.add_argument("end", type=int, help="behind the last sample")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
