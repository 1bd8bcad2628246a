"""Versions of a session's text: what the person did stays at its place, and a kill leaves the old or the new one."""

import itertools
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mictape.engines.base import Word
from mictape.failure import ExitCode, MictapeError
from mictape.library import versions
from mictape.library.comparing import compare
from mictape.library.library import Store
from mictape.library.placing import with_edits, with_speakers, without_removed
from mictape.library.query import parse
from mictape.library.records import CoverageRecord, LineRecord, TrackRecord
from mictape.library.search import find
from mictape.transcript.line import Kind
from mictape.units import RATE


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "library.db") as opened:
        yield opened


def line(id: int, text: str, start_s: float, end_s: float, track: int = 1, **fields: object) -> LineRecord:
    record = LineRecord(id, track, round(start_s * RATE), round(end_s * RATE), text)
    return msgspec.structs.replace(record, **fields)


def session(store: Store, *lines: LineRecord, seconds: int = 10, tracks: int = 1) -> str:
    with store.create_session(settings={"engine": "local"}) as folder:
        for number in range(1, tracks + 1):
            store.add_track(folder.session, TrackRecord(number, f"Track {number}", "Yeti", samples=seconds * RATE))
        for each in lines:
            store.add_line(folder.session, each)
        store.close_session(folder.session)
    return folder.session


def covered(seconds: int = 10, *gaps: tuple[int, int]) -> dict[int, tuple[CoverageRecord, ...]]:
    whole = [CoverageRecord(start * RATE, end * RATE, "gap", "offline") for start, end in gaps]
    at = 0
    for start, end in (*gaps, (seconds, seconds)):
        if at < start:
            whole.append(CoverageRecord(at * RATE, start * RATE, "covered"))
        at = end
    return {1: tuple(whole)}


def added(store: Store, id: str, *lines: LineRecord, gaps: tuple[tuple[int, int], ...] = ()) -> int:
    return versions.add_version(store, id, lines, covered(10, *gaps), engine="better", title="Better · large").number


def shown(store: Store, id: str) -> list[tuple[str, str | None]]:
    return [(each.text, each.mark) for each in store.lines(id)]


def test_a_new_version_keeps_what_the_person_did(store: Store) -> None:
    id = session(
        store,
        line(0, "good mourning", 0, 2),
        line(1, "we talk about the budged", 2, 4),
        line(2, "my note", 4, 4, kind=Kind.NOTE),
        line(3, "by", 4, 6),
    )
    store.edit_line(id, 1, "We talk about the budget.", "we talk about the budged")
    store.set_mark(id, 0, "hello")
    store.set_mark(id, 3, "")
    number = added(
        store,
        id,
        line(0, "Good morning", 0.2, 2),  # begins later than the line that was marked
        line(1, "We talk", 2, 3),
        line(2, "about budgets.", 3, 4),
        line(3, "Bye.", 4.3, 6),
    )
    new = [("Good morning", "hello"), ("We talk about the budget.", None), ("my note", None), ("Bye.", "")]
    assert sorted(shown(store, id), key=str) == sorted(new, key=str)
    edited = next(each for each in store.lines(id) if "budget" in each.text)
    assert edited.original == "We talk about budgets.", "what the new engine said is beside it"
    assert len(find(store, parse("morning")).sessions) == 1
    [found] = find(store, parse("marked")).sessions
    assert {(hit.text, hit.mark) for hit in found.hits if hit.what == "line"} == {
        ("Good morning", "hello"),
        ("Bye.", ""),
    }
    assert find(store, parse("mourning")).sessions == ()
    assert store.session(id).engines == ("better", "local")
    first, second = versions.versions(store, id)
    assert (first.number, first.engine, first.complete) == (1, "local", True)
    assert (second.number, second.engine, second.title, second.complete) == (number, "better", "Better · large", True)

    store.set_mark(id, next(each.id for each in store.lines(id) if each.text == "Good morning"), None)
    versions.choose_version(store, id, 1)
    assert shown(store, id)[0] == ("good mourning", None), "unmarked in every version"
    assert shown(store, id)[1] == ("We talk about the budget.", None)
    with pytest.raises(MictapeError, match="no version 3", check=lambda error: error.failure.code is ExitCode.USAGE):
        versions.choose_version(store, id, 3)


def test_what_was_removed_is_in_no_later_version_until_it_is_brought_back(store: Store) -> None:
    cough = line(1, "huff", 2, 3)
    id = session(store, line(0, "one", 0, 2), cough, line(2, "two", 3, 5), line(3, "a note", 5, 5, kind=Kind.NOTE))
    store.set_mark(id, 1, "here")
    [_, marked, _, note] = store.lines(id)
    store.remove_lines(id, [marked, note])
    assert [each.text for each in store.lines(id)] == ["one", "two"]
    assert (store.session(id).lines, store.session(id).marks) == (2, 0)
    assert not find(store, parse("huff")).sessions
    assert store.next_line(id) == 4, "its id is free for no other line"
    for version in (2, 3):
        added(
            store, id, line(0, "One", 0, 2), line(1, "Half", 2.1, 3), line(2, "two", 3, 5), line(7, "Ha", 2, 3, track=2)
        )
        assert [each.text for each in store.lines(id)] == ["One", "Ha", "two"], "and its place is of its own track only"
        assert store.session(id).version == version
    assert len({each.id for version in (1, 2, 3) for each in store.lines(id, version=version)}) == 8
    note, back = store.removed_lines(id)
    store.restore_lines(id, [back, note])
    assert shown(store, id) == [("One", None), ("Half", "here"), ("Ha", None), ("two", None), ("a note", None)]
    assert store.removed_lines(id) == []
    versions.choose_version(store, id, 1)
    store.restore_lines(id, store.removed_lines(id))
    assert [each.text for each in store.lines(id)] == ["one", "huff", "two", "a note"]


def test_a_mark_stays_on_its_track(store: Store) -> None:
    id = session(store, line(0, "one", 0, 4), line(1, "two", 3, 5, track=2), tracks=2)
    store.set_mark(id, 0, "mine")
    added(store, id, line(0, "Two.", 0, 5, track=2), line(1, "One.", 0.4, 4))
    assert ("One.", "mine") in shown(store, id)
    [found] = find(store, parse("marked")).sessions
    assert [hit.text for hit in found.hits if hit.what == "line"] == ["One."]


def test_each_version_has_the_gaps_of_its_own(store: Store) -> None:
    id = session(store, line(0, "one", 0, 2))
    for record in covered(10, (4, 9))[1]:
        store.change_track(id, versions.TrackChange(1, 10 * RATE, 0, (record,)))
    assert store.session(id).gaps == 5 * RATE
    added(store, id, line(0, "One.", 0, 2), line(1, "Two.", 5, 8))
    assert store.session(id).gaps == 0
    versions.choose_version(store, id, 1)
    assert store.session(id).gaps == 5 * RATE
    with store.resume_session(id):  # recorded on, while version 2 is not shown
        store.change_track(
            id, versions.TrackChange(1, 12 * RATE, 0, (CoverageRecord(10 * RATE, 12 * RATE, "covered"),))
        )
        store.close_session(id)
    versions.choose_version(store, id, 2)
    gap = CoverageRecord(10 * RATE, 12 * RATE, "gap", "not in this version of the text")
    assert [each for each in store.coverage(id, 1) if each.what == "gap"] == [gap]
    versions.choose_version(store, id, 1)
    assert store.session(id).gaps == 5 * RATE, "and nothing is lost by choosing"


def test_one_that_is_not_complete_is_not_shown_unasked(store: Store) -> None:
    id = session(store, line(0, "one", 0, 2))
    number = added(store, id, line(0, "One.", 0, 2), gaps=((3, 4),))
    assert shown(store, id) == [("one", None)]
    assert [each.complete for each in versions.versions(store, id)] == [True, False]
    versions.choose_version(store, id, number)
    assert (shown(store, id), store.session(id).gaps) == ([("One.", None)], RATE)


def test_lines_are_counted_in_the_version_that_is_shown(store: Store) -> None:
    def counts() -> list[int]:
        return [store.session(each).lines for each in (id, other)]

    id, other = (session(store, line(0, "one", 0, 1), line(1, "two", 2, 3)) for _ in range(2))
    store.add_line(id, line(2, "ask Anna", 3, 3, kind=Kind.NOTE))
    assert counts() == [2, 2], "a note is not counted"
    added(store, id, line(0, "one", 0, 1), line(1, "two", 2, 3), line(2, "three", 4, 5))
    assert counts() == [3, 2]
    added(store, id, line(0, "one two three", 0, 5), gaps=((5, 6),))
    assert counts() == [3, 2], "one with gaps is not shown"
    store.add_line(id, line(store.next_line(id), "four", 8, 9))
    store.replace_lines(other, [0, 1], [line(2, "one two", 0, 3)])
    assert counts() == [4, 1]
    for number, lines in ((3, 1), (1, 2), (2, 4)):
        versions.choose_version(store, id, number)
        assert counts() == [lines, 1]


def test_what_goes_on_is_added_to_the_version_that_is_shown(store: Store) -> None:
    id = session(store, line(0, "one", 0, 2))
    added(store, id, line(0, "One.", 0, 2))
    with store.resume_session(id):
        with pytest.raises(MictapeError, match="open already"):
            versions.choose_version(store, id, 1)
        store.add_line(id, line(9, "two", 2, 4))
    assert [each.text for each in store.lines(id)] == ["One.", "two"]
    assert [each.text for each in store.lines(id, version=1)] == ["one"]


# Places.


@pytest.mark.parametrize("words", [True, False])
def test_an_edit_takes_its_time_out_of_a_longer_line(words: bool) -> None:
    text = "one two three four five six"
    times = [Word(word, round((at + 0.1) * RATE), round((at + 0.9) * RATE)) for at, word in enumerate(text.split())]
    long = line(0, text, 0, 6, words=tuple(times) if words else None)
    edited = line(7, "TWO THREE", 1, 3, original="two tree")
    new = with_edits([long], [line(6, "one", 0, 1), edited, line(8, "four five six", 3, 6)])
    assert [(each.text, each.original) for each in new] == [
        ("one", None),
        ("TWO THREE", "two three"),
        ("four five six", None),
    ]
    assert all(one.end <= other.start for one, other in itertools.pairwise(new))
    assert [len(each.words or ()) for each in new] == ([1, 0, 3] if words else [0, 0, 0])


@pytest.mark.parametrize("words", [True, False])
def test_a_removed_line_takes_its_words_out_of_a_longer_one_only_if_it_is_known_when_they_were_said(
    words: bool,
) -> None:
    text = "one two three four"
    times = [Word(word, round((at + 0.1) * RATE), round((at + 0.9) * RATE)) for at, word in enumerate(text.split())]
    long = line(0, text, 0, 4, words=tuple(times) if words else None)
    left, out = without_removed([long], [line(7, "tree", 2, 3, speaker="Anna")])
    assert [each.text for each in left] == (["one two", "four"] if words else [text])
    assert [(each.text, each.speaker) for each in out] == [("three" if words else "tree", "Anna")]
    edited = line(0, text, 0, 4, original="one")
    assert without_removed([edited], [line(7, "tree", 0, 4)])[0] == [edited], "the person's own text stays"


def test_an_edit_where_the_new_version_has_nothing_stays() -> None:
    [edited] = with_edits([], [line(0, "what I heard", 0, 1, original="mumble")])
    assert (edited.text, edited.original) == ("what I heard", "")


def test_speakers_keep_their_names() -> None:
    old = [line(0, "a", 0, 2, speaker="Anna"), line(1, "b", 2, 4, speaker="Ben"), line(2, "c", 4, 6, speaker="Anna")]
    word = Word("b.", 2 * RATE, 4 * RATE, speaker="A")
    labelled = [
        line(0, "A.", 0, 2, speaker="B"),
        line(1, "b.", 2, 4, speaker="A", words=(word,)),
        line(2, "C.", 4, 6, speaker="B"),
        line(3, "D.", 7, 8, speaker="C"),
    ]
    named = with_speakers(labelled, old)
    assert [each.speaker for each in named] == ["Anna", "Ben", "Anna", "C"]
    assert [each.speaker for each in named[1].words or ()] == ["Ben"]
    unlabelled = [msgspec.structs.replace(each, speaker=None, words=None) for each in labelled]
    assert [each.speaker for each in with_speakers(unlabelled, old)] == ["Anna", "Ben", "Anna", None]


def test_a_name_stays_with_the_words_that_it_was_given_to() -> None:
    old = [line(0, "one two", 0, 2), line(1, "three", 2, 3, speaker="Bob"), line(2, "four five", 3, 5)]
    words = tuple(
        Word(text, at * RATE, (at + 1) * RATE) for at, text in enumerate(["One", "two", "three", "four", "five."])
    )
    new = [line(0, "One two three four five.", 0, 5, words=words), line(1, "Six", 6, 7)]
    parts = with_speakers(new, old)
    assert [(each.text, each.speaker) for each in parts] == [
        ("One two", None),
        ("three", "Bob"),
        ("four five.", None),
        ("Six", None),
    ]
    assert [(each.start // RATE, each.end // RATE) for each in parts] == [(0, 2), (2, 3), (3, 5), (6, 7)]
    assert [len(each.words or ()) for each in parts] == [2, 1, 2, 0]


def test_words_that_differ_are_reported_by_place() -> None:
    old = [line(0, "We talk about the budged.", 0, 3), line(1, "Right", 5, 6), line(2, "so", 0, 1, track=2)]
    new = [line(0, "we talk", 0, 1), line(1, "about the budget today", 1, 3), line(2, "right.", 5, 6)]
    found = compare(old, new)
    assert (found.words, found.differing) == (7, 3)
    first, second = found.passages
    assert [(piece.old, piece.new) for piece in first.pieces if not piece.same] == [("budged.", "budget today")]
    assert [(piece.old, piece.new) for piece in second.pieces] == [("so", "")]
    assert compare(old, old).passages == ()


# Killed.

ADDER = """
import sys
from pathlib import Path
from mictape.library import versions
from mictape.library.library import Store
from mictape.library.records import CoverageRecord, LineRecord
lines = [LineRecord(n, 1, n * 16000, (n + 1) * 16000, f"new word{n}") for n in range(int(sys.argv[3]))]
whole = {1: (CoverageRecord(0, len(lines) * 16000, "covered"),)}
with Store(Path(sys.argv[1])) as store:
    print("ready", flush=True)
    while True:
        versions.add_version(store, sys.argv[2], lines, whole, engine="better", title="better")
        print("added", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_kill_at_any_moment_leaves_a_version_whole_or_not_there(tmp_path: Path) -> None:
    path, count = tmp_path / "library.db", 400
    with Store(path) as store:
        id = session(store, *(line(n, f"old word{n}", n, n + 1) for n in range(count)), seconds=count)
        store.edit_line(id, 7, "my own words", "old word7")
        store.set_mark(id, 9, "here")
    moments = random.Random(20261126)
    cut_off = 0
    for _ in range(8):
        with Store(path) as store:
            before = len(versions.versions(store, id))
        command = [sys.executable, "-c", ADDER, str(path), id, str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(moments.uniform(0, 0.15))  # the moment is the case that is tried; nothing is waited for
            child.send_signal(signal.SIGKILL)
            reported = child.stdout.read().count("added\n")
        with Store(path) as store:
            assert store.rows("PRAGMA integrity_check")[0][0] == "ok"
            known = versions.versions(store, id)
            assert len(known) >= max(1, before + reported), "what was said to be there is there"
            cut_off += reported == 0
            for version in known:
                texts = [each.text for each in store.lines(id, version=version.number)]
                assert len(texts) == count and texts[7] == "my own words"
            lines = store.lines(id)
            assert (lines[9].mark, lines[8].text[:3]) == ("here", "new" if len(known) > 1 else "old")
            assert store.session(id).version == known[-1].number
    assert cut_off, "killed before the first one was complete, too"
