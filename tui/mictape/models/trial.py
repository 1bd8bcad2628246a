"""Trying a model: clips with their texts, and how much of the texts it gets right. Pure, but for reading the list."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.models.languages import primary
from mictape.text_files import read_text

MANIFEST: Final = "manifest.tsv"
COLUMNS: Final = ("file", "language", "reference")
WITHOUT_SPACES: Final = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
"""Languages that are written without spaces: their errors are counted in characters."""

GOOD, POOR = 0.15, 0.35
"""Error rates: up to the first one a text can be used as it is, beyond the second it has to be written again."""
REAL_TIME: Final = 0.7
"""Seconds for a second of speech, beyond which a machine is too slow for a model in a live recording."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording whose text is known."""

    path: Path
    language: str
    reference: str


@dataclass(frozen=True, slots=True)
class Score:
    """How a text compares with the right one."""

    wrong: int
    """Words, or characters, that are replaced, missing or too many."""
    of: int
    """Words, or characters, of the right text."""

    def __add__(self, other: "Score") -> "Score":
        return Score(self.wrong + other.wrong, self.of + other.of)

    @property
    def rate(self) -> float:
        """The error rate; may be above 1."""
        return self.wrong / max(1, self.of)


def read_clips(folder: Path) -> list[Clip]:
    """The clips that a folder's `manifest.tsv` lists.

    Raises:
        MictapeError: (`ExitCode.SOUND`) there is no such file; (`ExitCode.USAGE`) it has other columns.
    """
    path = folder / MANIFEST
    try:
        rows = [line.split("\t") for line in read_text(path).splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise MictapeError(Failure(f"{path} cannot be read: {why}", "Give a folder that has one")) from error
    head = rows[0] if rows else []
    if any(name not in head for name in COLUMNS) or any(len(row) != len(head) for row in rows):
        what = f"{path} does not have the columns {', '.join(COLUMNS)}"
        raise MictapeError(Failure(what, "Separate them by tabs, with their names in the first line", ExitCode.USAGE))
    file, language, reference = map(head.index, COLUMNS)
    return [Clip(folder / row[file], row[language], row[reference]) for row in rows[1:]]


def score(clip: Clip, text: str) -> Score:
    """Compare what was recognized in a clip with its text, without case and punctuation."""
    right, found = (_units(each, clip.language) for each in (clip.reference, text))
    return Score(_distance(right, found), len(right))


def _units(text: str, language: str) -> Sequence[str]:
    letters = (
        each if unicodedata.category(each)[0] in "LMN" else "" if each in "'’" else " "
        for each in unicodedata.normalize("NFKC", text).casefold()
    )
    words = "".join(letters).split()
    return "".join(words) if primary(language) in WITHOUT_SPACES else words


def _distance(one: Sequence[str], two: Sequence[str]) -> int:
    """The fewest replacements, deletions and insertions that make one of the other (Levenshtein, 1965)."""
    row = list(range(len(two) + 1))
    for at, left in enumerate(one, 1):
        before, row[0] = row[0], at
        for column, right in enumerate(two, 1):
            best = min(row[column] + 1, row[column - 1] + 1, before + (left != right))
            before, row[column] = row[column], best
    return row[-1]
