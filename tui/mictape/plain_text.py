"""Text from elsewhere, made safe to show: names of devices and files, what servers answer, what was said.

A terminal obeys control characters: such a text could set its title, fill the clipboard, or turn a row around.
"""

from collections.abc import Iterable
from typing import Final

_C1: Final = range(0x80, 0xA0)
_DIRECTIONS: Final = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))

_OBEYED: Final[dict[int, int]] = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys((*_C1, *_DIRECTIONS), 0xFFFD),
    **dict.fromkeys(range(0xD800, 0xE000), 0xFFFD),
}
"""What a terminal would obey, or could not be sent, to what stands for it; always one character for one.

C0 controls and DEL to the Unicode block Control Pictures (U+2400); C1 controls, direction overrides (which
could reorder a whole row) and lone surrogates to the replacement character."""

_PICTURES: Final[dict[int, int | str]] = {
    **_OBEYED,
    0x09: " ",
    0xAD: "-",
    **dict.fromkeys((0x2028, 0x2029), 0x2424),
}
"""For rows of the screen: line separators to a picture, too; soft hyphens, whose width terminals do not agree on,
to hyphens."""

_ONE_LINE: Final = {**_OBEYED, **dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), 0x20)}
"""For lines of output and for sentences: a space for what begins a line or jumps."""

_ESCAPED: Final = {code: f"\\u{code:04x}" for code in (0x7F, *_C1, *_DIRECTIONS, 0x2028, 0x2029)}
"""For JSON, which does not ask for these to be escaped; some programs break lines at the last two."""


def visible(text: str) -> str:
    """The text with everything a terminal might obey made visible; as long as before, character by character."""
    return text if text.isprintable() else text.translate(_PICTURES)


def counted(count: int, what: str) -> str:
    """A number of things, for people: `1 line`, `1,200 lines`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def did_you_mean(said: str, known: Iterable[str]) -> str:
    """The question that names the nearest of the known names; empty when none is near, as written or as it begins."""
    import difflib  # only what was mistyped needs it

    typed = said.casefold()
    folded = {name.casefold(): name for name in known}
    names = {each[: len(typed)]: name for each, name in folded.items()} | folded
    near = difflib.get_close_matches(typed, names, n=1)
    return f"Did you mean {names[near[0]]}?" if near else ""


def one_line(text: str) -> str:
    """Text as one line in which nothing is obeyed by a terminal; all line breaks and tabs become spaces."""
    return text if text.isprintable() else text.translate(_ONE_LINE)


def safe_json(text: str) -> str:
    """The same JSON, with an escape for each character that a terminal might obey."""
    return text.translate(_ESCAPED)


def fits(text: str, typed: str) -> bool:
    """Whether a text has every typed word, in any case."""
    folded = text.casefold()
    return all(word in folded for word in typed.casefold().split())


def nothing_fits(typed: str) -> str:
    """What a filter says that lets nothing through."""
    return f'Nothing fits "{typed.strip()}".'
