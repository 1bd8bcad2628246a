"""Sessions as exports take them."""

from pathlib import Path

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
