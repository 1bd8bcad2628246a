"""Sessions and hits as rows of a list. Pure."""

from collections.abc import Sequence

from rich.cells import cell_len

from mictape.library.hits import Hit
from mictape.library.records import SessionRecord
from mictape.library.titles import name_of, tags_of
from mictape.plain_text import one_line
from mictape.units import Span, clock
from mictape.widgets.cells import fitted
from mictape.widgets.row_list import Part

DAY_CELLS = 12
NAME_CELLS = 20
"""The least that a title keeps; facts go before it gets shorter."""


def state_of(session: SessionRecord, *, live: bool) -> Part:
    """What a list says about how a session ended; empty for one that is complete."""
    if session.state == "open":
        return ("● in progress", "live") if live else ("interrupted", "trouble")
    return (f"{missing} without text", "trouble") if (missing := session.without_text) else ("", "detail")


def session_row(session: SessionRecord, width: int, *, day: str, live: bool) -> list[Part]:
    """A session: day, time, length, name, and what is special about it, as far as there is room.

    Args:
        session: The session.
        width: Cells of the row.
        day: What stands in the column of days; empty where the row before has it.
        live: Whether a living process records or imports it.
    """
    head = f"{fitted(day, DAY_CELLS)}{session.started:%H:%M}  {clock(session.samples)}  "
    room = width - cell_len(head)
    facts: list[Part] = []
    for text, tone in _facts(session, live=live):
        if text and room - cell_len(text) - 2 >= NAME_CELLS:
            facts += [("  ", "detail"), (text, tone)]
            room -= cell_len(text) + 2
    return [
        (head[:DAY_CELLS], "strong"),
        (head[DAY_CELLS:], "detail"),
        (fitted(name_of(session), room), "text"),
        *facts,
    ]


def _facts(session: SessionRecord, *, live: bool) -> Sequence[Part]:
    """In the order of importance."""
    return (
        state_of(session, live=live),
        (f"★{session.marks}" if session.marks else "", "text"),
        (tags_of(session), "strong"),
        (one_line(" + ".join(session.devices)), "detail"),
    )


def heading_row(session: SessionRecord, width: int, *, live: bool) -> list[Part]:
    """A session above what was found in it."""
    when = f"  {session.started:%a %d %b %Y, %H:%M}  {clock(session.samples)}"
    state, tone = state_of(session, live=live)
    room = width - cell_len(when)
    if state and room - cell_len(state) - 2 >= NAME_CELLS:
        when += "  "
        room -= cell_len(state) + 2
    else:
        state = ""
    name = name_of(session)
    return [(fitted(name, min(room, cell_len(name))), "strong"), (when, "detail"), (state, tone)]


def hit_row(hit: Hit, width: int) -> list[Part]:
    """Something that was found, with a little of what stands around it."""
    at = clock(hit.start) if hit.start is not None else hit.what
    head: list[Part] = [(f"  {at:<8}  ", "detail")]
    head += [("★ ", "text")] if hit.mark is not None or hit.what == "mark" else []
    head += [(f"{one_line(hit.voice)}  ", "strong")] if hit.voice else []
    head += [("note: ", "detail")] if hit.what == "note" else []
    room = width - sum(cell_len(text) for text, _ in head)
    return [*head, *_found(hit, room)]


def _found(hit: Hit, room: int) -> list[Part]:
    """The text with what was found marked, moved so that the most of that is in view, and the line after it."""
    text, spans = hit.text.translate(_ONE_LINE), list(hit.spans)
    cut = _best_cut(spans, max(room - 4, 1)) if cell_len(text) > room else 0
    parts: list[Part] = [("…", "detail")] if cut else []
    at = cut
    for start, end in spans:
        if start >= at:
            parts += [(text[at:start], "text"), (text[start:end], "found")]
            at = end
    after = f" · {one_line(hit.after)}" if hit.after else ""
    return [*parts, (text[at:], "text"), (after, "detail")]


def _best_cut(spans: Sequence[Span], room: int) -> int:
    """From which character on a text has the most of what was found in so many characters; the first of several."""

    def found(cut: int) -> int:
        return sum(end - start for start, end in spans if cut <= start and end <= cut + room)

    return max((max(0, end - room) for _, end in spans), key=found, default=0)


_ONE_LINE = dict.fromkeys((*range(32), 127), " ")
"""Control characters, one for one, so that places in the text stay."""
