"""Sessions on disk: nothing kept is lost, nothing deleted stays, and no error of the database is a traceback."""

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.base import Word
from mictape.failure import ExitCode, MictapeError
from mictape.library import schema
from mictape.library.export import Document, Style
from mictape.library.folders import TEMPORARY_PREFIX, is_alive
from mictape.library.labels import rename_session
from mictape.library.library import Library, Store
from mictape.library.listing import ORDERS, Order
from mictape.library.records import CoverageRecord, LineRecord, TrackChange, TrackRecord
from mictape.library.trash import delete, purge, restore
from mictape.transcript.line import Kind
from support.database_steps import steps
from support.waiting import until

NOON = datetime(2026, 11, 23, 12, 0, 0).astimezone()
TRACK = TrackRecord(1, "You", "Blue Yeti", "PulseAudio", origin=100)
HELLO = LineRecord(1, 1, 0, 16_000, "Hello there.", words=(Word("Hello", 0, 8_000, 0.9), Word("there.")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "library.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def refused(code: ExitCode, said: str) -> pytest.RaisesExc[MictapeError]:
    return pytest.raises(MictapeError, match=said, check=lambda error: error.failure.code is code)


# What is kept comes back.


async def test_a_session_from_its_start_to_its_end(path: Path) -> None:
    async with await Library.open(path) as library:
        with await library.run(
            Store.create_session, title="Talk", settings={"engine": "local"}, started=NOON
        ) as folder:
            session = folder.session
            await library.run(Store.add_track, session, TRACK)
            await library.run(Store.add_line, session, HELLO)
            await library.run(Store.add_line, session, LineRecord(2, 1, 8_000, 8_000, "microphone: Two", Kind.DIVIDER))
            first = (CoverageRecord(0, 9, "covered"), CoverageRecord(9, 11, "gap", "offline"))
            await library.run(Store.change_track, session, TrackChange(1, 20_000, 0, first))
            later = (CoverageRecord(9, 16_000, "covered"),)
            await library.run(Store.change_track, session, TrackChange(1, 32_000, 320, later))
            await library.run(Store.close_session, session)
        kept = await library.run(Store.session, "last")
        assert (kept.id, kept.title, kept.state, kept.settings) == (session, "Talk", "closed", {"engine": "local"})
        assert (kept.samples, kept.lines) == (32_100, 1), "the divider was not said"
        assert kept.started == NOON
        assert kept.ended_utc_s is not None
        assert await library.run(Store.sessions) == [kept]
        assert await library.run(Store.tracks, session) == [msgspec.structs.replace(TRACK, samples=32_000, lost=320)]
        assert [line.id for line in await library.run(Store.lines, session)] == [1, 2]
        assert (await library.run(Store.lines, session))[0] == HELLO
        assert (await library.run(Store.lines, session, words=False))[0].words is None
        assert await library.run(Store.coverage, session, 1) == [CoverageRecord(0, 16_000, "covered")]


async def test_many_calls_at_once_are_carried_out_in_their_order(path: Path) -> None:
    async with await Library.open(path) as library:
        folder = await library.run(Store.create_session)
        lines = [msgspec.structs.replace(HELLO, id=number, text=str(number)) for number in range(50)]
        await asyncio.gather(*(library.run(Store.add_line, folder.session, line) for line in lines))
        assert [line.text for line in await library.run(Store.lines, folder.session)] == [line.text for line in lines]
        folder.release()


async def test_a_call_that_was_cancelled_is_still_carried_out(path: Path) -> None:
    async with await Library.open(path) as library:
        with await library.run(Store.create_session) as folder:
            lines = [msgspec.structs.replace(HELLO, id=number) for number in range(20)]
            calls = [asyncio.create_task(library.run(Store.add_line, folder.session, line)) for line in lines]
            await asyncio.sleep(0)  # they have been handed to the library's thread
            for call in calls:
                call.cancel()
            assert await library.run(Store.lines, folder.session) == lines


_ids = st.integers(0, 2**40)
_texts = st.text(max_size=40)
_maybe = st.none() | _texts
_words = st.builds(Word, _texts, st.none() | _ids, st.none() | _ids, st.none() | st.floats(0, 1), _maybe)
_lines = st.builds(
    LineRecord,
    *(_ids, st.integers(1, 9), _ids, _ids, _texts, st.sampled_from(Kind), _maybe, _maybe, _maybe, _maybe),
    *(st.none() | _ids, st.none() | _ids, st.none() | st.lists(_words, max_size=3).map(tuple)),
)


@given(lines=st.lists(_lines, max_size=6, unique_by=lambda line: line.id))
def test_any_line_comes_back_as_it_was_in_tape_order(lines: list[LineRecord]) -> None:
    with Store(None) as store, store.create_session() as folder:
        for line in lines:
            store.add_line(folder.session, line)
        assert store.lines(folder.session) == sorted(lines, key=lambda line: (line.start, line.id))


def test_half_a_surrogate_pair_does_not_cost_a_line(store: Store) -> None:
    with store.create_session() as folder:
        store.add_line(folder.session, msgspec.structs.replace(HELLO, text="so \ud800 what"))
        assert store.lines(folder.session)[0].text == "so ? what"


def test_a_late_revision_replaces_what_the_engine_said(store: Store) -> None:
    with store.create_session() as folder:
        store.add_line(folder.session, HELLO)
        late = msgspec.structs.replace(HELLO, text="Hello, there!", end=17_000, speaker="A", words=None)
        store.revise_line(folder.session, late)
        assert store.lines(folder.session) == [late]


def test_a_late_revision_leaves_what_a_person_wrote(store: Store) -> None:
    with store.create_session() as folder:
        store.add_line(folder.session, HELLO)
        store.edit_line(folder.session, HELLO.id, "Hallo.", HELLO.text)
        store.revise_line(folder.session, msgspec.structs.replace(HELLO, text="Hello, there!"))
        (line,) = store.lines(folder.session)
        assert (line.text, line.original) == ("Hallo.", "Hello, there!")


def test_a_line_is_stored_with_its_coverage_or_not_at_all(store: Store) -> None:
    with store.create_session() as folder:
        covered = TrackChange(1, 9, 0, (CoverageRecord(0, 5, "covered"),))
        store.add_line(folder.session, HELLO, covered)
        impossible = TrackChange(1, 9, 0, (CoverageRecord(5, 9, cast("Any", "impossible")),))
        with pytest.raises(sqlite3.IntegrityError):
            store.add_line(folder.session, msgspec.structs.replace(HELLO, id=2), impossible)
        with pytest.raises(sqlite3.IntegrityError):
            store.add_line(folder.session, HELLO, TrackChange(1, 9, 0, (CoverageRecord(5, 9, "covered"),)))
        assert store.lines(folder.session) == [HELLO]
        assert store.coverage(folder.session, 1) == [CoverageRecord(0, 5, "covered")]


_states = st.sampled_from([("covered", ""), ("gap", "offline"), ("gap", "slow"), ("hole", "lost"), ("open", "")])
_intervals = st.tuples(st.integers(0, 30), st.integers(1, 12), _states)


@given(steps=st.lists(_intervals, max_size=20))
def test_coverage_changes_give_what_painting_each_sample_gives(steps: list[tuple[int, int, tuple[Any, str]]]) -> None:
    naive: dict[int, tuple[str, str]] = {}
    with Store(None) as store, store.create_session() as folder:
        for start, length, (what, why) in steps:
            interval = CoverageRecord(start, start + length, what, why)
            store.change_track(folder.session, TrackChange(1, 0, 0, (interval,)))
            for sample in range(start, start + length):
                naive[sample] = (what, why)
        stored = store.coverage(folder.session, 1)
        painted = [(at, (each.what, each.why)) for each in stored for at in range(each.start, each.end)]
        assert painted == sorted((at, state) for at, state in naive.items() if state[0] != "open")
        states = [(each.start, each.end, each.what, each.why) for each in stored]
        joined = [left for left, right in pairwise(states) if left[1] == right[0] and left[2:] == right[2:]]
        assert joined == [], "equal neighbours are one interval"


# Which session is meant.


def test_ids_are_the_local_time_and_never_given_twice(store: Store) -> None:
    folders = [store.create_session(started=NOON) for _ in range(3)]
    assert [folder.session for folder in folders] == ["20261123-120000", "20261123-120000-2", "20261123-120000-3"]
    assert store.create_session(started=NOON.astimezone(UTC)).session == "20261123-120000-4"


def test_a_session_by_its_id_its_beginning_or_as_the_last(store: Store) -> None:
    for day in (21, 22, 22):
        store.create_session(started=NOON.replace(day=day)).release()
    assert store.session("20261121-120000").id == "20261121-120000"
    assert store.session("20261121").id == "20261121-120000"
    assert store.session("20261122-120000").id == "20261122-120000", "an id is no mere beginning of another"
    assert store.session("last").id == "20261122-120000-2"
    with refused(ExitCode.USAGE, "20261122 may be 20261122-120000, 20261122-120000-2"):
        store.session("20261122")
    for day in range(1, 8):
        store.create_session(started=NOON.replace(day=day)).release()
    named = ", ".join(f"2026110{day}-120000" for day in range(3, 8))
    with refused(ExitCode.USAGE, f"2026110 may be {named} or one of 2 older ones"):
        store.session("2026110")


def test_the_last_session_is_the_one_that_was_recorded_last(store: Store) -> None:
    older, newer = (store.create_session(started=NOON.replace(day=day)) for day in (21, 22))
    for folder in (older, newer):
        folder.release()
        store.close_session(folder.session, ended_utc_s=NOON.replace(day=23).timestamp())
    assert store.session("last").id == newer.session
    with store.resume_session(older.session):
        assert store.session("last").id == older.session, "it is being recorded"
        store.close_session(older.session, ended_utc_s=NOON.replace(day=24).timestamp())
    assert store.session("last").id == older.session
    store.close_session(newer.session, recorded=False)
    assert store.session("last").id == older.session, "nothing more was recorded in the other one"


def test_a_session_by_a_part_of_its_title(store: Store) -> None:
    titles = {21: "Call with Anna", 22: "Recall of Anna", 23: "Budget, part 1", 24: ""}
    ids = dict[str, str]()
    for day, title in titles.items():
        with store.create_session(started=NOON.replace(day=day)) as folder:
            store.add_line(folder.session, msgspec.structs.replace(HELLO, text="Straße, said he."))
            ids[title] = folder.session
        rename_session(store, folder.session, title)
    for which, title in {
        "call": "Call with Anna",
        "ReCALL of anna": "Recall of Anna",
        "PART 1": "Budget, part 1",
    }.items():
        assert store.session(which).title == title
    assert store.session("strasse").id == ids[""], "what a list shows for one without a title"
    one, other = ids["Call with Anna"], ids["Recall of Anna"]
    with refused(ExitCode.USAGE, rf"anna may be {one} \(Call with Anna\), {other} \(Recall of Anna\)"):
        store.session("anna")
    for wrong, meant in {"bugdet": "Budget, part 1", "Call wiht Ana": "Call with Anna"}.items():
        with pytest.raises(MictapeError) as caught:
            store.session(wrong)
        assert (caught.value.failure.what, caught.value.failure.remedy) == (
            f"There is no session {wrong}",
            f"Did you mean {meant}?",
        )
    delete(store, one)
    with refused(ExitCode.USAGE, "The session with anna is in the trash"):
        store.session("with anna")
    assert restore(store, "with anna") == one


@pytest.mark.parametrize("which", ["", "%", "2026112_", "nothing", "last"])
def test_no_such_session(store: Store, which: str) -> None:
    if which != "last":
        store.create_session(started=NOON).release()
    with refused(ExitCode.USAGE, "no session"):
        store.session(which)
    with refused(ExitCode.USAGE, "no session"):
        store.add_line("nobody", HELLO)


# Private, and nothing kept that should not be.


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_everything_is_for_its_owner_alone(path: Path) -> None:
    old = os.umask(0)
    try:
        with Store(path) as store, store.create_session() as folder:
            store.add_line(folder.session, HELLO)
            modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in path.parent.rglob("*")}
            assert modes == {
                **{"library.db": 0o600, "library.db-wal": 0o600, "library.db-shm": 0o600},
                **{"sessions": 0o700, folder.session: 0o700, "lock": 0o600},
            }
    finally:
        os.umask(old)


def test_a_deleted_session_leaves_nothing(store: Store, path: Path) -> None:
    keep, drop = store.create_session(started=NOON), store.create_session()
    (drop.path / "track1.wav").write_bytes(b"sound")
    (drop.path / "more").mkdir()
    (drop.path / "more" / "file").write_bytes(b"sound")
    for folder in (keep, drop):
        store.add_track(folder.session, TRACK)
        store.change_track(folder.session, TrackChange(1, 5, 0, (CoverageRecord(0, 5, "covered"),)))
    store.add_line(keep.session, HELLO)
    for number in range(200):
        store.add_line(drop.session, msgspec.structs.replace(HELLO, id=number, text="a word planted here " * 20))
    with refused(ExitCode.USAGE, "being recorded"):
        purge(store, drop.session, trash=False)
    assert len(store.lines(drop.session)) == 200
    drop.release()
    assert purge(store, drop.session, trash=False) == drop.session
    assert not drop.path.exists()
    assert [session.id for session in store.sessions()] == [keep.session]
    assert store.lines(keep.session) == [HELLO]
    assert not [found for found in path.parent.rglob("*") if found.is_file() and b"planted" in found.read_bytes()]
    keep.release()


def test_a_link_in_a_deleted_session_is_not_followed(store: Store, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("mine")
    folder = store.create_session()
    (folder.path / "link").symlink_to(mine)
    folder.release()
    purge(store, "last", trash=False)
    assert (mine / "file").read_text() == "mine"


def test_a_session_whose_folder_is_gone_can_be_deleted(store: Store) -> None:
    with store.create_session() as folder:
        pass
    shutil.rmtree(folder.path)
    purge(store, "last", trash=False)
    assert store.sessions() == []


def test_nothing_is_kept_without_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"{TEMPORARY_PREFIX}killed"
    (left / "20260101-000000").mkdir(parents=True)
    _make_old(left)
    with Store(None) as store, store.create_session() as folder:
        store.add_line(folder.session, HELLO)
        (folder.path / "track1.wav").write_bytes(b"sound")
        assert not left.exists(), "what a killed process could not remove"
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_starts_removes_nothing_of_one_that_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    new = tmp_path / f"{TEMPORARY_PREFIX}new"  # as it is before its process has locked it
    new.mkdir()
    with Store(None) as living:  # without a session yet
        _make_old(living.sessions_folder)
        with Store(None):
            assert living.sessions_folder.exists()
            assert new.exists()


def _make_old(folder: Path) -> None:
    an_hour_ago = time.time() - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago))


def test_looking_creates_nothing(path: Path) -> None:
    with Store.to_read(path) as store:
        assert store.sessions() == []
        assert store.sessions_folder == path.parent / "sessions"
    assert not path.parent.exists()


# A process that is killed.


WRITER = """
import sys, msgspec
from pathlib import Path
from mictape.library.library import LineRecord, Store
store = Store(Path(sys.argv[1]))
folder = store.create_session()
number = 0
while True:
    store.add_line(folder.session, LineRecord(number, 1, number, number, "line"))
    print(number, folder.session, flush=True)
    number += 1
"""


def test_those_who_read_a_session_share_it_and_nobody_else_has_it_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mictape.library.folders._PROBE_WAIT_S", 0)
    with Store(path) as store:
        with store.create_session() as folder:
            session = folder.session
            with refused(ExitCode.USAGE, "is being recorded"):
                store.hold_session(session, shared=True)
        first, second = (store.hold_session(session, shared=True) for _ in range(2))
        for holder in (first, second):
            with refused(ExitCode.USAGE, "is open already"):
                store.hold_session(session)
            holder.release()
            holder.release()
        store.hold_session(session).release()


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_line_that_was_added_outlives_a_kill(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        *_, session = writer.stdout.readline().split()
        folder = path.parent / "sessions" / session
        with Store(path) as store:  # beside the writer
            assert is_alive(folder)
            assert store.unfinished() == []
            for shared in (False, True):
                with refused(ExitCode.USAGE, f"Session {session} is being recorded"):
                    store.resume_session(session, shared=shared)
        reported = [writer.stdout.readline() for _ in range(100)]
        writer.send_signal(signal.SIGKILL)
        reported += writer.stdout.readlines()
    last = int([line for line in reported if line.endswith("\n")][-1].split()[0])
    with Store(path) as store:
        assert [line.id for line in store.lines(session)][: last + 1] == list(range(last + 1))
        until(lambda: not is_alive(folder))
        assert [each.id for each in store.unfinished()] == [session]
        with store.resume_session(session):
            assert is_alive(folder)
            assert store.unfinished() == [], "it is ours now"
            store.close_session(session)
        assert not is_alive(folder)
        assert store.unfinished() == []


def test_a_closed_session_opens_again_when_it_is_resumed(store: Store) -> None:
    store.create_session().release()
    session = store.session("last").id
    store.close_session(session)
    with store.resume_session(session):
        assert store.session(session).state == "open"
    ended = store.session(session).ended_utc_s
    assert ended is not None
    store.close_session(session, recorded=False)
    assert store.session(session).ended_utc_s == ended
    store.close_session(session)
    assert (store.session(session).ended_utc_s or 0) > ended


# An older library, a newer one, a broken one.


def version(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return db.execute("PRAGMA user_version").fetchone()[0]
    finally:
        db.close()


def test_an_older_library_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(path) as store, store.create_session() as folder:
        store.add_line(folder.session, HELLO)
    added = ("ALTER TABLE lines ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'", "CREATE TABLE more (x)")
    monkeypatch.setattr(schema.migrate, "__defaults__", ((*schema.STEPS, added, ("INSERT INTO more VALUES (1)",)),))
    with Store(path) as store:
        assert store.lines(folder.session) == [HELLO]
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT DISTINCT colour FROM lines").fetchall() == [("grey",)]
        assert db.execute("SELECT x FROM more").fetchall() == [(1,)]
    db.close()
    assert version(path) == len(schema.STEPS) + 2


def test_a_step_that_fails_leaves_the_library_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(path) as store:
        store.create_session().release()
    half = ("CREATE TABLE more (x)", "INSERT INTO nowhere VALUES (1)")
    with monkeypatch.context() as patch:
        patch.setattr(schema.migrate, "__defaults__", ((*schema.STEPS, half),))
        with refused(ExitCode.SOUND, "nowhere"):
            Store(path)
    assert version(path) == len(schema.STEPS)
    with Store(path) as store:
        assert len(store.sessions()) == 1
    with sqlite3.connect(path) as db:
        assert not db.execute("SELECT * FROM sqlite_master WHERE name = 'more'").fetchall()
    db.close()


def test_a_newer_library_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE future (x)")
    db.execute(f"PRAGMA user_version = {len(schema.STEPS) + 1}")
    db.close()
    before = path.read_bytes()
    with refused(ExitCode.SOUND, "newer Mictape"):
        Store(path)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == ["library.db"]


def test_what_is_no_library_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"my holiday in words, and nothing of a database at all\n" * 100)
    with refused(ExitCode.SOUND, "is not a library"):
        Store(path)
    assert path.read_bytes().startswith(b"my holiday")


def test_a_damaged_library_is_a_sentence(path: Path) -> None:
    with Store(path) as store, store.create_session() as folder:
        for number in range(200):
            store.add_line(folder.session, msgspec.structs.replace(HELLO, id=number, text="word " * 100))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with refused(ExitCode.SOUND, "is damaged"), Store(path) as store:
        store.lines(store.session("last").id)


def test_a_library_that_is_taken_away_is_a_sentence_until_it_is_put_back(path: Path) -> None:
    with Store(path) as store, store.create_session() as folder:
        away = path.rename(path.with_name("away.db"))
        with refused(ExitCode.SOUND, "has been moved or deleted"):
            store.add_line(folder.session, HELLO)
        away.rename(path)
        store.add_line(folder.session, HELLO)
    with Store(path) as store:
        assert len(store.lines(folder.session)) == 1


def test_a_library_that_is_held_is_a_sentence(path: Path) -> None:
    with Store(path, busy_s=0.0) as store, store.create_session() as folder:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        with refused(ExitCode.SOUND, "held by another program"):
            store.add_line(folder.session, HELLO)
        db.execute("ROLLBACK")
        db.close()
        store.add_line(folder.session, HELLO)
        assert store.lines(folder.session) == [HELLO]


async def test_a_full_disk_is_a_sentence_and_costs_nothing_kept(path: Path) -> None:
    with Store(path) as store, store.create_session() as folder:
        store.add_line(folder.session, HELLO)
        # SQLite's own limit gives the very error of a full disk.
        store._db.execute("PRAGMA max_page_count = 1")  # pyright: ignore[reportPrivateUsage]
        with refused(ExitCode.SOUND, "disk is full"):
            store.add_line(folder.session, msgspec.structs.replace(HELLO, id=2, text="word " * 10_000))
        store._db.execute("PRAGMA max_page_count = 1000000")  # pyright: ignore[reportPrivateUsage]
        store.add_line(folder.session, msgspec.structs.replace(HELLO, id=3))
        assert [line.id for line in store.lines(folder.session)] == [1, 3]


async def test_a_place_that_takes_nothing_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused(ExitCode.SOUND, "Nothing can be kept"):
        await Library.open(tmp_path / "file" / "library.db")
    with refused(ExitCode.SOUND, "cannot be opened"):
        (tmp_path / "library.db").mkdir()
        await Library.open(tmp_path / "library.db")


def _many(store: Store, sessions: range, lines: int = 20) -> None:
    """Sessions of so many lines, without folders."""
    with store.adding():
        for key in sessions:
            store.execute(
                "INSERT INTO sessions (key, id, started_utc_s, state, title, app_version, settings)"
                " VALUES (?1, ?1, ?1, 'closed', 'Talk ' || ?1, '1', CAST('{}' AS BLOB))",
                key,
            )
            store.execute(
                "INSERT INTO tracks (session, number, name, source, host_api, kind, origin, samples, lost)"
                " VALUES (?1, 1, 'You', 'Yeti', '', 'microphone', 0, ?1, 0)",
                key,
            )
            for line in range(lines):
                store.execute(
                    'INSERT INTO lines (session, id, track, "start", "end", kind, text, created_utc_s)'
                    " VALUES (?1, ?2, 1, ?2, ?2 + 1, 1, 'said', 0)",
                    *(key, line),
                )


def test_a_page_of_the_list_reads_the_lines_of_its_own_sessions_only(store: Store) -> None:
    def page(order: Order) -> None:
        found = store.sessions(order=order, limit=20)
        assert (len(found), {session.lines for session in found}) == (20, {20})

    _many(store, range(1, 101))
    few = {order: steps(store, lambda order=order: page(order)) for order in ORDERS}
    _many(store, range(101, 1001))
    for order in ORDERS:
        sorted_only = 0 if order in ("newest", "oldest") else 900 * 5  # the others look at each title or length
        assert steps(store, lambda order=order: page(order)) < 1.2 * few[order] + sorted_only, order


def test_a_list_costs_no_more_for_longer_sessions(store: Store) -> None:
    _many(store, range(1, 21))
    short = steps(store, lambda: store.sessions(limit=20))
    _many(store, range(21, 41), lines=300)
    long = steps(store, lambda: store.sessions(limit=20))
    assert {session.lines for session in store.sessions(limit=20)} == {300}
    assert long < 1.2 * short


def test_a_device_that_was_recorded_on_two_tracks_is_named_once(store: Store) -> None:
    with store.create_session() as folder:
        for number in (1, 2):
            store.add_track(folder.session, TrackRecord(number, "You", "Yeti"))
    session = store.session(folder.session)
    assert session.devices == ("Yeti",)
    document = Document(session, store.tracks(folder.session), [], Style())
    assert dict(document.facts())["Recorded from"] == "Yeti (You)"
