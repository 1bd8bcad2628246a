"""What the library costs when it is large, beside SQLite's FTS5 alone and ripgrep over the same text in files.

`MICTAPE_BENCH_SESSIONS` and `MICTAPE_BENCH_LINES` (a session) choose the size; without them it is small. The text is
made of pieces of the documentation inside Python's own library: real words, as often as they are.
"""

import atexit
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from bench.report import MILLI, Part, Report
from mictape.library.hits import FIRST
from mictape.library.library import Store
from mictape.library.query import parse
from mictape.library.records import CoverageRecord, LineRecord, TrackChange, TrackRecord
from mictape.library.search import find
from mictape.units import RATE

SESSIONS: Final = int(os.environ.get("MICTAPE_BENCH_SESSIONS", "200"))
LINES: Final = int(os.environ.get("MICTAPE_BENCH_LINES", "1000"))
"""Lines of one session."""

LINE_S: Final = 3
LONGEST_LINE: Final = 14
"""Words."""
SEED: Final = 20261126
SCREEN: Final = 50
"""Sessions that a screen has room for."""
TIMES: Final = 25
"""How often a search is repeated."""
FIRST_HITS: Final = 5_000
"""So many of a common word's hits are fetched."""
FINALS: Final = 2_000


@cache
def words() -> list[str]:
    """Real words in their real order."""
    found: list[str] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for text in re.findall(r'"""(.*?)"""', path.read_text(encoding="utf-8", errors="replace"), re.DOTALL):
            found += re.findall(r"[A-Za-z][a-z']+", text)
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """A word to be searched for, and how many lines of the library have it."""

    kind: str
    word: str
    lines: int


@dataclass(frozen=True, slots=True)
class Built:
    """The library, and the same text twice more."""

    folder: Path
    text_bytes: int
    seconds: float
    """To make the search index again from the lines."""
    wanted: tuple[Wanted, ...]

    @property
    def library(self) -> Path:
        return self.folder / "library.db"

    @property
    def lines(self) -> int:
        return SESSIONS * LINES


def texts(session: int) -> list[str]:
    """The lines of a session: the same ones for the same number."""
    chance, source = random.Random(SEED + session), words()
    lines: list[str] = []
    for _ in range(LINES):
        at, length = chance.randrange(len(source) - LONGEST_LINE), chance.randint(4, LONGEST_LINE)
        lines.append(" ".join(source[at : at + length]))
    return lines


@cache
def built() -> Built:
    """Make everything once."""
    folder = Path(tempfile.mkdtemp(prefix="mictape-bench-", dir=os.environ.get("MICTAPE_BENCH_FOLDER")))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "text").mkdir()
    counted, size = Counter[str](), 0
    start = datetime(2024, 1, 1, 9).astimezone()
    with (
        Store(folder / "library.db") as store,
        closing(sqlite3.connect(folder / "alone.db", isolation_level=None)) as alone,
    ):
        alone.execute("PRAGMA journal_mode = WAL")
        alone.execute("CREATE VIRTUAL TABLE lines USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2')")
        triggers = [sql for (sql,) in store.rows("SELECT sql FROM sqlite_master WHERE name GLOB 'line_index_lines_*'")]
        for (name,) in store.rows("SELECT name FROM sqlite_master WHERE name GLOB 'line_index_lines_*'"):
            store.execute(f"DROP TRIGGER {name}")  # the index is made at once in the end, which is much faster
        for number in range(SESSIONS):
            said = texts(number)
            counted.update(word for line in said for word in {*line.lower().split()})
            size += sum(map(len, said))
            _add(store, said, start + timedelta(hours=number))
            (folder / "text" / f"{number:06}.txt").write_text("\n".join(said) + "\n", encoding="utf-8")
            alone.execute("BEGIN")
            alone.executemany("INSERT INTO lines (text) VALUES (?)", ((line,) for line in said))
            alone.execute("COMMIT")
        began_s = time.perf_counter()
        store.rebuild_indexes()
        spent_s = time.perf_counter() - began_s
        for sql in triggers:
            store.execute(sql)
    return Built(folder, size, spent_s, tuple(_wanted(counted)))


def _add(store: Store, said: list[str], started: datetime) -> None:
    """A session with these lines, by the statements and triggers of the library, in one transaction."""
    with store.create_session(started=started, settings={"engine": "local"}) as folder:
        id = folder.session
    store.add_track(id, TrackRecord(1, "You", "Blue Yeti", samples=len(said) * LINE_S * RATE))
    with store.writing(id) as key:
        for number, text in enumerate(said):
            start = number * LINE_S * RATE
            store.execute(
                'INSERT INTO lines (version, session, id, track, "start", "end", text, kind, created_utc_s)'
                " VALUES (1, ?, ?, 1, ?, ?, ?, 1, 0)",
                *(key, number, start, start + LINE_S * RATE, text),
            )
    store.change_track(id, TrackChange(1, len(said) * LINE_S * RATE, 0))
    store.close_session(id)


def _wanted(counted: Counter[str]) -> Iterator[Wanted]:
    """A word that is in every third line or so, one in a thousand lines, and the rarest there is."""
    ranked = counted.most_common()
    thousandth = min(ranked, key=lambda each: abs(each[1] - SESSIONS * LINES / 1000))
    for kind, (word, lines) in (("common", ranked[0]), ("in a thousandth", thousandth), ("rare", ranked[-1])):
        yield Wanted(kind, word, lines)


def opening(report: Report) -> None:
    """Opening the library, and the list of sessions."""
    library = built()
    report.add("lines", library.lines, "", f"{SESSIONS:,} sessions")
    report.add("making the search index again", library.seconds, "s")
    opened_s = _timed(lambda: Store(library.library).close())
    report.add_delays("open the library", opened_s)
    with Store(library.library) as store:
        report.add_delays("a screen of the list", _timed(lambda: store.sessions(limit=SCREEN)), f"{SCREEN} sessions")
        report.add_delays(
            "a screen from the middle of it", _timed(lambda: store.sessions(limit=SCREEN, offset=SESSIONS // 2))
        )
        report.add_delays("how many there are", _timed(store.count_sessions))
        report.add_delays("the longest ones", _timed(lambda: store.sessions(limit=SCREEN, order="longest")))
        report.add_delays("all sessions", _timed(store.sessions, times=3), f"{SESSIONS:,} sessions")


def searching(report: Report) -> None:
    """First hits and all of them, beside the others."""
    library = built()
    with Store(library.library) as store, closing(sqlite3.connect(library.folder / "alone.db")) as alone:
        queries = [(each.kind, each.word, f"{each.lines:,} lines") for each in library.wanted]
        common, seldom = library.wanted[0].word, library.wanted[1].word
        queries += [
            ("two words", f"{common} {seldom}", ""),
            ("a phrase", f'"{" ".join(words()[100:103])}"', ""),
            ("a letter", f"{common[:1]}*", "as while it is typed"),
            ("a beginning", f"{seldom[:3]}*", ""),
            ("a common word and a letter", f"{common} {seldom[:1]}*", ""),
            ("one without another", f"{common} -{seldom}", ""),
            ("one in another's session", f"{seldom} in:{store.sessions(limit=1)[0].id}", ""),
            ("of a speaker who is not there", f"{common} speaker:nobody", ""),
            ("of a track, without a word", f"speaker:you -{common}", ""),
        ]
        for kind, typed, note in queries:
            query = parse(typed)
            report.add_delays(f"first hits, {kind}", _timed(lambda: find(store, query)), note)  # noqa: B023 (called at once)
            if kind in ("common", "in a thousandth", "rare"):
                ours = _timed(lambda: find(store, query), times=5)  # noqa: B023
                fts = _timed(lambda: _alone(alone, typed, FIRST), times=5)  # noqa: B023
                report.add(f"first hits, {kind} : FTS5 alone", min(ours) / min(fts), "×", "the fastest of five each")
        for each in library.wanted:
            _all_hits(report, library, store, alone, each)


def _all_hits(report: Report, library: Built, store: Store, alone: sqlite3.Connection, each: Wanted) -> None:
    wanted = min(each.lines, FIRST_HITS)
    note = f"{wanted:,} of {each.lines:,} lines" if wanted < each.lines else f"{wanted:,} lines"
    [ours_s] = _timed(lambda: _stream(store, each.word, wanted), times=1)
    report.add(f"all hits, {each.kind}", ours_s, "s", f"{note}, with their neighbours, page by page")
    [alone_s] = _timed(lambda: _alone(alone, each.word, wanted), times=1)
    report.add(f"all hits, {each.kind}: FTS5 alone", alone_s, "s", note)
    if shutil.which("rg"):
        command = ["rg", "--ignore-case", "--word-regexp", "--no-messages", each.word, str(library.folder / "text")]
        [rg_s] = _timed(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=False), times=1)
        report.add(f"all hits, {each.kind}: ripgrep", rg_s, "s", f"{each.lines:,} lines")


def _stream(store: Store, word: str, wanted: int) -> int:
    query, page, found = parse(word), None, 0
    while found < wanted:
        result = find(store, query, page=page)
        found += sum(len(group.hits) for group in result.sessions)
        page = result.following
        if page is None:
            break
    return found


def _alone(db: sqlite3.Connection, typed: str, limit: int) -> object:
    query = "SELECT rowid, text FROM lines WHERE lines MATCH ? ORDER BY rowid DESC LIMIT ?"
    return db.execute(query, (typed, limit)).fetchall()


def writing(report: Report) -> None:
    """A final on its way to the disk, in a library of that size."""
    library = built()
    if hasattr(os, "sync"):
        os.sync()  # else what was made before is still on its way to the disk
    with Store(library.library) as store:
        with store.create_session(settings={"engine": "local"}) as folder:
            store.add_track(folder.session, TrackRecord(1, "You", "Blue Yeti"))
            spent_s: list[float] = []
            tidied_s: list[float] = []
            for number, text in enumerate((texts(SESSIONS) * (FINALS // LINES + 1))[:FINALS]):
                start, end = number * LINE_S * RATE, (number + 1) * LINE_S * RATE
                change = TrackChange(1, end, 0, (CoverageRecord(start, end, "covered"),))
                line = LineRecord(number, 1, start, end, text)
                began_s = time.perf_counter()
                store.add_line(folder.session, line, change)
                spent_s.append(time.perf_counter() - began_s)
                tidied_s += _timed(store.tidy, times=1)
            store.close_session(folder.session)
        report.add_delays("a final to the disk", spent_s, "line, index and coverage in one transaction")
        report.add("a final to the disk, longest", MILLI * max(spent_s), "ms")
        report.add_delays("tidying up behind it", tidied_s, "pieces of the index, and the log")


def weighing(report: Report) -> None:
    """Bytes a line."""
    library = built()
    with closing(sqlite3.connect(library.library)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sizes = dict(db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall())
    with closing(sqlite3.connect(library.folder / "alone.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        alone = dict(db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall())
    index = sum(size for name, size in sizes.items() if name.startswith("line_index"))
    report.add("text", library.text_bytes / library.lines, "bytes a line")
    report.add("the library", sum(sizes.values()) / library.lines, "bytes a line")
    report.add("its search index", index / library.lines, "bytes a line")
    report.add("FTS5 alone, with its copy of the text", sum(alone.values()) / library.lines, "bytes a line")


def _timed(call: Callable[[], object], times: int = TIMES) -> list[float]:
    spent_s: list[float] = []
    for _ in range(times):
        began_s = time.perf_counter()
        call()
        spent_s.append(time.perf_counter() - began_s)
    return spent_s


PARTS: Final = (
    Part("Opening", opening),
    Part("Searching", searching),
    Part("Writing", writing),
    Part("Weight", weighing),
)
