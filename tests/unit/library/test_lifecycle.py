"""What becomes of sessions: lists, titles, tags and the trash."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from mictape.failure import ExitCode, MictapeError
from mictape.library import labels, trash
from mictape.library.library import Store
from mictape.library.listing import Order, SessionFilter
from mictape.library.query import parse
from mictape.library.records import CoverageRecord, LineRecord, TrackChange, TrackRecord
from mictape.library.search import find
from mictape.library.titles import proposed_title
from mictape.transcript.line import Kind
from mictape.units import RATE

NOON = datetime(2026, 11, 23, 12, 0, 0).astimezone()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "library.db") as opened:
        yield opened


def line(id: int, text: str, start_s: int, end_s: int, **fields: object) -> LineRecord:
    record = LineRecord(id, 1, start_s * RATE, end_s * RATE, text)
    return msgspec.structs.replace(record, **fields)


def session(store: Store, *lines: LineRecord, days: int = 0, seconds: int = 10, device: str = "Yeti") -> str:
    with store.create_session(started=NOON + timedelta(days=days), settings={"engine": "local"}) as folder:
        store.add_track(folder.session, TrackRecord(1, "You", device, samples=seconds * RATE))
        for each in lines:
            store.add_line(folder.session, each)
        store.close_session(folder.session)
    return folder.session


def refused(code: ExitCode, said: str) -> pytest.RaisesExc[MictapeError]:
    return pytest.raises(MictapeError, match=said, check=lambda error: error.failure.code is code)


# Titles and tags.


@pytest.mark.parametrize(
    ("source", "texts", "title"),
    [
        ("", ["Good morning. We begin."], "Good morning"),
        ("", ["Good morning", "everybody"], "Good morning everybody"),
        ("", ["one " * 40], "one one one one one one one one one one one one…"),
        ("", ["x" * 80], "x" * 50 + "…"),
        ("", ["And Mr. John Dashwood had then leisure. He went."], "And Mr. John Dashwood had then leisure"),
        ("", ["Meet J. R. Smith at St. Ives! Or not."], "Meet J. R. Smith at St. Ives"),
        ("", ["Good day, Dr."], "Good day, Dr."),
        ("", ["The child almost hurt the small dog,"], "The child almost hurt the small dog"),
        (
            "",
            ["The child almost hurt the small dog, but then it, and"],
            "The child almost hurt the small dog, but then it…",
        ),
        ("", ["Это план. Дальше."], "Это план"),
        ("", ["明日の会議は十時からです。次に"], "明日の会議は十時からです"),
        ("", [], ""),
        ("/home/me/Budget meeting.m4a", ["Good morning."], "Budget meeting"),
    ],
)
def test_a_title_is_proposed(source: str, texts: list[str], title: str) -> None:
    track = TrackRecord(1, "File", source, kind="file") if source else TrackRecord(1, "You", "Yeti")
    assert proposed_title([track], texts) == title


def test_a_title_is_proposed_from_what_one_voice_says(store: Store) -> None:
    said = [line(0, "And so my fellow Americans", 0, 1), line(1, "ask not", 1, 2), line(2, "As you know.", 2, 3)]
    id = session(store, *said[:2], msgspec.structs.replace(said[2], track=2))
    assert store.session(id).title == "And so my fellow Americans ask not"
    id = session(store, said[0], msgspec.structs.replace(said[1], speaker="Anna"))
    assert store.session(id).title == "And so my fellow Americans"


def test_the_persons_title_stays_and_can_be_taken_back(store: Store) -> None:
    id = session(store, line(0, "Good morning.", 0, 1))
    assert (store.session(id).title, store.session(id).titled) == ("Good morning", False)
    labels.rename_session(store, "last", "  Budget\nmeeting ")
    store.resume_session(id).release()
    store.close_session(id)
    assert (store.session("budget meeting").id, store.session(id).titled) == (id, True)
    labels.rename_session(store, id, "")
    assert store.session(id).title == "Good morning"
    with refused(ExitCode.USAGE, "at most"):
        labels.rename_session(store, id, "x" * 300)


def test_tags_are_one_whatever_their_case(store: Store) -> None:
    id = session(store)
    labels.tag_session(store, id, add=["Work", "#work", "anna"])
    assert store.session(id).tags == ("anna", "Work")
    labels.tag_session(store, id, remove=["WORK"])
    assert store.session(id).tags == ("anna",)
    with refused(ExitCode.USAGE, "empty"):
        labels.tag_session(store, id, add=[" "])
    with refused(ExitCode.USAGE, 'has no tag "not there". Its tags: anna.'):
        labels.tag_session(store, id, remove=["anna", "not there"])
    assert store.session(id).tags == ("anna",)


# Lists.


def test_a_list_has_what_it_shows_page_by_page(store: Store) -> None:
    ids = [session(store, line(0, f"Text {day}.", 0, 1), days=day, seconds=10 + day) for day in range(5)]
    store.set_mark(ids[0], 0, "")
    store.change_track(ids[0], TrackChange(1, 12 * RATE, 0, (CoverageRecord(RATE, 3 * RATE, "gap", "offline"),)))
    first = store.session(ids[0])
    assert (first.devices, first.engines, first.marks, first.gaps) == (("Yeti",), ("local",), 1, 2 * RATE)
    assert first.first_words == "Text 0."
    newest = list(reversed(ids))
    assert [each.id for each in store.sessions(limit=2)] == newest[:2]
    assert [each.id for each in store.sessions(limit=2, offset=2)] == newest[2:4]
    orders: dict[Order, str] = {"oldest": ids[0], "title": ids[0], "longest": ids[4]}
    for order, top in orders.items():
        assert store.sessions(order=order, limit=1)[0].id == top


def test_a_list_is_filtered(store: Store) -> None:
    early, late = session(store), session(store, days=3, device="Head_set 100%")
    labels.tag_session(store, early, add=["work"])

    def ids(**fields: object) -> list[str]:
        chosen = msgspec.convert(fields, SessionFilter)
        found = [each.id for each in store.sessions(chosen)]
        assert store.count_sessions(chosen) == len(found)
        return found

    assert ids() == [late, early]
    assert ids(tag="WORK") == [early]
    assert ids(device="head_set 100%") == [late]
    assert ids(device="%") == [late]
    assert ids(engine="local") == [late, early]
    assert ids(engine="other") == []
    assert ids(after_utc_s=(NOON + timedelta(days=1)).timestamp()) == [late]
    assert ids(before_utc_s=(NOON + timedelta(days=1)).timestamp()) == [early]
    assert ids(trash=True) == []


# The trash.


def test_what_is_deleted_can_be_restored_until_it_expires(store: Store) -> None:
    id = session(store, line(0, "Good morning.", 0, 1))
    (store.sessions_folder / id / "track1.wav").write_bytes(b"sound")
    assert trash.delete(store, "last") == id
    with refused(ExitCode.USAGE, f"The session {id[:11]} is in the trash. mictape sessions restore {id}"):
        store.session(id[:11])
    with refused(ExitCode.USAGE, "no session"):
        store.session("other")
    assert [each.id for each in store.sessions(SessionFilter(trash=True))] == [id]
    assert trash.restore(store, id) == id
    assert store.session(id).lines == 1
    with refused(ExitCode.USAGE, "in the trash"):
        trash.restore(store, id)
    trash.delete(store, id)
    assert trash.expire(store, 30) == []
    assert trash.expire(store, 30, now_utc_s=time.time() + 31 * trash.DAY_S) == [id]
    assert not (store.sessions_folder / id).exists()
    with refused(ExitCode.USAGE, "in the trash"):
        trash.restore(store, id)


def test_what_is_being_recorded_cannot_be_deleted(store: Store) -> None:
    with store.create_session() as folder:
        with refused(ExitCode.USAGE, "being recorded"):
            trash.delete(store, folder.session)
        assert store.session(folder.session)


def test_a_session_in_which_nothing_happened_is_not_kept(store: Store) -> None:
    empty = session(store, seconds=2)
    kept = [
        session(store, seconds=60),
        session(store, line(0, "Yes.", 0, 1), seconds=1),
        session(store, line(0, "my note", 0, 0, kind=Kind.NOTE), seconds=1),
    ]
    with store.create_session() as file:
        store.add_track(file.session, TrackRecord(1, "File", "short.wav", kind="file", samples=RATE))
        store.close_session(file.session)
    kept.append(file.session)
    assert [trash.put_away_if_empty(store, id) for id in (empty, *kept)] == ["removed", *["kept"] * 4]
    assert trash.put_away_if_empty(store, empty) == "removed", "it is gone already"
    assert not (store.sessions_folder / empty).exists()
    assert sorted(each.id for each in store.sessions()) == sorted(kept)


def test_a_short_session_without_a_word_goes_to_the_trash_unless_sound_of_it_has_no_text_yet(store: Store) -> None:
    silent, unanswered = session(store, seconds=59), session(store, seconds=59)
    store.change_track(unanswered, TrackChange(1, 59 * RATE, 0, (CoverageRecord(0, 2 * RATE, "gap", "engine lost"),)))
    assert [trash.put_away_if_empty(store, id) for id in (silent, unanswered)] == ["trash", "kept"]
    assert [each.id for each in store.sessions()] == [unanswered]
    trash.restore(store, silent)
    assert len(store.sessions()) == 2


PURGER = """
import sys
from pathlib import Path
from mictape.library import trash
from mictape.library.listing import SessionFilter
from mictape.library.library import Store
with Store(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    for session in store.sessions(SessionFilter(trash=True)):
        print(trash.purge(store, session.id), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_kill_while_sessions_are_purged_leaves_no_sound_that_nothing_lists(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    for purged in (0, 1, 5, 9):  # sessions before the kill
        with Store(path) as store:
            for number in range(12):
                id = session(store, *(line(each, "planted word", each, each + 1) for each in range(50)), days=number)
                (store.sessions_folder / id / "track1-000000000000.wav").write_bytes(b"sound")
                trash.delete(store, id)
        with subprocess.Popen([sys.executable, "-c", PURGER, path], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(1 + purged):
                child.stdout.readline()
            child.send_signal(signal.SIGKILL)
        with Store(path) as store:
            left = store.sessions(SessionFilter(trash=True))
            folders = {folder.name for folder in store.sessions_folder.iterdir() if any(folder.glob("*.wav"))}
            assert folders <= {each.id for each in left}
            assert store.rows("PRAGMA integrity_check")[0][0] == "ok"
            assert sum(each.lines for each in left) == 50 * len(left)
            for each in left:
                trash.purge(store, each.id)
            assert find(store, parse("planted")).sessions == ()
