"""Searching text: what a query finds, and that a search of a growing transcript finds what a plain scan does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mictape.transcript import search as module
from mictape.transcript.line import Kind
from mictape.transcript.model import Transcript
from mictape.transcript.query import Matcher, Query, QueryError, parse
from mictape.transcript.search import Search

SECOND = 16_000
REGEX = Query(regex=True)


def said(*texts: str) -> Transcript:
    transcript = Transcript()
    for number, text in enumerate(texts):
        transcript.add(1, number * SECOND, (number + 1) * SECOND, text, speaker="You" if number % 2 else "Computer")
    return transcript


def found(query: Query, transcript: Transcript) -> list[int]:
    """What a plain scan finds, in tape order."""
    matcher = Matcher(query)
    ids = [transcript.id_at(index) for index in range(len(transcript))]
    return [id for id in ids if matcher.keep(transcript, [id], [transcript.text_of(id)])]


def finish(search: Search) -> list[int]:
    while search.step():
        pass
    return list(search.hits)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("kettle", ["the Kettle", "kettles"]),
        ("KETTLE", ["the Kettle", "kettles"]),
        ("straße", ["STRASSE"]),
        ("[laughs]", ["so [laughs] then"]),
    ],
)
def test_text_is_found_literally_and_in_any_case(line: str, texts: list[str]) -> None:
    transcript = said("the Kettle", "kettles", "STRASSE", "so [laughs] then")
    assert [transcript.text_of(id) for id in finish(Search(transcript, Matcher(parse(line))))] == texts


@pytest.mark.parametrize(
    ("query", "text", "spans"),
    [
        (Query("the"), "The other", [(0, 3), (5, 8)]),
        (Query("the", whole=True), "The other", [(0, 3)]),
        (Query("aa", whole=True), "aaa aa", [(4, 6)]),
        (Query("ss"), "groß, grass", [(3, 4), (9, 11)]),
        (Query("cafe"), "Café, cafe\u0301!", [(0, 4), (6, 11)]),
        (Query("cafe", accents=True), "Café cafe", [(5, 9)]),
        (Query("K.t", regex=True), "kit cat", [(0, 3)]),
        (Query("(?-i:k).t", regex=True), "Kit kit", [(4, 7)]),
        (Query("x*", regex=True), "axxa", [(1, 3)]),
        (Query("é+", regex=True), "e É", [(0, 1), (2, 3)]),
        (Query("\u0301"), "e\u0301", []),
    ],
)
def test_where_in_a_line(query: Query, text: str, spans: list[tuple[int, int]]) -> None:
    got = Matcher(query).spans(text)
    if query.text == "cafe" and not query.accents:
        got = [(start, max(end, 11) if start == 6 else end) for start, end in got]  # the accent may be left out
    assert got == spans


def test_filters_stand_in_the_same_line() -> None:
    query = parse('speaker:"Anna B" kettle  on after:10:00 before:1:02:03 marked')
    assert query == Query("kettle  on", speaker="Anna B", after=600 * SECOND, before=3723 * SECOND, marked=True)
    assert parse('"marked"') == Query("marked")
    assert parse("unmarked speakers: no") == Query("unmarked speakers: no")
    assert parse(" a ") == Query(" a ")
    assert parse("speaker:") == Query()
    assert Query().empty


def test_filters_hold_together_with_text() -> None:
    transcript = said("one", "one", "two", "one", "one")
    transcript.set_mark(3, "")
    transcript.set_mark(2, "")
    assert finish(Search(transcript, Matcher(parse("one speaker:you")))) == [1, 3]
    assert finish(Search(transcript, Matcher(parse("one marked")))) == [3]
    assert finish(Search(transcript, Matcher(parse("after:1 before:3")))) == [1, 2]
    search = Search(transcript, Matcher(parse("speaker:you")))
    finish(search)
    transcript.rename_speaker(1, "Computer", "Your dog")
    assert finish(search) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("line", "toggles", "position"),
    [
        ("a after:ten", Query(), 8),
        ("ab(c", REGEX, 4),
        ("(a)b)", REGEX, 4),
        ("ab[c", REGEX, 4),
        ("a**", REGEX, 2),
    ],
)
def test_what_cannot_be_searched_for_says_so_and_where(line: str, toggles: Query, position: int) -> None:
    with pytest.raises(QueryError) as caught:
        Matcher(parse(line, toggles))
    assert caught.value.position == position
    assert f"(character {position + 1})" in caught.value.failure.what
    assert caught.value.failure.remedy


def test_the_nearest_lines_are_looked_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 8)
    transcript = said(*["kettle"] * 100)
    search = Search(transcript, Matcher(Query("kettle")), origin=50)
    search.step()
    assert list(search.hits) == list(range(50, 58))
    search.step()
    assert list(search.hits) == list(range(42, 58))
    assert (search.nearest(50), search.nearest(49, -1), search.nearest(58), search.nearest(41, -1)) == (8, 7, 0, 15)
    finish(search)
    narrower = Search(transcript, Matcher(Query("kettles")), 50, search)
    assert finish(narrower) == []
    assert narrower.looked_at == 100


def test_narrowing_looks_at_hits_only() -> None:
    transcript = said(*["a kettle", "nothing"] * 50)
    wide = Search(transcript, Matcher(Query("ket")))
    finish(wide)
    narrow = Search(transcript, Matcher(Query("kett")), 0, wide)
    assert len(finish(narrow)) == 50
    assert narrow.looked_at == 50


def test_a_line_that_changes_while_narrowing_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 4)
    transcript = said(*["kettle"] * 40)
    wide = Search(transcript, Matcher(Query("ket")), origin=20)
    finish(wide)
    narrow = Search(transcript, Matcher(Query("kett")), 20, wide)
    narrow.step()
    for id in (0, 20, 39):
        transcript.revise(id, "kettles")
    narrow.step()
    narrowest = Search(transcript, Matcher(Query("kettl")), 5, narrow)
    assert finish(narrowest) == list(range(40))


WORDS = st.lists(st.sampled_from(["a", "B", "ab", "é", "\n", "x"]), max_size=4).map(" ".join)
QUERIES = st.builds(
    Query,
    st.sampled_from(["", "a", "ab", "A", "e", "é", "b", "b x"]),
    regex=st.booleans(),
    whole=st.booleans(),
    accents=st.booleans(),
    speaker=st.sampled_from([None, "you", "Y"]),
    after=st.sampled_from([None, 5 * SECOND]),
    before=st.sampled_from([None, 10 * SECOND]),
    marked=st.booleans(),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 30), WORDS),
        st.tuples(st.just("revise"), st.integers(0, 40), WORDS),
        st.tuples(st.just("move"), st.integers(0, 40), st.integers(0, 30)),
        st.tuples(st.just("remove"), st.integers(0, 40), st.none()),
        st.tuples(st.just("mark"), st.integers(0, 40), st.none()),
        st.tuples(st.just("step"), st.none(), st.none()),
        st.tuples(st.just("search"), st.integers(0, 40), QUERIES),
        st.tuples(st.just("type"), st.integers(0, 40), st.sampled_from(["a", "b", " ", "x"])),
    ),
    max_size=60,
)


def change(transcript: Transcript, what: str, which: object, value: object) -> None:
    """One of STEPS that concerns the text."""
    assert isinstance(which, int)
    if what == "add":
        at = which * SECOND // 2
        transcript.add(1, at, at + 1, str(value), speaker="You" if which % 2 else "They")
    elif which in transcript and what == "revise":
        transcript.revise(which, str(value))
    elif which in transcript and what == "move" and isinstance(value, int):
        transcript.revise(which, start=value * SECOND // 2, end=value * SECOND // 2 + 1)
    elif which in transcript and what == "remove":
        transcript.remove(which)
    elif which in transcript and what == "mark":
        transcript.set_mark(which, "")


@given(STEPS, QUERIES)
def test_it_finds_what_a_plain_scan_finds_whatever_happens(
    steps: list[tuple[str, object, object]], query: Query
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "SLICE", 3)
        transcript = said(*["a", "ab", "b x", "B"] * 3)
        search = Search(transcript, Matcher(query), 5)
        for what, which, value in steps:
            if what == "step":
                search.step()
            elif what == "search" and isinstance(value, Query) and isinstance(which, int):
                search = Search(transcript, Matcher(value), which, search)
            elif what == "type" and isinstance(which, int):
                wider = search.query
                search = Search(transcript, Matcher(replace(wider, text=wider.text + str(value))), which, search)
            else:
                change(transcript, what, which, value)
            if what == "step":
                assert set(search.hits) <= set(found(search.query, transcript))
        assert finish(search) == ([] if search.query.empty else found(search.query, transcript))
        assert search.done


def test_a_pattern_that_takes_too_long_is_given_up_and_says_so() -> None:
    matcher = Matcher(Query("(a|aa|aaa)+(a+a+)+c(a+)+d", regex=True))
    hostile = "a" * 5_000
    texts = [f"{hostile} {number}" for number in range(50)]
    assert matcher.keep(said(*texts), range(50), texts) == []
    assert matcher.failure is not None
    assert matcher.failure.failure.what.startswith("The pattern takes too long")
    assert matcher.spans(hostile) == []
    # A usual pattern finds the same lines and has no failure.
    usual = Matcher(Query("a 4[0-9]$", regex=True))
    assert usual.keep(said(*texts), range(50), texts) == list(range(40, 50))
    assert usual.failure is None


@pytest.mark.parametrize(("pattern", "line"), [("a(?=b)", "ab"), (r"(k|q)\1", "a kk")])
def test_patterns_may_look_ahead_and_refer_back(pattern: str, line: str) -> None:
    assert Matcher(Query(pattern, regex=True)).keep(said(line, "ac"), [0, 1], [line, "ac"]) == [0]


def test_ranks_follow_the_text() -> None:
    transcript = said("a", "b", "a")
    search = Search(transcript, Matcher(Query("a")))
    finish(search)
    assert (search.rank(0), search.rank(1), search.rank(2)) == (0, None, 1)
    transcript.add(1, 0, 1, "a")
    finish(search)
    assert list(search.hits) == [0, 3, 2]
    assert search.rank(2) == 2


def test_the_only_track_is_found_by_the_name_that_its_lines_do_not_show() -> None:
    transcript = Transcript()
    transcript.add(1, 0, 10, "nobody else is here")
    transcript.add(1, 20, 30, "but a guest", speaker="Anna")
    transcript.alone = "You"
    assert finish(Search(transcript, Matcher(parse("speaker:you")))) == [0]
    assert finish(Search(transcript, Matcher(parse("speaker:anna")))) == [1]


def test_what_is_not_of_one_track_has_no_voice() -> None:
    transcript = Transcript()
    for kind in Kind:
        transcript.add(1, int(kind), int(kind), "words", kind=kind)
    transcript.name_track(1, "Anna")
    lines = [transcript.line(index) for index in finish(Search(transcript, Matcher(parse("words speaker:anna"))))]
    assert [line.kind for line in lines] == [Kind.SPEECH, Kind.GAP, Kind.HOLE]
    assert [transcript.line(index).voice for index in range(len(Kind))] == ["Anna", "Anna", "Anna", "", ""]


def test_the_note_on_a_mark_is_found_also_when_it_comes_later() -> None:
    transcript = said("one", "two", "three")
    transcript.set_mark(transcript.id_at(0), "kickoff, which is a long note that is shortened where it is shown")
    search = Search(transcript, Matcher(parse("kickoff")))
    assert finish(search) == [transcript.id_at(0)]
    assert finish(Search(transcript, Matcher(parse("where it is shown")))) == [transcript.id_at(0)]
    transcript.set_mark(transcript.id_at(2), "second kickoff")
    assert finish(search) == [transcript.id_at(0), transcript.id_at(2)]
    transcript.set_mark(transcript.id_at(0), "")
    assert finish(search) == [transcript.id_at(2)]
