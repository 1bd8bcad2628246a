r"""Subtitles: SubRip and WebVTT, cut by the times of words.

At most two rows of 42 columns and 7 s, no shorter than 1 s where the next words leave the room: the limits of common
guidelines (Netflix, Timed Text Style Guide: General Requirements; BBC Subtitle Guidelines). Written here and not with a
library of subtitles: those take braces, `<` and `\N` in the text for markup.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mictape.library.export.document import Document
from mictape.library.records import LineRecord
from mictape.plain_text import one_line
from mictape.transcript.line import NOTE, SPEECH
from mictape.units import RATE

COLUMNS: Final = 42
ROWS: Final = 2
LONGEST_MS: Final = 7_000
SHORTEST_MS: Final = 1_000
PAUSE_MS: Final = 300
"""A pause between words at which a cue may well end."""
LINGER_MS: Final = 500
"""How long a cue stays after its last word, where nothing follows."""
CHARACTERS_A_SECOND: Final = 20
"""How fast adults read subtitles, at most (Netflix, Timed Text Style Guide: English)."""

_SENTENCE: Final = (".", "!", "?", "…", "。", "\uff01", "\uff1f")
_CLAUSE: Final = (",", ";", ":", "–", "—", "、", "\uff0c")

_ASS: Final = {ord(character): ord(character) + 0xFEE0 for character in "{}\\"}
"""Players and converters read tags of ASS in every format: the full-width forms of these begin none."""
_HTML: Final = {ord(character): ord(character) + 0xFEE0 for character in "<>"}
"""SubRip has tags and no escapes."""

_STAMP: Final = re.compile(r"\d:\d+:\d+[.,]\d")
"""What readers that are not strict take for the time of a cue, in the middle of its text."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of text that stays together, and when it was said, ms."""

    text: str
    start: int
    end: int
    glued: bool = False
    """Whether it follows the one before without a space."""
    sign: bool = False
    """Whether nobody says it: it is a name or a hyphen."""


_Voice: TypeAlias = tuple[int, str | None]
"""A track, and a speaker in it."""
_Piece: TypeAlias = tuple[_Voice, list[_Token]]
"""The tokens of a cue, and whose they are."""


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown at once."""

    start: int
    """Milliseconds."""
    end: int
    rows: tuple[str, ...]
    voice: str = ""


def subrip(document: Document) -> Iterator[str]:
    """SubRip, `.srt`. It knows no speakers: a name stands before the words where the voice changes.

    A hyphen stands for a voice without a name behind one with a name, as is usual in subtitles.
    """
    for number, cue in enumerate(cues(document, subrip_text, names_in_text=True), 1):
        rows = "\n".join(cue.rows)
        yield f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{rows}\n\n"


def subrip_text(text: str) -> str:
    """Text in which no player finds a tag."""
    return webvtt_text(text).translate(_HTML)


def webvtt(document: Document) -> Iterator[str]:
    """WebVTT, `.vtt`. Notes and marks are comments at the beginning: some readers take a later one for a cue's text."""
    yield "WEBVTT\n\n"
    for line in document.lines:
        if comment := _comment(line):
            yield f"NOTE\nAt {document.time_of(line)}: {_escaped(webvtt_text(comment))}\n\n"
    for cue in cues(document, webvtt_text):
        voice = f"<v {_escaped(cue.voice)}>" if cue.voice else ""
        rows = "\n".join(map(_escaped, cue.rows))
        yield f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{voice}{rows}\n\n"


def webvtt_text(text: str) -> str:
    """Text, not escaped yet, in which nothing looks like a tag of ASS or the time of a cue.

    The ratio sign stands for the colons of a time.
    """
    return _STAMP.sub(lambda stamp: stamp[0].replace(":", "\u2236"), text).translate(_ASS)


def cues(document: Document, clean: Callable[[str], str], *, names_in_text: bool = False) -> list[Cue]:
    """What is shown, by time. The cues of one voice never overlap.

    Args:
        document: What to cut.
        clean: Makes text harmless for the format.
        names_in_text: Whether a name, or a hyphen, stands before the words where the voice changes.
    """
    runs: dict[_Voice, list[list[_Token]]] = {}
    names: dict[_Voice, str] = {}
    before = None
    for line in document.lines:
        tokens = _tokens(line, clean) if line.kind == SPEECH else []
        if not tokens:
            continue
        who = (line.track, line.speaker)
        names[who] = clean(document.voice(line))
        if who != before:  # a change of the voice begins a cue, so that its name is where it begins to speak
            runs.setdefault(who, []).append(_sign(names, who, before, tokens) if names_in_text else [])
        runs[who][-1] += tokens
        before = who
    pieces = _in_time((who, piece) for who, of_voice in runs.items() for run in of_voice for piece in _cut(run))
    if names_in_text:
        pieces = _signed(pieces, names)
    found: list[Cue] = []
    for who in runs:
        of_voice = [piece for speaks, piece in pieces if speaks == who]
        following = [*(piece[0].start for piece in of_voice[1:]), None]
        found += [_cue(piece, then, names[who]) for piece, then in zip(of_voice, following, strict=True)]
    return sorted(found, key=lambda cue: (cue.start, cue.end))


def _in_time(pieces: Iterable[_Piece]) -> list[_Piece]:
    return sorted(pieces, key=lambda piece: (piece[1][0].start, piece[1][-1].end))


def _sign(names: Mapping[_Voice, str], who: _Voice, before: _Voice | None, tokens: Sequence[_Token]) -> list[_Token]:
    """What stands before tokens where the voice changes; nothing where neither has a name."""
    sign = f"{names[who]}:" if names[who] else "-" if before is not None and names[before] else ""
    return _fitting([_Token(sign, tokens[0].start, tokens[0].start, sign=True)]) if sign else []


def _signed(pieces: list[_Piece], names: Mapping[_Voice, str]) -> list[_Piece]:
    """The same, with a sign also where a cue of another voice stands between two of one line: both speak at once."""
    at, before = 0, None
    while at < len(pieces):
        who, piece = pieces[at]
        sign = _sign(names, who, before, piece) if who != before and not piece[0].sign else []
        if sign:
            cut = [(who, each) for each in _cut([*sign, *piece])]
            pieces[at : at + 1] = cut
            if len(cut) > 1:  # what follows may stand behind another voice again
                pieces[at:] = _in_time(pieces[at:])
        else:
            at, before = at + 1, who
    return pieces


def _tokens(line: LineRecord, clean: Callable[[str], str]) -> list[_Token]:
    """A line's text in pieces with their times: of its words where they are those of the text, else by length."""
    text = clean(one_line(line.text).strip())
    pieces = text.split()
    start, end = (at * 1000 // RATE for at in (line.start, max(line.start, line.end)))
    words = [word for word in line.words or () if word.text.strip()]
    timed = [(word.start, word.end) for word in words if word.start is not None and word.end is not None]
    if len(timed) == len(words) and words:
        if len(pieces) == len(words):
            return _fitting(_ordered(pieces, timed, start))
        if clean("".join(word.text for word in words)) == text:  # a language that puts no spaces
            return _fitting(_ordered([clean(word.text) for word in words], timed, start, glued=True))
    total = sum(map(len, pieces)) or 1
    tokens: list[_Token] = []
    done = 0
    for piece in pieces:
        begin = start + (end - start) * done // total
        done += len(piece)
        tokens.append(_Token(piece, begin, start + (end - start) * done // total))
    return _fitting(tokens)


def _ordered(
    pieces: Sequence[str], times: Sequence[tuple[int, int]], least: int, *, glued: bool = False
) -> list[_Token]:
    """Tokens whose times never go back, whatever the engine said."""
    tokens: list[_Token] = []
    for piece, (start, end) in zip(pieces, times, strict=True):
        begin = max(least, start * 1000 // RATE)
        least = begin
        tokens.append(_Token(piece, begin, max(begin, end * 1000 // RATE), glued=glued and bool(tokens)))
    return tokens


def _fitting(tokens: list[_Token]) -> list[_Token]:
    """The same, with what is wider than a row in pieces that fit."""
    fitting: list[_Token] = []
    for token in tokens:
        parts = _parts(token.text)
        for index, part in enumerate(parts):
            begin, end = (token.start + (token.end - token.start) * at // len(parts) for at in (index, index + 1))
            fitting.append(_Token(part, begin, end, token.glued or index > 0, token.sign))
    return fitting


def _parts(text: str) -> list[str]:
    parts, width = [""], 0
    for character in text:
        if width + (wide := width_of(character)) > COLUMNS:
            parts.append("")
            width = 0
        parts[-1] += character
        width += wide
    return parts


def _cut(tokens: list[_Token]) -> list[list[_Token]]:
    """Tokens as cues: the cheapest way to cut them, found from the end backwards."""
    cost = [0.0] * (len(tokens) + 1)
    cut = [0] * len(tokens)
    for first in range(len(tokens) - 1, -1, -1):
        cost[first] = float("inf")
        for end, inside in _pieces(tokens, first):
            price = inside + _price_of_end(tokens, first, end) + cost[end]
            if price < cost[first]:
                cost[first], cut[first] = price, end
    pieces: list[list[_Token]] = []
    at = 0
    while at < len(tokens):
        pieces.append(tokens[at : cut[at]])
        at = cut[at]
    return pieces


def _pieces(tokens: list[_Token], first: int) -> Iterator[tuple[int, float]]:
    """Where a cue that begins with the token `first` may end, and how bad it is to have those tokens in one cue."""
    row, used, price = 1, 0, 0.0
    for end in range(first + 1, len(tokens) + 1):
        token = tokens[end - 1]
        width = width_of(token.text) + (used > 0 and not token.glued)
        used += width
        if used > COLUMNS:
            row, used = row + 1, width_of(token.text)
        if end > first + 1:
            if row > ROWS or token.end - tokens[first].start > LONGEST_MS:
                return
            before = tokens[end - 2]
            pause = token.start - before.end
            price += 3.0 if before.text.endswith(_SENTENCE) else 0.0
            price += min(pause, 4_000) / 250 if pause > 2 * LINGER_MS else 0.0
        yield end, price


def _price_of_end(tokens: list[_Token], first: int, end: int) -> float:
    """How bad it is to begin a cue with the token `first` and to end it before `end`; each cue costs, to have few."""
    price = 4.0
    if end == len(tokens):
        return price
    last, following = tokens[end - 1], tokens[end]
    pause = following.start - last.end
    price += 0.0 if last.text.endswith(_SENTENCE) else 2.0 if last.text.endswith(_CLAUSE) else 6.0
    price -= min(pause, 2 * LINGER_MS) / 200 if pause >= PAUSE_MS else 0.0
    price += 50.0 if following.glued and last.text.isascii() and following.text.isascii() else 0.0  # within a word
    return price + 20.0 * max(0.0, 1 - (following.start - tokens[first].start) / SHORTEST_MS)


def _cue(piece: list[_Token], following: int | None, voice: str) -> Cue:
    start, said = piece[0].start, max(token.end for token in piece)
    rows = _rows(piece) or ("".join(token.text for token in piece),)
    reading = sum(map(len, rows)) * 1000 // CHARACTERS_A_SECOND
    end = max(said, min(said + LINGER_MS, start + reading), start + SHORTEST_MS)
    end = min(end, start + LONGEST_MS)
    if following is not None:
        end = min(end, max(following, start + 1))
    return Cue(start, end, rows, voice)


def _rows(piece: Sequence[_Token]) -> tuple[str, ...] | None:
    """The tokens on one row or two, the best place between them; None when they do not fit."""
    whole = _joined(piece)
    if (width := width_of(whole)) <= COLUMNS:
        return (whole,)
    if width > ROWS * COLUMNS + 1:
        return None
    best: tuple[float, tuple[str, str]] | None = None
    for at in range(1, len(piece)):
        upper, lower = _joined(piece[:at]), _joined(piece[at:])
        if (above := width_of(upper)) > COLUMNS:
            break
        if (below := width_of(lower)) > COLUMNS:
            continue
        text = piece[at - 1].text
        price = abs(above - below) + (0 if text.endswith(_SENTENCE) else 6 if text.endswith(_CLAUSE) else 14)
        price += 3 if above > below else 0  # the lower row had better be the longer one
        if best is None or price < best[0]:
            best = price, (upper, lower)
    return None if best is None else best[1]


def _joined(piece: Sequence[_Token]) -> str:
    return "".join(f"{'' if token.glued or not index else ' '}{token.text}" for index, token in enumerate(piece))


def width_of(text: str) -> int:
    """Columns; what is wide in East Asian typography takes two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _comment(line: LineRecord) -> str:
    text = one_line(line.text) if line.kind == NOTE else ""
    marked = f"marked {one_line(line.mark)}".rstrip() if line.mark is not None else ""
    return ", ".join(filter(None, (text, marked)))


def _escaped(text: str) -> str:
    """Text of a WebVTT cue (https://www.w3.org/TR/webvtt1/#webvtt-cue-text-span); `-->` has its `>` escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(ms: int, point: str) -> str:
    seconds, rest = divmod(ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{rest:03}"
