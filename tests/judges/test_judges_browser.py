"""An independent judge: a real browser reads and plays the exported page."""

import asyncio
import base64
from pathlib import Path

import pytest

from mictape.audio.tape import TapeWriter, packing
from mictape.cli.main import run as mictape
from mictape.library.records import LineRecord, TrackRecord
from mictape.library.store import Store
from mictape.transcript.line import Kind
from mictape.units import RATE
from support.browser import CHROMIUM, opened
from support.export_texts import HOSTILE
from support.sound import pcm

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

HIDDEN = "getComputedStyle(document.querySelector('audio')).display"
LENGTHS = """Promise.all([...document.querySelectorAll('audio')].map(audio => new Promise(done => {
    audio.preload = 'metadata'; audio.onloadedmetadata = () => done(audio.duration);
    audio.onerror = () => done(audio.error.message); audio.load();
})))"""


def exported(home: Path, target: Path) -> Path:
    """The page, beside its sound, of a session of two tracks in which everything was said that could do harm."""
    with Store(home / "library.db", home / "sessions") as store, store.create_session(title="Budget <b>") as folder:
        for track, seconds in ((1, 2), (2, 3)):
            writer = TapeWriter(folder.path, track)
            writer.append(pcm(0, seconds * RATE))
            writer.close()
            store.add_track(folder.session, TrackRecord(track, f"Voice {track}", "Yeti", samples=seconds * RATE))
            if track == 1:
                packing.pack(folder.path)
        for id, text in enumerate(HOSTILE):
            store.add_line(folder.session, LineRecord(id, 1 + id % 2, id * RATE, (id + 1) * RATE, text))
        store.add_line(folder.session, LineRecord(900, 1, 0, 0, "a note", Kind.NOTE))
        store.set_mark(folder.session, 0, "why")
        store.close_session(folder.session)
    assert mictape(["sessions", "export", "last", "-o", str(target), "--sound"]) == 0
    return target


async def test_a_page_is_read_played_and_printed(home: Path, tmp_path: Path) -> None:
    file = await asyncio.to_thread(exported, home, tmp_path / "page.html")  # a command has an event loop of its own
    async with opened(file, tmp_path / "profile") as page:
        text = await page.evaluate("document.body.innerText")
        assert "Budget <b>" in text and "Voice 2:" in text and "Note: a note" in text and "★" in text
        assert await page.evaluate("document.querySelectorAll('p').length") == len(HOSTILE) + 1
        assert await page.evaluate("document.querySelectorAll('script, img, iframe, a').length") == 0
        assert await page.evaluate(LENGTHS) == [3], "the sound beside it is played"
        assert await page.evaluate(HIDDEN) != "none"
        await page.call("Emulation.setEmulatedMedia", media="print")
        assert await page.evaluate(HIDDEN) == "none"
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off"
        printed = base64.b64decode((await page.call("Page.printToPDF"))["data"])
        assert printed.startswith(b"%PDF") and printed.count(b"/Type /Page\n") >= 1
