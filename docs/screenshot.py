"""Makes the pictures in the README: the real app, while it plays the recording of `mictape --demo`.

.venv/bin/python docs/screenshot.py

`mictape.svg` is a still, `mictape-live.svg` shows the same as it happens: partials that become final lines. Both name
what they were made from; a test says when that has changed.
"""

import asyncio
import hashlib
import re
import tempfile
from pathlib import Path
from typing import Final

from mictape.app import MictapeApp
from mictape.bundled import DEMO
from mictape.commands import COMMANDS
from mictape.paths import places
from mictape.settings import DEFAULT_THEME, Settings
from mictape.start import Start
from mictape.themes import shipped_folder

FOLDER: Final = Path(__file__).parent
STILL: Final = FOLDER / "mictape.svg"
LIVE: Final = FOLDER / "mictape-live.svg"
SIZE: Final = (100, 18)
LINES: Final = 3
"""The still is taken with so many final lines and a partial."""
FRAME_S: Final = 0.75
FRAMES: Final = 30
"""Of the moving picture: 22 s, in which something new is always shown."""

_FONTS: Final = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""Fonts from another server: a viewer has a monospaced one."""
_ID: Final = re.compile(r"terminal-\d+")
"""Textual gives each picture's classes a number of its own."""
_BODY: Final = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


def inputs() -> str:
    """What the pictures are made from, as a hash: the recording, the look, the footer's words, this script."""
    files = [DEMO, DEMO.with_name("app.tcss"), shipped_folder() / f"{DEFAULT_THEME}.toml", Path(__file__)]
    digest = hashlib.sha256(repr([(each.id, each.title) for each in COMMANDS if each.footer]).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def moving(frames: list[str]) -> str:
    """One picture that shows others in turn, each for `FRAME_S`, over and over; without a script: pages forbid them."""
    length_s = len(frames) * FRAME_S
    share = 100 / len(frames)
    style = (
        f".frame {{ visibility: hidden; animation: show {length_s}s step-end infinite }}"
        f" @keyframes show {{ 0% {{ visibility: visible }} {share:.4f}% {{ visibility: hidden }} }}"
    )
    head = re.match(r"<svg[^>]*>", frames[0])
    assert head is not None
    bodies: list[str] = []
    for at, frame in enumerate(frames):
        body = _BODY.search(_ID.sub(f"f{at}", frame))
        assert body is not None
        bodies.append(f'<g class="frame" style="animation-delay: {at * FRAME_S}s">{body[1]}</g>')
    return f"{head[0]}<style>{style}</style>{''.join(bodies)}</svg>"


async def pictures() -> tuple[str, str]:
    """The still and the moving picture."""
    still, frames = "", list[str]()
    with tempfile.TemporaryDirectory() as folder:
        where = places({"MICTAPE_HOME": folder})
        where.prepare()
        app = MictapeApp(where, Settings(keep=False), Start(file=DEMO))
        async with app.run_test(size=SIZE):
            while not app.session or not app.session.tracks or not app.session.tracks[0].tape.samples:  # noqa: ASYNC110 (there is no event for it)
                await asyncio.sleep(FRAME_S)
            while len(frames) < FRAMES:
                await asyncio.sleep(FRAME_S)
                frames.append(_FONTS.sub("", app.export_screenshot()))
                if len(app.transcript) >= LINES and app.transcript.partials and not still:
                    still = frames[-1]
            app.action_stop()
            app.action_stop()
    return still or frames[-1], moving(frames)


def main() -> None:
    """Write both."""
    for path, text in zip((STILL, LIVE), asyncio.run(pictures()), strict=True):
        path.write_text(text.rstrip("\n") + f"\n<!-- made from {inputs()} -->\n", encoding="utf-8")


if __name__ == "__main__":
    main()
