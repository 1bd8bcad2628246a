"""Sessions as exports take them."""

from pathlib import Path

from mictape.audio.tape import TapeWriter
from mictape.library.export import Style
from mictape.library.library import Store
from mictape.library.records import LineRecord, TrackRecord
from mictape.session.documents import read_document
from mictape.units import RATE


def test_the_length_of_what_is_being_recorded_is_that_of_its_sound(tmp_path: Path) -> None:
    with Store(tmp_path / "library.db") as store, store.create_session() as folder:
        store.add_track(folder.session, TrackRecord(1, "You", "Yeti"))
        store.add_line(folder.session, LineRecord(0, 1, 0, RATE, "Hello."))
        writer = TapeWriter(folder.path, 1)
        writer.append(bytes(2 * 12 * RATE))
        facts = dict(read_document(store, folder.session, folder.path, Style()).facts())
        assert facts["Length"] == "00:00:12"
        writer.close()
