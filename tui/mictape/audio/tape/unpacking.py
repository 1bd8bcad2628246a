"""Reads FLAC parts in a process of its own: the app needs neither libsndfile nor numpy for it, 20 MB and a second.

`python -m mictape.audio.tape.unpacking` answers each line of its standard input, a JSON array of path, first sample and
count, with a length in four bytes and so many bytes of sound; below zero it is the length of a sentence about what went
wrong. It ends when its standard input does.
"""

import struct
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Final

import msgspec

from mictape import subprocesses
from mictape.audio.tape.files import TapeError
from mictape.failure import Failure

_LENGTH: Final = struct.Struct("<i")
_REMEDY: Final = "Restore the file from a backup"


class Unpacker:
    """The process, started by the first `read`; it ends with this object."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def read(self, path: Path, start: int, count: int) -> bytes:
        """Up to `count` samples of a FLAC file from its sample `start`; from any thread. Raises TapeError."""
        with self._lock:
            try:
                return self._ask(path, start, count)
            except (OSError, struct.error) as error:  # it was killed: the next read starts another one
                self._end()
                what = f"The recording {path} cannot be read: the process that unpacks it has ended"
                raise TapeError(Failure(what, "Try again")) from error

    def _ask(self, path: Path, start: int, count: int) -> bytes:
        process = self._process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(msgspec.json.encode((str(path), start, count)) + b"\n")
        process.stdin.flush()
        (length,) = _LENGTH.unpack(process.stdout.read(_LENGTH.size))
        answer = process.stdout.read(abs(length))
        if length < 0:
            raise TapeError(Failure(answer.decode(), _REMEDY))
        return answer

    def _start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            subprocesses.command("mictape.audio.tape.unpacking"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=subprocesses.environment(),
            start_new_session=True,
            creationflags=subprocesses.CREATION_FLAGS,
        )
        weakref.finalize(self, _end, process)
        return process

    def _end(self) -> None:
        if self._process is not None:
            _end(self._process)
            self._process = None


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def main() -> None:
    """Answer until standard input ends."""
    from mictape.audio.tape.packing import read_packed

    decode = msgspec.json.Decoder(tuple[str, int, int]).decode
    for line in sys.stdin.buffer:
        path, start, count = decode(line)
        try:
            answer = read_packed(Path(path), start, count)
            sys.stdout.buffer.write(_LENGTH.pack(len(answer)) + answer)
        except TapeError as error:
            said = error.failure.what.encode()
            sys.stdout.buffer.write(_LENGTH.pack(-len(said)) + said)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
