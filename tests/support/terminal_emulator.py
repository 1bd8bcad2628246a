"""A terminal for the tests: pyte's, quicker at what apps mostly send.

Pyte looks at each character of a colour and of a text by itself, and at the whole screen each time it is read; that was
most of what the tests of the app in a terminal cost in their own process.
"""

import re
from functools import cache
from typing import Final

import pyte
import pyte.charsets
import pyte.modes
from pyte.screens import Char
from wcwidth import wcwidth

_FREQUENT: Final = re.compile(r"\x1b\[([0-9;]*)([mH])")
"""Colours, and places of the cursor."""


@cache
def _is_narrow(char: str) -> bool:
    return wcwidth(char) == 1


class Screen(pyte.Screen):
    """What is on the terminal."""

    def __init__(self, columns: int, lines: int) -> None:
        self._rows: dict[int, str] = {}
        super().__init__(columns, lines)

    def draw(self, data: str) -> None:
        """Write text at the cursor."""
        cursor, end = self.cursor, self.cursor.x + len(data)
        usual = not self.charset and self.g0_charset is pyte.charsets.LAT1_MAP and pyte.modes.IRM not in self.mode
        if not usual or end > self.columns or not all(map(_is_narrow, data)):
            super().draw(data)
            return
        line, style = self.buffer[cursor.y], cursor.attrs[1:]
        for x, char in enumerate(data, cursor.x):
            line[x] = Char(char, *style)
        cursor.x = end
        self.dirty.add(cursor.y)

    @property
    def display(self) -> list[str]:
        """Row by row; those that have changed since the last look are put together again."""
        for y in self.dirty:
            self._rows[y] = self._row(y)
        self.dirty.clear()
        return [self._rows[y] for y in range(self.lines)]

    def _row(self, y: int) -> str:
        line, chars, beside_wide = self.buffer[y], list[str](), False
        for x in range(self.columns):
            char = "" if beside_wide else line[x].data
            beside_wide = not char.isascii() and wcwidth(char[0]) == 2
            chars.append(char)
        return "".join(chars)


class Stream(pyte.Stream):
    """What an app writes, as text."""

    def feed(self, data: str) -> None:
        """Have the screen do what it says."""
        screen, done = self.listener, 0
        assert screen is not None
        for found in _FREQUENT.finditer(data):
            super().feed(data[done : found.start()])
            done = found.start()
            if self._taking_plain_text:  # else this is within another sequence
                params = (min(int(each or 0), 9999) for each in found[1].split(";"))
                (screen.select_graphic_rendition if found[2] == "m" else screen.cursor_position)(*params)
                done = found.end()
        super().feed(data[done:])


class ByteStream(pyte.ByteStream, Stream):  # pyright: ignore[reportIncompatibleMethodOverride]  (as pyte's own)
    """The same in UTF-8, cut anywhere."""
