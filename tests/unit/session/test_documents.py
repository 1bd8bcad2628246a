"""Sessions as exports take them."""

from datetime import datetime, timedelta
from pathlib import Path

from mictape.audio.clock import Anchor
from mictape.audio.tape import TapeWriter
from mictape.library.export import Style
from mictape.library.library import Store
from mictape.library.records import LineRecord, TrackRecord
from mictape.session.documents import read_document
from mictape.units import RATE


def test_what_is_being_recorded_has_the_length_of_its_sound_and_the_title_of_lists(tmp_path: Path) -> None:
    with Store(tmp_path / "library.db") as store, store.create_session() as folder:
        store.add_track(folder.session, TrackRecord(1, "You", "Yeti"))
        store.add_line(folder.session, LineRecord(0, 1, 0, RATE, "Hello."))
        writer = TapeWriter(folder.path, 1)
        writer.append(bytes(2 * 12 * RATE))
        document = read_document(store, folder.session, folder.path, Style())
        assert dict(document.facts())["Length"] == "00:00:12"
        assert document.title == "Hello", "as lists call it"
        writer.close()


def test_the_date_has_the_last_day_of_a_session_that_was_continued(tmp_path: Path) -> None:
    began = datetime(2026, 11, 27, 11, 52).astimezone()
    dates: list[str] = []
    with Store(tmp_path / "library.db") as store, store.create_session(started=began) as folder:
        store.add_track(folder.session, TrackRecord(1, "You", "Yeti"))
        for later in (timedelta(0), timedelta(days=3)):
            writer = TapeWriter(folder.path, 1)
            writer.note(Anchor(writer.samples, 100.0, (began + later).timestamp(), "start"))
            writer.append(bytes(2 * 12 * RATE))
            writer.close()
            facts = read_document(store, folder.session, folder.path, Style()).facts()
            dates.append(dict(facts)["Date"])
    once = "Friday, 27 November 2026, 11:52"
    assert dates == [once, f"{once} to Monday, 30 November 2026"]


def test_a_part_says_who_speaks_where_several_do_in_the_session(tmp_path: Path) -> None:
    with Store(tmp_path / "library.db") as store, store.create_session() as folder:
        store.add_track(folder.session, TrackRecord(1, "You", "Yeti"))
        for id, name in enumerate(("Anna", "Bob")):
            store.add_line(folder.session, LineRecord(id, 1, id * RATE, (id + 1) * RATE, "Yes.", speaker=name))
        [line] = (document := read_document(store, folder.session, folder.path, Style(), {0})).lines
        assert document.voice(line) == "Anna"
        [line] = (document := read_document(store, folder.session, folder.path, Style(speakers=False), {0})).lines
        assert not document.voice(line)
