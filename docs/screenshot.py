"""Makes the picture in the README: the real app, hearing the recording that the engine's wheel carries.

.venv/bin/python docs/screenshot.py [FILE.svg]
"""

import asyncio
import importlib.util
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from mictape.app import MictapeApp
from mictape.paths import places
from mictape.recording import Recording
from mictape.recording.start import Start
from mictape.settings import Settings

LINES: Final = 9
SIZE: Final = (100, 20)
_FONTS: Final = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""Fonts from somebody's server: whoever looks at the picture has a monospaced one."""


async def picture() -> str:
    """Listen until there is something to see, then take the picture while somebody speaks."""
    found = importlib.util.find_spec("moonshine_voice")
    if found is None or found.origin is None:
        sys.exit("The embedded engine has no wheel for this platform.")
    speech = Path(found.origin).parent / "assets" / "two_cities.wav"
    with tempfile.TemporaryDirectory() as folder:
        where = places({"MICTAPE_HOME": folder})
        where.prepare()
        settings = Settings(keep=False)
        app = MictapeApp(Recording(where, settings), Start(file=speech))
        async with app.run_test(size=SIZE):
            while len(app.transcript) < LINES or not app.transcript.partials:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.2)  # a frame or two, so that what was just said is drawn
            taken = _FONTS.sub("", app.export_screenshot())
            app.action_stop()
            app.action_stop()
        return taken


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/mictape.svg")
    target.write_text(asyncio.run(picture()), encoding="utf-8")
