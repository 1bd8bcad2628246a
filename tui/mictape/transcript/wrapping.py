"""Cutting text into rows of a terminal: by cells, never through what is seen as one character.

Nearly all that is said in Latin letters takes the fast way, one search for a space a row; everything else is
cut cluster by cluster.
"""

import re
from typing import Final

from rich.cells import split_graphemes

from mictape.units import Span

_one_cell_each = re.compile("[ -~\xa0-\xac\xae-\u02ff]*").fullmatch
"""Characters that take one cell each, never join, and break at spaces only."""

_flag_half = re.compile("[\U0001f1e6-\U0001f1ff]")
"""Regional indicators: two of them are one flag."""

_NOT_FIRST: Final = frozenset(
    "、。，．：；！？）」』】〉》〕］｝〗〙〛"  # noqa: RUF001 - these are meant
    "々ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ・…‥”’,.;:!?)]}"
)
"""Must not begin a row of Chinese or Japanese (JIS X 4051, the plain part of it)."""

_NOT_LAST: Final = frozenset("（「『【〈《〔［｛〖〘〚“‘([{")  # noqa: RUF001
"""Must not end one."""


_Cluster = tuple[int, int, int]
"""What is seen as one character: start, end, cells."""


def wrap(text: str, width: int, left: int | None = None) -> list[Span]:
    """Cut text into rows, greedily: at spaces, between wide characters, else where the row is full.

    Spaces at a break belong to no row, nor do those at either end of the text. A row has at most `width`
    cells, unless a single character has more.

    Args:
        text: as `visible` returns it.
        width: cells of a row, at least 1.
        left: cells that are left in the row where the text begins, where something else stands in it already.

    Returns:
        The rows; the first is empty where nothing of the text fits into what is left of its row. One empty row for
        text without anything to see.
    """
    end = len(text.rstrip(" "))
    start = len(text) - len(text.lstrip(" "))
    if start >= end:
        return [(0, 0)]
    left = width if left is None else left
    if _one_cell_each(text):
        return _wrap_narrow(text, start, end, width, left)
    return _wrap_clusters(text, _clusters(text[:end]), width, left)


def _wrap_narrow(text: str, start: int, end: int, width: int, left: int) -> list[Span]:
    """Wrap text whose characters all take one cell; neither end is a space."""
    rows: list[Span] = []
    while end - start > left:
        cut = text.rfind(" ", start, start + max(0, left) + 1)
        if cut < 0:
            cut = start + width if left == width else start
            rows.append((start, cut))
        else:
            rows.append((start, start + len(text[start:cut].rstrip(" "))))
        start, left = cut, width
        while text[start] == " ":
            start += 1
    rows.append((start, end))
    return rows


def _wrap_clusters(text: str, clusters: list[_Cluster], width: int, left: int) -> list[Span]:
    """Wrap any text, cluster by cluster; the last cluster is not a space."""
    rows: list[Span] = []
    blank = [text[start:end] == " " for start, end, _ in clusters]
    first = at = blank.index(False)
    cells = 0
    last_break = first
    while at < len(clusters):
        if at > first and not blank[at] and (blank[at - 1] or _breaks_between(text, clusters[at - 1], clusters[at])):
            last_break = at
        full = cells + clusters[at][2] > left
        if full and left < width and last_break == first and not blank[at]:  # nothing fits into what is left
            rows.append((clusters[first][0], clusters[first][0]))
            at, cells, left = first, 0, width
            continue
        if full and at > first:
            following = last_break if last_break > first and not blank[at] else at
            last = following
            while blank[last - 1]:
                last -= 1
            rows.append((clusters[first][0], clusters[last - 1][1]))
            while blank[following]:
                following += 1
            first = at = last_break = following
            cells, left = 0, width
            continue
        cells += clusters[at][2]
        at += 1
    rows.append((clusters[first][0], clusters[-1][1]))
    return rows


def _breaks_between(text: str, left: _Cluster, right: _Cluster) -> bool:
    """Whether a row may end between two neighbours of which neither is a space."""
    if max(left[2], right[2]) < 2:  # noqa: PLR2004 - wide characters take two cells
        return False
    return text[left[0]] not in _NOT_LAST and text[right[0]] not in _NOT_FIRST


def _clusters(text: str) -> list[_Cluster]:
    """What is seen as one character each, flags included, which Rich sees as two."""
    clusters, _ = split_graphemes(text)
    if not _flag_half.search(text):
        return clusters
    joined: list[_Cluster] = []
    open_flag = False
    for start, end, cells in clusters:
        half = _flag_half.match(text, start) is not None
        if half and open_flag:
            joined[-1] = (joined[-1][0], end, joined[-1][2] + cells)
            open_flag = False
        else:
            joined.append((start, end, cells))
            open_flag = half
    return joined
