"""An older library becomes a present one: nothing is lost, a copy stays, and a kill leaves the old or the new one."""

import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from mictape.engines.base import Word
from mictape.library import schema
from mictape.library.library import Store
from mictape.library.query import parse
from mictape.library.records import CoverageRecord, LineRecord, TrackRecord
from mictape.library.search import find
from mictape.transcript.line import Kind
from support.waiting import until

VERSION_2 = Path(__file__).parent / "data" / "version-2.db"
"""Made by the first program that was used, commit c4b16b8."""

TALK, MEETING = "20261123-093000", "20261124-093000"
ANNA = (
    Word("Good", 0, 8_000, 0.98, "Anna"),
    Word("morning,", 8_000, 20_000, 0.4, "Anna"),
    Word("everybody.", 20_000, 32_000, None, "Anna", True),
)
LINES = [
    LineRecord(
        *(0, 1, 0, 32_000, "Good morning, everybody."),
        speaker="Anna",
        language="en",
        engine="local",
        connection=0,
        turn=0,
        words=ANNA,
    ),
    LineRecord(
        *(1, 2, 40_000, 60_000, "The café in Zürich opens at nine."),
        speaker="B",
        engine="local",
        connection=1,
        turn=0,
        mark="opening hours",
    ),
    LineRecord(2, 1, 64_000, 64_000, "microphone: Headset", kind=Kind.DIVIDER),
    LineRecord(
        *(3, 1, 80_000, 96_000, "We talk about the budget."),
        original="We talk about the budgett.",
        engine="assemblyai",
        connection=2,
        turn=0,
        mark="",
    ),
    LineRecord(4, 1, 96_000, 96_000, "Ask Anna for the figures", kind=Kind.NOTE),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    shutil.copyfile(VERSION_2, tmp_path / "library.db")
    return tmp_path / "library.db"


def test_nothing_of_an_older_library_is_lost(path: Path) -> None:
    with Store(path) as store:
        assert [each.id for each in store.sessions()] == [MEETING, TALK]
        talk = store.session(TALK)
        assert (talk.state, talk.samples, talk.lines, talk.marks) == ("closed", 116_000, 3, 2)
        assert (talk.devices, talk.engines, talk.gaps) == (("Blue Yeti", "Monitor of Speakers"), ("local",), 16_000)
        assert store.lines(TALK) == LINES
        assert store.tracks(TALK) == [
            TrackRecord(1, "You", "Blue Yeti", "PulseAudio", samples=116_000, lost=4_000, device="Headset"),
            TrackRecord(2, "Computer", "Monitor of Speakers", "PulseAudio", "computer sound", 16_000, 44_000),
        ]
        assert store.coverage(TALK, 1) == [
            CoverageRecord(0, 96_000, "covered"),
            CoverageRecord(96_000, 112_000, "gap", "the network was down"),
            CoverageRecord(112_000, 116_000, "hole", "lost"),
        ]
        assert [each.id for each in store.unfinished()] == [MEETING]


def test_dividers_say_which_devices_were_removed(path: Path) -> None:
    """Until version 7 nothing else did."""
    changes = (
        (2, "no longer recorded: Monitor of Speakers"),
        (1, "recorded again: Monitor of Speakers"),
        (3, "no longer recorded: Line In"),
        (2, "no longer recorded: Monitor of Speakers"),
        (3, "said: no longer recorded"),
        (1, "recorded again: Line In"),
    )
    with closing(sqlite3.connect(path)) as db:
        key, *_ = db.execute("SELECT key FROM sessions WHERE id = ?", (TALK,)).fetchone()
        db.execute("INSERT INTO tracks VALUES (?, 3, 'Line', 'Line In', 'ALSA', 'microphone', 0, 0, 0)", (key,))
        rows = ((key, 10 + number, track, text) for number, (track, text) in enumerate(changes))
        columns = 'session, id, track, "start", "end", kind, text, created_utc_s'
        db.executemany(f"INSERT INTO lines ({columns}) VALUES (?, ?, ?, 0, 0, 5, ?, 0)", rows)
        db.commit()
    with Store(path) as store:
        assert [(track.number, track.removed) for track in store.tracks(TALK)] == [(1, False), (2, True), (3, False)]


@pytest.mark.parametrize(
    ("typed", "session"), [("zurich", TALK), ("会議", MEETING), ("opening", TALK), ("figures", TALK)]
)
def test_an_older_library_can_be_searched(path: Path, typed: str, session: str) -> None:
    with Store(path) as store:
        assert [group.session.id for group in find(store, parse(typed)).sessions] == [session]


def test_a_copy_of_the_older_library_stays(path: Path) -> None:
    with Store(path):
        pass
    copy = path.with_name("library-version-2.db")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM lines").fetchone() == (6,)
    before = copy.read_bytes()
    with Store(path):
        pass
    assert copy.read_bytes() == before
    assert sorted(found.name for found in path.parent.iterdir()) == ["library-version-2.db", "library.db"]


def test_the_copy_holds_what_only_the_write_ahead_log_has(path: Path) -> None:
    old = sqlite3.connect(path, isolation_level=None)
    old.execute("INSERT INTO sessions VALUES (9, 'late', 0, NULL, 'open', 'Late', '0.1.0', CAST('{}' AS BLOB))")
    with Store(path) as store:
        assert store.session("late").title == "Late"
    old.close()
    with closing(sqlite3.connect(path.with_name("library-version-2.db"))) as copy:
        assert copy.execute("SELECT id FROM sessions WHERE key = 9").fetchone() == ("late",)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
@pytest.mark.parametrize(
    "moments",
    [
        pytest.param((0, 1_000_000, None), id="three"),
        pytest.param((0, 1, 100_000, 1_000_000, 4_000_000, None), id="six", marks=pytest.mark.proof),
    ],
)
def test_a_kill_while_it_is_migrated_leaves_the_old_or_the_new_one(path: Path, moments: Sequence[int | None]) -> None:
    """Killed when the write-ahead log has so many bytes, and at the end."""
    with closing(sqlite3.connect(path)) as db:
        rows = ((1, 100 + number, 1, number, number + 1, 1, f"word{number} " * 5) for number in range(20_000))
        columns = 'session, id, track, "start", "end", kind, text, created_utc_s'
        db.executemany(f"INSERT INTO lines ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, 0)", rows)
        db.commit()
    old = path.with_name("old.db")
    shutil.copyfile(path, old)
    command = [sys.executable, "-c", "import sys; from pathlib import Path; from mictape.library.store import Store;"
               " print('ready', flush=True); Store(Path(sys.argv[1])).close()", str(path)]  # fmt: skip
    log = path.with_name("library.db-wal")
    versions: set[int] = set()
    for written in moments:
        for found in path.parent.glob("library*"):
            found.unlink()
        shutil.copyfile(old, path)
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()

            def is_time(child: subprocess.Popen[bytes] = child, written: int | None = written) -> bool:
                size = log.stat().st_size if log.exists() else 0
                return child.poll() is not None or (written is not None and size >= written)

            until(is_time)
            child.send_signal(signal.SIGKILL)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            versions.add(db.execute("PRAGMA user_version").fetchone()[0])
        with Store(path) as store:
            assert len(store.lines(TALK, words=False)) == 20_005
            assert [hit.text for group in find(store, parse("word777")).sessions for hit in group.hits] == [
                "word777 " * 5
            ]
    assert versions >= {2, len(schema.STEPS)}, "killed before and after its end; between two steps is as good"
