"""Search over all sessions: what is found, where, and that the index never leaves the text behind."""

import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mictape.failure import ExitCode, MictapeError
from mictape.library import labels, search, trash
from mictape.library.hits import Hit
from mictape.library.library import Store
from mictape.library.query import parse
from mictape.library.records import LineRecord, TrackRecord
from mictape.library.search import find
from mictape.library.words import has_words
from mictape.transcript import query as of_one
from mictape.transcript.line import Kind
from mictape.transcript.query import Matcher
from mictape.units import RATE
from support.database_steps import steps

NOON = datetime(2026, 11, 23, 12, 0, 0).astimezone()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "library.db") as opened:
        yield opened


def session(store: Store, *texts: str | LineRecord, started: datetime = NOON, title: str = "") -> str:
    """A closed session with these lines, a second each."""
    with store.create_session(started=started, title=title) as folder:
        store.add_track(folder.session, TrackRecord(1, "You", "Yeti"))
        for id, text in enumerate(texts):
            given = LineRecord(id, 1, 0, 0, text) if isinstance(text, str) else text
            line = msgspec.structs.replace(given, id=id, start=id * RATE, end=(id + 1) * RATE)
            store.add_line(folder.session, line)
        store.close_session(folder.session)
    return folder.session


def hits(store: Store, typed: str, *, typing: bool = False) -> list[Hit]:
    return [hit for group in find(store, parse(typed, typing=typing)).sessions for hit in group.hits]


def texts(store: Store, typed: str, *, typing: bool = False) -> list[str]:
    return [hit.text for hit in hits(store, typed, typing=typing)]


def pages(store: Store, typed: str, limit: int | None = None) -> Iterator[list[Hit]]:
    """What is found, page by page."""
    page = None
    while True:
        result = find(store, parse(typed), page=page, limit=limit)
        yield [hit for group in result.sessions for hit in group.hits]
        if (page := result.following) is None:
            return


def shown(hit: Hit) -> list[str]:
    return [hit.text[start:end] for start, end in hit.spans]


def matcher(typed: str, *, typing: bool = False) -> Matcher:
    """What looks for the same in one session."""
    return Matcher(of_one.parse(*parse(typed, typing=typing).in_session()))


def in_session(text: str, start: int, end: int) -> str:
    """A place with the accent that follows it."""
    return text[start : end + (unicodedata.category((text + " ")[end]) == "Mn")]


FOX, DOG, LAZY = "The quick brown fox jumps.", "A dog sleeps.", "The lazy dog is not quick."


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("quick", [FOX, LAZY]),
        ("QUICK dog", [LAZY]),
        ('"quick brown"', [FOX]),
        ('"brown quick"', []),
        ("dog -lazy", [DOG]),
        ('dog -"dog is"', [DOG]),
        ("sle*", [DOG]),
        ("sle", []),
        ("-dog", []),
        ("", []),
        ("!!! ...", []),
        ("AND", []),
        ("NEAR(quick fox)", []),
        ("quick OR dog", []),
        ('"quick', [FOX, LAZY]),
        ("text:quick", []),
        ("^quick", [FOX, LAZY]),
    ],
)
def test_words_phrases_and_what_must_not_be_there(store: Store, typed: str, found: list[str]) -> None:
    session(store, FOX, DOG, LAZY)
    assert texts(store, typed) == found


def test_the_word_that_is_being_typed_may_go_on(store: Store) -> None:
    session(store, FOX, DOG)
    assert texts(store, "bro", typing=True) == [FOX]
    assert texts(store, "bro ", typing=True) == []


@pytest.mark.parametrize(
    ("typed", "spans"),
    [
        ("quick", ["quick"]),
        ("fox QUICK", ["quick", "fox"]),
        ('"quick brown" jumps -dog', ["quick brown", "jumps"]),
        ("brown-fox", ["brown fox"]),
        ('"marked"', ["marked"]),
        ("jumps.", ["jumps"]),
    ],
)
def test_what_was_found_is_marked_in_the_session_that_is_opened(typed: str, spans: list[str]) -> None:
    text = "The quick brown fox jumps, which was marked."
    assert [text[start:end] for start, end in matcher(typed).spans(text)] == spans


def test_filters_of_lines_are_taken_to_the_session_that_is_opened() -> None:
    line, toggles = parse('fox speaker:"Anna B" after:1:00 before:1:02:03 marked in:Budget tag:work').in_session()
    found = of_one.parse(line, toggles)
    assert (found.text, found.speaker, found.marked) == ("fox", "Anna B", True)
    assert (found.after, found.before) == (60 * RATE, 3723 * RATE)
    assert of_one.parse(*parse("in:Budget").in_session()).empty


@pytest.mark.parametrize(
    ("text", "typed", "spans"),
    [
        ("Ein Café in Zürich.", "cafe zurich", ["Café", "Zürich"]),
        ("Ein Cafe\u0301.", "café", ["Cafe\u0301"]),
        ("İstanbul", "istanbul", ["İstanbul"]),
        ("Die Straße", "STRASSE", ["Straße"]),
        ("明日の会議は十時からです。", "会議", ["会議"]),
        ("明日の会議は十時からです。", "会", ["会"]),
        ("明天开会讨论预算", "预算", ["预算"]),
        ("回의는 회의는 열 시입니다", "회의", ["회의"]),
        ("พรุ่งนี้มีประชุม", "ประชุม", ["ประชุม"]),
        ("मैं हिन्दी बोलता हूँ", "हिन्दी", ["हिन्दी"]),
        ("[laughs] at /etc/hosts", "laughs etc hosts", ["laughs", "etc", "hosts"]),
    ],
)
def test_any_script_is_found_and_shown(store: Store, text: str, typed: str, spans: list[str]) -> None:
    session(store, text, "something else")
    [hit] = hits(store, typed)
    assert hit.text == text
    assert shown(hit) == spans
    assert [in_session(text, start, end) for start, end in matcher(typed).spans(text)] == spans


def test_hits_have_their_neighbours_voice_and_place(store: Store) -> None:
    id = session(
        store, "one", LineRecord(0, 1, 0, 0, "two", speaker="Anna"), LineRecord(0, 1, 0, 0, "gap", Kind.GAP), "four"
    )
    store.set_mark(id, 1, "why")
    [hit] = hits(store, "two")
    assert (hit.line, hit.start, hit.voice, hit.before, hit.after, hit.mark) == (1, RATE, "Anna", "one", "four", "why")
    assert texts(store, "gap") == [], "only what was said or written"


def test_titles_tags_and_notes_of_marks_are_found(store: Store) -> None:
    id = session(store, "one", LineRecord(0, 1, 0, 0, "ask Anna", Kind.NOTE), title="Budget meeting")
    labels.tag_session(store, id, add=["Quarterly"])
    store.set_mark(id, 0, "opening hours")
    assert [(hit.what, hit.text, hit.line) for hit in hits(store, "budget")] == [("title", "Budget meeting", None)]
    assert [(hit.what, hit.text) for hit in hits(store, "quarterly")] == [("tag", "Quarterly")]
    assert [(hit.what, hit.text, hit.line) for hit in hits(store, "hours")] == [("mark", "opening hours", 0)]
    assert [(hit.what, hit.text) for hit in hits(store, "anna")] == [("note", "ask Anna")]
    labels.rename_session(store, id, "Plans")
    labels.tag_session(store, id, remove=["QUARTERLY"])
    store.set_mark(id, 0, None)
    assert [texts(store, typed) for typed in ("budget", "quarterly", "hours", "plans")] == [[], [], [], ["Plans"]]


def test_filters(store: Store) -> None:
    early = session(store, "word", LineRecord(0, 1, 0, 0, "word", speaker="Anna"), title="First talk")
    late = session(store, "word", "word", started=NOON + timedelta(days=3), title="Second talk")
    labels.tag_session(store, late, add=["work"])
    store.set_mark(early, 1, "")

    def where(typed: str) -> list[tuple[str, int | None]]:
        page = find(store, parse(f"word {typed}", now=lambda: NOON + timedelta(days=4)))
        return [(group.session.id, hit.line) for group in page.sessions for hit in group.hits]

    both = [(late, 0), (late, 1), (early, 0), (early, 1)]
    assert where("") == both
    assert where("speaker:anna") == [(early, 1)]
    assert where("speaker:you") == both
    assert where("after:2026-11-24") == both[:2]
    assert where("before:2026-11-24") == both[2:]
    assert where("after:yesterday") == both[:2]
    assert where("after:2026-12") == []
    assert where("after:0:01") == [(late, 1), (early, 1)]
    assert where("in:second") == both[:2]
    assert where('in:"first talk"') == both[2:]
    assert where("in:20261123") == both[2:]
    assert where("tag:WORK") == both[:2]
    assert (where('in:"fírst TALK"'), where("tag:Wörk")) == (both[2:], both[:2]), "with or without accents, as words"
    assert where("marked") == [(early, 1)]
    assert [hit.line for hit in hits(store, "marked")] == [1], "without a word"
    assert [hit.line for hit in hits(store, "speaker:anna -word")] == []
    with pytest.raises(MictapeError, check=lambda error: error.failure.code is ExitCode.USAGE):
        parse("before:soon")


def test_a_note_has_no_speaker(store: Store) -> None:
    with store.create_session(started=NOON) as folder:
        for number, name in ((1, "Margaret"), (2, "Christopher")):
            store.add_track(folder.session, TrackRecord(number, name, "Yeti"))
        store.add_line(folder.session, LineRecord(0, 1, 0, RATE, "coffee, please"))
        store.add_line(folder.session, LineRecord(1, 1, RATE, RATE, "coffee break", Kind.NOTE))
        store.close_session(folder.session)
    assert [(hit.what, hit.voice) for hit in hits(store, "coffee")] == [("line", "Margaret"), ("note", "")]
    for typed in ("coffee speaker:margaret", "speaker:margaret"):
        assert texts(store, typed) == ["coffee, please"]


def test_pages_together_are_everything_once_the_newest_first(store: Store) -> None:
    ids = [session(store, *["word"] * 5, started=NOON + timedelta(days=day)) for day in range(3)]
    seen: list[tuple[str, int | None]] = []
    page, pages = find(store, parse("word"), limit=4), 1
    while True:
        seen += [(group.session.id, hit.line) for group in page.sessions for hit in group.hits]
        if page.following is None:
            break
        page, pages = find(store, parse("word"), page=page.following, limit=4), pages + 1
    assert sorted(seen) == sorted((id, line) for id in ids for line in range(5))
    assert [id for id, _ in seen] == sorted((id for id, _ in seen), reverse=True)
    assert pages == 4


@pytest.mark.parametrize("budget_s", [0.0, 60.0])
@pytest.mark.parametrize("typed", ["word speaker:anna", "speaker:anna", "word marked", "word tag:work", "word in:talk"])
def test_a_filter_that_leaves_most_out_is_searched_piece_by_piece(
    store: Store, typed: str, budget_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = session(store, *["word"] * 40)
    session(store, *["word"] * 40)
    store.set_speakers(id, {3: "Anna"})
    store.set_mark(id, 3, "")
    labels.tag_session(store, id, add=["work"])
    labels.rename_session(store, id, "Talk")
    monkeypatch.setattr(search, "BUDGET_S", budget_s)
    monkeypatch.setattr(search, "PIECE", 7)
    found, page, pages = list[int | None](), None, 0
    while page is not None or not pages:
        result = find(store, parse(typed), page=page, limit=50)
        found += [hit.line for group in result.sessions for hit in group.hits]
        page, pages = result.following, pages + 1
    assert sorted(found, key=str) == ([3] if "speaker" in typed or "marked" in typed else sorted(range(40), key=str))
    assert (pages > 1) == (budget_s == 0)


_said = st.lists(st.text(alphabet="aAbcéß会議ह\u0947 .-'", min_size=1, max_size=9), min_size=1, max_size=9)
_typed = st.lists(
    st.tuples(st.sampled_from(["", "-"]), st.text(alphabet="abcéß会議ह\u0947", min_size=1, max_size=2), st.booleans()),
    min_size=1,
    max_size=3,
)


@given(said=_said, words=_typed, filters=st.sampled_from(["", " speaker:you", " speaker:anna", " marked"]))
def test_beginnings_find_the_same_with_and_without_the_index(
    said: list[str], words: list[tuple[str, str, bool]], filters: str
) -> None:
    typed = " ".join(f"{minus}{word}{'*' if begins else ''}" for minus, word, begins in words) + filters
    with Store(None) as store, pytest.MonkeyPatch.context() as patch:
        id = session(store, *said)
        store.set_speakers(id, {0: "Anna"})
        store.set_mark(id, 0, "")
        found: list[list[str]] = []
        for counts in ((), (1, 2), (100,)):
            patch.setattr(search, "LOOKED_THROUGH", counts)
            found.append([hit.text for page in pages(store, typed) for hit in page])
        assert found[0] == found[1] == found[2]


def test_a_frequent_beginning_is_found_without_the_index_and_a_rare_one_with_it(store: Store) -> None:
    session(store, "zebra", *["the word"] * (sum(search.LOOKED_THROUGH) + 10))
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    assert texts(store, "w*") == ["the word"] * search.FIRST
    assert texts(store, "the w*") == ["the word"] * search.FIRST
    assert not any("line_index MATCH" in each and "*" in each for each in asked)
    assert texts(store, "z*") == ["zebra"]
    assert any("line_index MATCH" in each and '"z"*' in each for each in asked)


def test_many_titles_come_page_by_page_the_newest_first(store: Store) -> None:
    for number in range(80):
        session(store, "word", started=NOON + timedelta(days=number), title=f"Talk number {number}")
    found = [[hit.text for hit in page] for page in pages(store, "talk")]
    assert [each for page in found for each in page] == [f"Talk number {number}" for number in reversed(range(80))]
    assert max(map(len, found)) <= search.FIRST + search.PAGE
    labels.rename_session(store, store.session("last").id, "A word")
    assert [[hit.what for hit in page] for page in pages(store, "word", limit=50)] == [
        ["title"] + ["line"] * 50,
        ["line"] * 30,
    ]


def test_the_index_follows_every_change_of_a_line(store: Store) -> None:
    id = session(store, "old")
    store.edit_line(id, 0, "edited", "old")
    assert (texts(store, "old"), texts(store, "edited")) == ([], ["edited"])
    store.revise_line(id, LineRecord(0, 1, 0, RATE, "late"))
    assert texts(store, "edited") == ["edited"], "what the person wrote stays"
    trash.delete(store, id)
    assert texts(store, "edited") == []
    trash.restore(store, id)
    assert texts(store, "edited") == ["edited"]
    trash.purge(store, trash.delete(store, id))
    assert texts(store, "edited") == []


@pytest.fixture(scope="module")
def with_three_words() -> Iterator[Store]:
    """A library that is only read."""
    with Store(None) as store:
        session(store, "a b word")
        yield store


@given(typed=st.text(max_size=30) | st.text(alphabet='ab"-*:()^ speakrinftgmd', max_size=40))
def test_nothing_that_is_typed_is_an_error_of_the_database(typed: str, with_three_words: Store) -> None:
    try:
        query = parse(typed)
    except MictapeError:
        return
    find(with_three_words, query)


# Scripts that FTS5 has known for long: its tables of letters are older than Python's.
_latin_to_arabic = st.characters(max_codepoint=0x6FF, categories=["L", "Nd", "P", "Zs"])
_texts = st.text(alphabet=_latin_to_arabic | st.sampled_from("あの会議한국ไทयहेç"), min_size=1, max_size=12)


@given(said=st.lists(_texts, min_size=1, max_size=6))
@example(said=["0\u0947"])
def test_every_line_is_found_by_its_own_words(said: list[str]) -> None:
    with Store(None) as store:
        session(store, *said)
        for text in said:
            marks = "Mn", "Mc"  # vowel signs are parts of words
            chars = unicodedata.normalize("NFC", text)
            words = "".join(char if char.isalnum() or unicodedata.category(char) in marks else " " for char in chars)
            for word in filter(has_words, words.split()):
                assert text in texts(store, f'"{word}"')


NEEDS_MEMORY = "380b01925c24d12a9d05daa1c127b43b252a27d1fa433cd7fc46"
"""A first row of the index that makes FTS5 ask for more memory than there is, in hexadecimal."""


@pytest.mark.parametrize("damage", ["dropped", "emptied", "overwritten", "needs memory"])
def test_an_index_that_is_missing_or_damaged_is_made_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "library.db"
    with Store(path) as store:
        session(store, *[f"word{number}" for number in range(500)], title="Talk")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        match damage:
            case "dropped":
                other.execute("DROP TABLE line_index")
                other.execute("DROP TABLE session_index")
            case "emptied":
                other.execute("DELETE FROM line_index_data")
            case "overwritten":
                other.execute("UPDATE line_index_data SET block = randomblob(length(block))")
            case _:
                other.execute(f"UPDATE line_index_data SET block = x'{NEEDS_MEMORY}' WHERE id = 10")
    with Store(path) as store:
        assert texts(store, "word321") == ["word321"]
        assert texts(store, "talk") == ["Talk"]
        id = session(store, "more")
        assert texts(store, "more") == ["more"]
        assert store.lines(id)


@pytest.mark.parametrize("block", ["00", NEEDS_MEMORY])
def test_an_index_that_breaks_while_it_is_open_costs_no_line(tmp_path: Path, block: str) -> None:
    path = tmp_path / "library.db"
    with Store(path) as store, store.create_session() as folder:
        store.add_line(folder.session, LineRecord(0, 1, 0, RATE, "word"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute(f"UPDATE line_index_data SET block = x'{block}' WHERE id = 10")
        line = LineRecord(1, 1, RATE, 2 * RATE, "more")
        with pytest.raises(MictapeError, match="damaged search index"):
            store.add_line(folder.session, line)
        store.add_line(folder.session, line)  # as `SessionWrites` does
        assert texts(store, "more") == ["more"]
        assert texts(store, "word") == ["word"]


def all_of(store: Store, typed: str) -> None:
    """Search to the end."""
    for _ in pages(store, typed):
        pass


def test_a_filter_that_leaves_few_sessions_reads_only_those(store: Store) -> None:
    for number in range(40):
        session(store, *["the same word"] * 50, started=NOON + timedelta(days=number))
    labels.tag_session(store, session(store, "the last word", started=NOON - timedelta(days=9)), add=["rare"])
    everything = steps(store, lambda: all_of(store, "word"))
    assert texts(store, "word tag:rare") == ["the last word"]
    assert texts(store, "word speaker:nobody") == []
    for filters in ("tag:rare", "in:20261114", "speaker:nobody", "device:none", "marked"):
        assert steps(store, partial(all_of, store, f"word {filters}")) < everything / 10, filters


def test_a_speaker_is_found_among_many_and_beside_tracks(store: Store) -> None:
    said = [LineRecord(0, 1, 0, 0, f"word {name}", speaker=name) for name in ("Zoë", "Anna", "Bert", "Anna Lena")]
    session(store, *said)
    assert sorted(texts(store, "speaker:anna")) == ["word Anna", "word Anna Lena"]
    assert texts(store, "speaker:zoe") == texts(store, "speaker:ZOË") == ["word Zoë"]
    assert len(texts(store, "word speaker:you")) == 4, "the track is called You"
