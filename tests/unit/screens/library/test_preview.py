"""What is said of the session under the cursor."""

from pathlib import Path

from mictape.library.library import Library, Store
from mictape.library.records import LineRecord, TrackRecord
from mictape.library.versions import add_version
from mictape.screens.library.preview import preview_of
from mictape.units import RATE


async def test_it_names_devices_and_what_made_the_versions_with_their_languages(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    with Store(path) as store:
        settings = {"engine": "local", "engine_title": "local · tiny-en · English"}
        with store.create_session(settings=settings) as folder:
            store.add_track(folder.session, TrackRecord(1, "You", "Blue Yeti", samples=2 * RATE))
            store.add_line(folder.session, LineRecord(0, 1, 0, RATE, "Guten Morgen."))
            store.close_session(folder.session)
        add_version(store, folder.session, [LineRecord(0, 1, 0, RATE, "Hallo.")], {}, engine="x", title="x · German")
        session = store.session(folder.session)
    async with await Library.open(path) as library:
        preview = await preview_of(library, session)
    assert preview.facts() == "1 line · Blue Yeti · local · tiny-en · English + x · German"
    assert preview.content().plain.endswith("\n\nHallo."), "the text of the version that is shown"


async def test_it_says_whether_what_is_open_is_in_progress_or_was_interrupted(tmp_path: Path) -> None:
    async with await Library.open(tmp_path / "library.db") as library:
        folder = await library.run(lambda store: store.create_session(settings={}))
        session = await library.run(Store.session, folder.session)
        with folder:
            assert "● in progress" in (await preview_of(library, session)).content().plain
        assert "interrupted" in (await preview_of(library, session)).content().plain
