"""What libsndfile does not read, through the program ffmpeg: m4a, mp4, aac, webm, mkv, mov, avi, wma, amr and more."""

import os
import shutil
import subprocess
import sys
import threading
from typing import Final

from mictape.audio import packages
from mictape.audio.capture.decoding.sound import NotReadableError
from mictape.audio.capture.decoding.view import Stream
from mictape.audio.capture.decoding.wav import WavStream
from mictape.audio.capture.levels import Samples
from mictape.audio.packages import install_command

FFMPEG: Final = "ffmpeg"
_FIRST_WORDS: Final = 4096


def is_installed() -> bool:
    """Whether ffmpeg is on the PATH."""
    return shutil.which(FFMPEG) is not None


def how_to_install() -> str:
    """What to do where it is not: a sentence without its full stop."""
    command = install_command(packages.FFMPEG)
    return f"Run: {command}" if command else "Install ffmpeg"


class FfmpegSound:
    """The first track of sound in a file, as ffmpeg decodes it: floats at the file's own rate and channel count.

    ffmpeg is given nothing but the open file: a playlist in it leads nowhere.
    """

    def __init__(self, fd: int, path: str) -> None:
        """Start it.

        Args:
            fd: The file, open for reading; not a pipe, since an MP4 may have its index at the end.
            path: Its path, for systems that cannot pass the descriptor on.

        Raises:
            NotReadableError: ffmpeg does not read it; with ffmpeg's own reason.
        """
        inherits = sys.platform != "win32"
        if inherits:
            os.lseek(fd, 0, os.SEEK_SET)
        self._process = subprocess.Popen(
            [
                *(FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error"),
                *("-protocol_whitelist", "file", "-i", f"file:/dev/fd/{fd}" if inherits else f"file:{path}"),
                *("-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(fd,) if inherits else (),
        )
        self._words = b""
        self._listener = threading.Thread(target=self._listen, name="ffmpeg", daemon=True)
        self._listener.start()
        assert self._process.stdout is not None
        try:
            self._sound = WavStream(Stream(self._process.stdout.fileno()))
        except NotReadableError:
            self.close()
            raise NotReadableError(self._first_word() or "ffmpeg ended without a word") from None
        self.rate = self._sound.rate
        self.channels = self._sound.channels

    def read(self, frames: int) -> Samples:
        """See `Sound`."""
        return self._sound.read(frames)

    def declared(self, read: int) -> int:
        """See `Sound`: ffmpeg does not say."""
        return read

    @property
    def remark(self) -> str:
        """See `Sound`."""
        self._process.wait()
        self._listener.join()
        return f'ffmpeg says "{word}"' if (word := self._first_word()) else ""

    def close(self) -> None:
        """See `Sound`."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _listen(self) -> None:
        """Keep what it says first, the cause of the rest; read on, since a full pipe would stop it."""
        assert self._process.stderr is not None
        while piece := os.read(self._process.stderr.fileno(), _FIRST_WORDS):
            self._words = (self._words + piece)[:_FIRST_WORDS]

    def _first_word(self) -> str:
        """Its first line, without the name of the part of ffmpeg that speaks."""
        line = self._words.decode(errors="replace").strip().partition("\n")[0]
        if "matches no streams" in line:
            return "it has no sound in it"
        return line.rpartition("] ")[2].strip()
