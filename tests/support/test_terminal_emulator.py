"""The quick terminal shows what pyte itself shows."""

import contextlib

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import terminal_emulator

WRITTEN = st.sampled_from(
    [
        *(
            "a",
            "word ",
            "那么",
            "é",
            "e\u0301",
            "╭─╮",
            "x" * 30,
            "\r\n",
            "\r",
            "\n",
            "\t",
            "\b",
            "\x1b[m",
            "\x1b[0;1m",
            "\x1b[38;2;1;2;3;48;5;9m",
        ),
        *(
            "\x1b[3;5H",
            "\x1b[H",
            "\x1b[99;99H",
            "\x1b[2J",
            "\x1b[K",
            "\x1b[1K",
            "\x1b[2L",
            "\x1b[M",
            "\x1b[2@",
            "\x1b[P",
            "\x1b[4h",
            "\x1b[4l",
        ),
        *(
            "\x1b[?25l",
            "\x1b[?1049h",
            "\x1b]0;a \x1b[1m title\x07",
            "\x1b(0q\x1b(B",
            "\x0eq\x0f",
            "\x1b[3X",
            "\x1b7",
            "\x1b8",
            "\x1b[2;3r",
            "\x1bM",
        ),
    ]
)


@given(st.lists(WRITTEN, max_size=40), st.lists(st.integers(1, 9), min_size=1), st.sampled_from([(20, 4), (7, 3)]))
def test_it_shows_the_same_however_the_output_is_cut(
    written: list[str], cuts: list[int], size: tuple[int, int]
) -> None:
    whole, columns, rows = "".join(written).encode(), *size
    usual, quick = pyte.Screen(columns, rows), terminal_emulator.Screen(columns, rows)
    streams, at = (pyte.ByteStream(usual), terminal_emulator.ByteStream(quick)), 0
    while at < len(whole):
        end = at + cuts[at % len(cuts)]
        for stream in streams:
            stream.feed(whole[at:end])
        at = end
        assert len(quick.display) == rows
        assert [usual.buffer[y] for y in range(rows)], (
            "a look at a row makes it, for pyte deletes none that was not made"
        )
    cells = [[[screen.buffer[y][x] for x in range(columns)] for y in range(rows)] for screen in (usual, quick)]
    assert cells[0] == cells[1]
    assert (usual.cursor.x, usual.cursor.y) == (quick.cursor.x, quick.cursor.y)
    with contextlib.suppress(IndexError):  # of pyte's, where half of a wide character was written over
        assert quick.display == usual.display


@pytest.mark.parametrize("size", [(5, 30), (2, 3), (9, 12)])
def test_it_shows_the_same_after_another_size(size: tuple[int, int]) -> None:
    screens = pyte.Screen(10, 4), terminal_emulator.Screen(10, 4)
    for screen, stream in zip(screens, (pyte.Stream(screens[0]), terminal_emulator.Stream(screens[1])), strict=True):
        stream.feed("one\r\ntwo 那\r\nthree\r\nfour and more")
        assert screen.display
        screen.resize(*size)
    assert screens[0].display == screens[1].display
