"""Wrapping and rows: equal to naive references, and bounded in work however long the transcript."""

# ruff: noqa: RUF001 - what looks like something else is what is tested

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from mictape.plain_text import visible
from mictape.transcript.layout import BLOCK, Layout
from mictape.transcript.model import FEED, Transcript
from mictape.transcript.wrapping import wrap

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"

LATIN = ["a", "word", "and", " ", " ", "  ", "ü", "naïve", "e\u0301", "-", "\xad"]
OTHER = ["漢字", "、", "。", "（", "ン", "한국어", "नमस्ते", "שלום", "👍🏽", "☎\ufe0f", FAMILY, FLAGS, "\u200b"]
CONTROL = ["\t", "\x1b[31m", "\x00", "\x9b", "\u202e", "\u2028"]
PIECES = st.sampled_from([*LATIN, *OTHER, *CONTROL])
TEXTS = st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=30)


def clusters(text: str) -> list[str]:
    """What is seen as one character, found naively: what takes no cells of its own stays with what is before."""
    found: list[str] = []
    for character in text:
        flag = "\U0001f1e6" <= character <= "\U0001f1ff"
        whole = bool(found) and (
            found[-1].endswith("\u200d")
            or cell_len(found[-1] + character) == cell_len(found[-1])
            or character == "\ufe0f"
            or (flag and len(found[-1]) == 1 and "\U0001f1e6" <= found[-1] <= "\U0001f1ff")
        )
        if whole:
            found[-1] += character
        else:
            found.append(character)
    return found


NOT_FIRST = "、。，．：；！？）」』】〉》〕］｝〗〙〛々ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ・…‥”’,.;:!?)]}"
NOT_LAST = "（「『【〈《〔［｛〖〘〚“‘([{"


def may_break(left: str, right: str) -> bool:
    if " " in (left, right):
        return True
    return max(cell_len(left), cell_len(right)) == 2 and left[0] not in NOT_LAST and right[0] not in NOT_FIRST


def stripped(found: list[str]) -> list[str]:
    """Without the spaces at either end."""
    while found and found[0] == " ":
        found = found[1:]
    while found and found[-1] == " ":
        found = found[:-1]
    return found


def naive_rows(text: str, width: int, left: int | None = None) -> list[str]:
    """The definition: the longest row that fits and ends where it may, else the longest that fits.

    With `left` only so many cells are left in the first row; it is empty when no such row fits into them.
    """
    rows: list[str] = []
    rest = stripped(clusters(text))
    room = width if left is None else left
    while rest:
        fits = max([n for n in range(1, len(rest) + 1) if cell_len("".join(rest[:n])) <= room], default=0)
        cut = fits or int(room == width)
        if fits < len(rest):
            unbroken = max(1, fits) if room == width else 0
            cut = max([n for n in range(1, fits + 1) if may_break(rest[n - 1], rest[n])], default=unbroken)
        rows.append("".join(stripped(rest[:cut])))
        rest = stripped(rest[cut:])
        room = width
    return rows or [""]


def rows_of(text: str, width: int, left: int | None = None) -> list[str]:
    seen = visible(text)
    return [seen[start:end] for start, end in wrap(seen, width, left)]


def fill(transcript: Transcript, count: int, words: int = 12) -> None:
    for number in range(count):
        said = " ".join(["word"] * (1 + (number * 7) % words))
        transcript.add(0, number * 16000, number * 16000 + 8000, f"{number} {said}")


@given(TEXTS, st.integers(2, 24))
@example("ab          cd", 5)
@example(" " * 9, 3)
@example(" \u200b", 2)
@example("x" * 11 + " yy", 4)
@example("漢字（かな）、漢字。", 4)
def test_wrapping_is_the_naive_one(text: str, width: int) -> None:
    assert rows_of(text, width) == naive_rows(visible(text), width)


@given(TEXTS, st.integers(2, 24), st.integers(-3, 23))
@example("ab cd", 5, 2)
@example("ab cd", 5, 1)
@example("漢字かな", 6, 5)
@example("（漢字", 6, 3)
def test_wrapping_goes_on_in_a_row_that_is_partly_filled(text: str, width: int, left: int) -> None:
    left = min(left, width - 1)
    assert rows_of(text, width, left) == naive_rows(visible(text), width, left)


@given(TEXTS, st.integers(1, 24))
def test_rows_fit_and_nothing_but_spaces_is_left_out(text: str, width: int) -> None:
    rows = rows_of(text, width)
    assert all(cell_len(row) <= width or len(clusters(row)) == 1 for row in rows)
    assert "".join(rows).replace(" ", "") == visible(text).replace(" ", "")


@given(st.text(max_size=40))
def test_what_is_visible_is_as_long_and_never_obeyed(text: str) -> None:
    seen = visible(text)
    assert len(seen) == len(text)
    seen.encode()
    obeyed = [*map(chr, range(0x20)), "\x7f", *map(chr, range(0x80, 0xA0)), "\u202e", "\u2028"]
    assert not set(seen) & set(obeyed)


def test_controls_are_pictures_and_tabs_are_spaces() -> None:
    assert visible("\x1b[31mred\tand\x07\x7f") == "␛[31mred and␇␡"


def placed(transcript: Transcript, width: int, *, paragraphs: bool) -> list[tuple[int, int]]:
    """The rows of each line and the cells before it in the row of the line before.

    With paragraphs a line begins where the one before ends, two cells for its signs behind it, if anything of it fits;
    where another voice or minute begins, or after two seconds of pause, a blank row comes first.
    """
    found: list[tuple[int, int]] = []
    filled = 0
    lines = [transcript.line(index) for index in range(len(transcript))]
    for before, line in pairwise([None, *lines]):
        assert line is not None
        seen = visible(line.text)
        apart = before is not None and (
            (line.track, line.speaker) != (before.track, before.speaker)
            or line.start > before.end + 32_000
            or line.start // 960_000 != before.start // 960_000
        )
        column = filled + 2 if paragraphs and before is not None and not apart and filled else 0
        rows = naive_rows(seen, width, width - column)
        if column and len(rows) > 1 and not rows[0]:
            column, rows = 0, rows[1:]
        found.append((len(rows) - bool(column) + (paragraphs and apart), column))
        filled = cell_len(rows[-1]) + column * (len(rows) == 1)
    return found


def check(layout: Layout, transcript: Transcript) -> None:
    """Every row and every line is where the naive definition says."""
    while layout.refine():
        pass
    wanted = placed(transcript, layout.width, paragraphs=layout.paragraphs)
    assert layout.rows == sum(height for height, _ in wanted)
    row = 0
    for index, (height, column) in enumerate(wanted):
        assert layout.top_of(index) == row
        assert layout.text_rows(index)[0] == column
        assert layout.extent(index) == (row - bool(column), row + max(height, 1 - bool(column)))
        assert [layout.locate(row + below) for below in range(height)] == [(index, below) for below in range(height)]
        row += height
    assert layout.top_of(len(wanted)) == row


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "append",
                "append",
                "insert",
                "insert",
                "revise",
                "remove",
                "move",
                "resize",
                "sync",
                "look",
                "name",
                "merge",
            ]
        ),
        st.integers(0, 10_000),
        st.integers(0, 60),
    ),
    max_size=60,
)


@given(first=st.integers(0, 3 * BLOCK), operations=OPERATIONS, paragraphs=st.booleans())
@example(first=0, operations=[("append", 0, 0), ("remove", 0, 0)], paragraphs=False)
@example(first=1, operations=[("name", 0, 0), ("merge", 0, 0), ("append", 0, 0)], paragraphs=True)
@example(first=2, operations=[("sync", 0, 0), ("name", 1, 0), ("sync", 0, 0), ("merge", 0, 0)], paragraphs=True)
def test_rows_are_the_sum_of_naive_heights_after_anything(
    first: int, operations: list[tuple[str, int, int]], *, paragraphs: bool
) -> None:
    transcript = Transcript()
    fill(transcript, first, 5)
    layout = Layout(transcript, 17)
    layout.paragraphs = paragraphs
    for what, where, size in operations:
        text = "some words " * (size // 11) + "x" * (size % 11)
        count = len(transcript)
        if what == "append":
            transcript.add(0, 100_000_000 + where, 200_000_000, text)
        elif what == "insert":
            transcript.add(0, where * 400, where * 400, text)
        elif what == "resize":
            layout.resize(8 + size)
        elif what == "sync":
            layout.sync()
        elif count and what == "look":
            layout.sync()
            layout.locate(where % layout.rows)
        elif count and what == "revise":
            transcript.revise(transcript.id_at(where % count), text)
        elif count and what == "name":
            transcript.name_speaker(transcript.id_at(where % count), "AB"[size % 2])
        elif what == "merge":
            transcript.rename_speaker(0, "A", "B")
        elif count and what == "remove":
            transcript.remove(transcript.id_at(where % count))
        elif count:
            transcript.revise(transcript.id_at(where % count), start=where * 300, end=10**9)
    layout.sync()
    check(layout, transcript)


def test_a_line_moves_those_behind_it_to_the_end_of_its_paragraph() -> None:
    transcript = Transcript()
    fill(transcript, 4 * BLOCK)
    layout = Layout(transcript, 40)
    layout.paragraphs = True
    check(layout, transcript)
    wraps = layout.wraps
    transcript.revise(transcript.id_at(BLOCK - 5), "a longer text that takes more rows than the one before it")
    layout.sync()
    check(layout, transcript)
    assert layout.wraps - wraps < 5 * BLOCK, "two blocks, twice each"


def test_blocks_split_when_much_comes_in_above() -> None:
    transcript = Transcript()
    fill(transcript, 2 * BLOCK)
    layout = Layout(transcript, 20)
    layout.locate(0)
    for number in range(3 * BLOCK):
        transcript.add(1, 8000 + number, 9000 + number, "filled in later " * (number % 3))
    layout.sync()
    check(layout, transcript)


def test_too_many_changes_are_estimated_again() -> None:
    transcript = Transcript()
    layout = Layout(transcript, 20)
    fill(transcript, FEED + 200)
    assert layout.sync() is None
    assert layout.lines == FEED + 200
    check(layout, transcript)


def test_what_is_exposed_does_not_move_any_more() -> None:
    transcript = Transcript()
    fill(transcript, 5000)
    layout = Layout(transcript, 20)
    layout.expose(2500, 100, 100)
    top = layout.top_of(2500)
    wraps = layout.wraps
    seen = [layout.locate(row)[0] for row in range(top - 100, top + 100)]
    assert layout.top_of(2500) == top
    assert layout.wraps == wraps
    assert seen[100] == 2500


@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.proof)])
def test_work_does_not_grow_with_the_length(count: int) -> None:
    transcript = Transcript()
    fill(transcript, count)
    layout = Layout(transcript, 30)
    costs = [layout.wraps]

    def cost() -> None:
        costs.append(layout.wraps - sum(costs))

    layout.locate(layout.rows // 2)
    cost()
    transcript.add(0, 5, 5, "above")
    transcript.add(0, count * 16000, count * 16000, "below")
    layout.sync()
    cost()
    layout.resize(50)
    layout.expose(count // 2, 100, 100)
    layout.top_of(count // 2)
    cost()
    layout.refine(4 * BLOCK)
    cost()
    assert max(costs) <= 6 * BLOCK, costs
