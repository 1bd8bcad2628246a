"""How long a message that is in the socket takes to be on the terminal: the real app in a real pseudo-terminal."""

import asyncio
import os
import random
import re
import select
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.report import Report
from bench.sound import pattern, write_wav
from servers.assemblyai import KEY, Said, V3Server, V3Session
from servers.base import serve
from support.screen_app import ScreenApp

PARTIALS: Final = 10
"""Of a turn, before its final."""
TURNS: Final = 22
BEFORE_S: Final = 2.0
"""For the app to draw its first screen."""
APART_S: Final = 0.08
"""At least; and as much as a frame more, by chance, so that messages do not fall into step with the screen."""
FRAME_S: Final = 1 / 30
READ: Final = 1 << 16
LONGEST: Final = 32
"""Bytes of a marker, and more."""
_MARKER: Final = re.compile(rb"(?:partial|final)\d{5}")


class Watch:
    """Reads everything a terminal is sent, in a thread, and notes when each marker came."""

    def __init__(self, terminal: int) -> None:
        self.seen: dict[str, float] = {}
        self._terminal = terminal
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        tail = b""
        while not self._over.is_set():
            if not select.select([self._terminal], [], [], 0.1)[0]:
                continue
            with suppress(OSError):
                data = os.read(self._terminal, READ)
                now_s = time.monotonic()
                for marker in _MARKER.findall(tail + data):
                    self.seen.setdefault(marker.decode(), now_s)
                tail = (tail + data)[-LONGEST:]


class Marked:
    """A script: says words that are not said again, and notes when."""

    def __init__(self) -> None:
        self.said: dict[str, float] = {}
        self.over = asyncio.Event()

    async def __call__(self, session: V3Session) -> None:
        reading = asyncio.create_task(self._read(session))
        await asyncio.sleep(BEFORE_S)
        chance = random.Random(1)
        for order in range(TURNS):
            for number in range(PARTIALS + 1):
                final = number == PARTIALS
                marker = f"{'final' if final else 'partial'}{order * PARTIALS + number:05}"
                now_ms = int(session.audio_ms)
                self.said[marker] = time.monotonic()
                word = Said(marker, now_ms - 100, now_ms)
                await session.turn(order, [word], end=final, text=marker if final else None)
                await asyncio.sleep(APART_S + chance.random() * FRAME_S)
        self.over.set()
        await reading

    async def _read(self, session: V3Session) -> None:
        while not session.terminating:
            await session.receive()


async def run(folder: Path) -> tuple[Marked, Watch]:
    """Let the app hear and show all markers."""
    sound = write_wav(folder / "sound.wav", pattern() * 12)
    script = Marked()
    service = V3Server(script)
    async with serve(service, admit=service.admit) as server:
        env = os.environ | {"MICTAPE_HOME": str(folder / "home"), "ASSEMBLYAI_API_KEY": KEY}
        options = ["--engine", "assemblyai", "--set", f"url={server.url}", "--input", str(sound)]
        app = ScreenApp([sys.executable, "-m", "mictape", *options], env)
        watch = Watch(app.master)
        try:
            async with asyncio.timeout(120):
                await script.over.wait()
                await asyncio.sleep(0.5)
        finally:
            watch.stop()
            app.close()
    return script, watch


def measure(report: Report) -> None:
    """Partials and finals, from before the message is sent until the terminal has read its text."""
    with tempfile.TemporaryDirectory() as folder:
        script, watch = asyncio.run(run(Path(folder)))
    for kind in ("partial", "final"):
        said = {marker: at_s for marker, at_s in script.said.items() if marker.startswith(kind)}
        delays = [watch.seen[marker] - at_s for marker, at_s in said.items() if marker in watch.seen]
        missed = len(said) - len(delays)
        report.add_delays(
            f"{kind} in the socket → on the terminal", delays, f"{missed} were not seen" if missed else ""
        )
