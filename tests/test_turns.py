"""From the library's lines to turns."""

import pytest

from tui.engines import wire
from tui.engines.turns import FORCED_OVERLAP, MARGIN, Line, Turns, without_shared_words


def line(text: str, start: int, end: int, *, complete: bool = True) -> Line:
    return Line(text, start, end, complete)


@pytest.mark.parametrize(
    ("before", "text", "left"),
    [
        ("it was the epoch of", "epoch of belief,", "belief,"),
        ("and then the", "The next point", "next point"),
        ("and then, the.", "the next point", "next point"),
        ("a b c d", "b c d e", "b c d e"),  # three words do not fit into the overlap
        ("one two", "three four", "three four"),
        ("", "three four", "three four"),
        ("it was", "was", ""),
        ("it was", "", ""),
    ],
)
def test_words_that_two_lines_share_are_said_once(before: str, text: str, left: str) -> None:
    assert without_shared_words(before, text) == left


def test_only_lines_that_overlap_by_a_forced_cut_share_words() -> None:
    turns = Turns(1)
    said = turns.hear([line("we had had", 0, 20_000), line("had enough", 20_000 - FORCED_OVERLAP + 1, 40_000)], 50_000)
    assert [news.text for news in said if isinstance(news, wire.Turn)] == ["we had had", "had enough"]
    turns = Turns(1)
    said = turns.hear([line("we had", 0, 20_000), line("had enough", 20_000 - FORCED_OVERLAP, 40_000)], 50_000)
    assert [news.text for news in said if isinstance(news, wire.Turn)] == ["we had", "enough"]


def test_a_line_begins_where_the_one_before_it_ended_at_the_earliest() -> None:
    said = Turns(1).hear([line("one", 0, 20_000), line("two", 12_000, 40_000)], 50_000)
    assert wire.Turn(1, 1, "two", 20_000, 40_000, final=True) in said


def test_turns_are_numbered_without_the_lines_that_have_no_text() -> None:
    turns = Turns(1)
    said = turns.hear([line("one", 0, 100), line(" ", 200, 300), line("two", 400, 500)], 600)
    assert [(news.turn, news.text) for news in said if isinstance(news, wire.Turn)] == [(0, "one"), (1, "two")]


def test_a_partial_that_comes_to_nothing_is_taken_back() -> None:
    turns = Turns(1)
    turns.hear([line("you", 0, 100, complete=False)], 200)
    said = turns.hear([line("", 0, 100)], 300)
    assert wire.Turn(1, 0, "", 0, 100, final=False) in said
    assert wire.Turn(1, 0, "one", 400, 500, final=True) in turns.hear([line("", 0, 100), line("one", 400, 500)], 600)


def test_what_did_not_change_is_not_said_again() -> None:
    turns = Turns(1)
    assert len(turns.hear([line("one", 0, 100, complete=False)], 200)) == 1
    assert turns.hear([line("one", 0, 150, complete=False)], 250) == []
    assert len(turns.hear([line("one", 0, 200)], 300)) == 2  # the final and what it answers for
    assert turns.hear([line("one", 0, 200)], 300) == []


def test_an_open_line_is_not_answered_for() -> None:
    turns = Turns(1)
    assert wire.Answered(1, 90_000 - MARGIN) in turns.hear([], 90_000)
    assert not any(
        isinstance(news, wire.Answered) for news in turns.hear([line("", 85_000, 99_000, complete=False)], 500_000)
    )
    assert wire.Answered(1, 500_000) in turns.finish([line("", 85_000, 99_000, complete=False)], 500_000)


def test_times_go_on_when_the_library_gets_a_new_stream() -> None:
    turns = Turns(1)
    turns.finish([line("one", 0, 100, complete=False)], 1_000)
    turns.restart()
    assert wire.Turn(1, 1, "two", 1_000, 1_500, final=True) in turns.hear([line("two", 900, 1_500)], 2_000)
