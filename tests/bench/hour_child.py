"""A process that follows an hour's tape as fast as it goes and says what that took; lean, since it is weighed.

`python -m bench.hour_child session|bare FOLDER URL`
"""

import asyncio
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.service import engine_at
from mictape.audio.source_spec import FileSource
from mictape.audio.tape import find_parts
from mictape.engines.base import Request
from mictape.library.library import Library
from mictape.session.events import LineAdded
from mictape.session.session import Session
from mictape.units import RATE
from servers.assemblyai import KEY, PATH

QUARTERS: Final = 4
LOOK_S: Final = 0.2
HELD_LOOK_S: Final = 0.002
BLOCK_BYTES: Final = 3200
"""100 ms, what the follower sends at a time."""
MB: Final = 1 << 20


def used() -> tuple[float, float]:
    """CPU seconds of this process so far, and the most memory it ever had, MB."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, kilobytes elsewhere
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / MB


class Held:
    """Looks how long the event loop is held: for so long a screen on it would stand still."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._looking = asyncio.create_task(self._look())

    def stop(self) -> None:
        """Look no more."""
        self._looking.cancel()

    async def _look(self) -> None:
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(HELD_LOOK_S)
            self.longest_s = max(self.longest_s, time.monotonic() - before_s - HELD_LOOK_S)


async def session(folder: Path, url: str) -> dict[str, Any]:
    """Follow the tape in `folder` as a session does, with its library, and say what it took."""
    async with await Library.open(folder / "library.db", folder / "sessions") as library:
        engine = engine_at(url, paced=False)
        harness = await Session.begin(library, engine, Request(), log=folder / "log")
        for part in find_parts(folder, 1):
            os.replace(part.path, harness.folder.path / part.path.name)  # noqa: PTH105 (nothing else runs here)
        track = harness.sound.add_track(FileSource(Path()))
        track.tape.end()
        reporting = asyncio.create_task(_count(harness))
        before_s, before_mb = used()
        began_s = time.monotonic()
        following = asyncio.create_task(harness.follow(track))
        held = Held()
        peaks: list[float] = []
        while not following.done():
            await asyncio.wait([following], timeout=LOOK_S)
            if track.coverage.reached(track.end) * QUARTERS >= (len(peaks) + 1) * track.end:
                peaks.append(used()[1])
        held.stop()
        await harness.stop()
        await harness.close()
        after_s, after_mb = used()
        took_s = time.monotonic() - began_s
        covered = track.coverage.covered.total / track.end
        lines = await reporting
    return {
        "cpu_s": after_s - before_s,
        "took_s": took_s,
        "before_mb": before_mb,
        "peaks_mb": peaks,
        "peak_mb": after_mb,
        "lines": lines,
        "covered": covered,
        "held_s": held.longest_s,
    }


async def _count(harness: Session) -> int:
    lines = 0
    async for event in harness.events():
        lines += isinstance(event, LineAdded)
    return lines


async def bare(folder: Path, url: str) -> dict[str, Any]:
    """Send the same sound over a websocket and read the answers, with nothing else: the least it can take."""
    from websockets.asyncio.client import connect

    began_s, _ = used()
    asked = f"{url}{PATH}?sample_rate={RATE}&speech_model=universal-3-6-pro"
    async with connect(asked, additional_headers={"Authorization": KEY}) as socket:
        await socket.recv()

        async def listen() -> None:
            while json.loads(await socket.recv())["type"] != "Termination":
                pass

        listening = asyncio.create_task(listen())
        for part in find_parts(folder, 1):
            with part.path.open("rb") as file:
                file.seek(part.path.stat().st_size - part.samples * 2)
                while len(pcm := file.read(BLOCK_BYTES)) == BLOCK_BYTES:
                    await socket.send(pcm)
                    await asyncio.sleep(0)
        await socket.send('{"type": "Terminate"}')
        await listening
    return {"cpu_s": used()[0] - began_s}


if __name__ == "__main__":
    run = {"session": session, "bare": bare}[sys.argv[1]]
    print(json.dumps(asyncio.run(run(Path(sys.argv[2]), sys.argv[3]))))
