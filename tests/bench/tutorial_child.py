"""Records as the tutorial does: PyAudio, a blocking read of 3200 frames in a coroutine. Writes what it got as raw PCM.

`python tutorial_child.py DEVICE SECONDS FILE`. With its default of raising an exception the first overflow would
end the recording; here it goes on, which flatters it. SIGUSR1 and SIGUSR2 hold it up as they do `held_app`.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import Final

import pyaudio

from support.stoppable_app import obey_holds

RATE: Final = 16_000
FRAMES: Final = 3_200


async def record(stream: pyaudio.Stream, end_s: float) -> bytes:
    """Read until the monotonic second `end_s`."""
    pieces: list[bytes] = []
    while time.monotonic() < end_s:
        pieces.append(stream.read(FRAMES, exception_on_overflow=False))
        await asyncio.sleep(0)
    return b"".join(pieces)


def main() -> None:
    """Find the device, say `open`, record."""
    name, seconds, path = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    obey_holds(2.0)
    audio = pyaudio.PyAudio()
    devices = range(audio.get_device_count())
    index = next(i for i in devices if audio.get_device_info_by_index(i)["name"] == name)
    stream = audio.open(RATE, 1, pyaudio.paInt16, input=True, input_device_index=index, frames_per_buffer=FRAMES)
    print("open", flush=True)
    path.write_bytes(asyncio.run(record(stream, time.monotonic() + seconds)))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


if __name__ == "__main__":
    main()
