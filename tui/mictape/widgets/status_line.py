"""The state line: the state word, what is recorded and by what it is recognised, and how far it is."""

from collections.abc import Callable
from textwrap import wrap
from typing import Final

from msgspec import Struct
from rich.cells import cell_len
from rich.segment import Segment
from textual.events import Resize
from textual.geometry import Size
from textual.strip import Strip

from mictape.commands import explained
from mictape.failure import Advice
from mictape.session.state import State, Status
from mictape.units import RATE, clock, span
from mictape.widgets.cells import cut
from mictape.widgets.direct_rows import draw_rows
from mictape.widgets.inks import Ink, Inked, Styles
from mictape.widgets.survives import SurvivesErrors

LAMPS: Final = {
    State.LISTENING: ("●", "live"),
    State.CATCHING_UP: ("»", "live"),
    State.PAUSED: ("‖", "waiting"),
    State.NO_DEVICE: ("○", "waiting"),
    State.LOADING: ("…", "waiting"),
    State.CONNECTING: ("…", "waiting"),
    State.OFFLINE: ("○", "trouble"),
    State.READING: ("≡", "live"),
}
"""The lamp's sign and its tone by state; every other state is trouble. The sign says it without colour."""

_TROUBLE: Final = ("!", "trouble")
_QUARTER: Final = RATE // 4
"""While the tape grows, numbers change at most every quarter of a second of it (samples)."""
_GAP: Final = "   "
_WIDE: Final = 98
"""From so many cells on, in a terminal of 100 columns, it is also said that nothing is lost."""
_SHORT_NAME: Final = 10
"""A device's name is not cut shorter than this many cells; it goes instead."""


_INKS: Final = {
    "live": Ink("success", text="bold"),
    "waiting": Ink("warning", text="bold"),
    "trouble": Ink("error", text="bold"),
    "recording": Ink("error", text="bold"),
    "device": Ink("foreground"),
    "detail": Ink("transcript-time"),
    "hint": Ink("foreground"),
}
"""What the parts are drawn in, by tone. The first three are for the lamp and the word: while sound arrives and is
answered, while it is paused or something starts, and when something is wrong."""


class _Shown(Struct, frozen=True):
    """What the line says of a status, in words."""

    state: State
    also: State | None
    track: str
    title: str
    device: str
    engine: tuple[str, ...]
    """The parts of the engine's title, the least important last."""
    clock: str
    behind: str
    latency: str
    """Empty when it is not measured."""
    cost: str
    """Empty where nothing is paid."""
    lost: str
    """Empty when nothing is."""
    hint: str
    recording: bool
    kept: bool


class StatusLine(SurvivesErrors, Inked):
    """One row with everything that is true now; a second one while there is something to do about it.

    Detail goes as the row gets narrower; state, recording mark, clock and delay stay.
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    StatusLine {
        height: auto;
        padding: 0 1;
        background: $surface;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._status: Status | None = None
        self._shown: _Shown | None = None
        self._styles = Styles(self, _INKS)
        """By tone."""

    def show(self, status: Status, explain: Callable[[Advice], str] = explained) -> None:
        """Show a status, its hint in the words of `explain`; draws only if the words change."""
        before, self._status = self._status, status
        moved_within_quarter = (
            before is not None
            and before.position != status.position
            and before.position // _QUARTER == status.position // _QUARTER
        )
        shown = _in_words(status, explain, keep=self._shown if moved_within_quarter else None)
        if shown == self._shown:
            return
        grows = self._shown is None or self._shown.hint != shown.hint
        self._shown = shown
        if grows:
            self.refresh(layout=True)
        else:
            draw_rows(self, [0])

    @property
    def hint_rows(self) -> int:
        """Rows that the hint takes; 0 without one."""
        hint = self._shown.hint if self._shown is not None else ""
        return len(_hint_rows(hint, self.content_size.width)) if hint else 0

    def on_resize(self, event: Resize) -> None:
        """Another width sheds other detail and wraps the hint elsewhere."""
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One row, and those that the hint needs."""
        return 1 + (len(_hint_rows(self._shown.hint, width)) if self._shown is not None else 0)

    def restyle(self) -> None:
        """Other colours."""
        self._styles.forget()

    def render_line(self, y: int) -> Strip:
        """One row: 0 the state, the others the hint."""
        width = self.content_size.width
        parts: list[_Part] = []
        if self._shown is not None:
            parts = _hint(self._shown.hint, y - 1, width) if y else _state_row(self._shown, width)
        strip = Strip([Segment(text, self._styles[tone]) for text, tone in parts])
        return strip.adjust_cell_length(width, self._styles[""])


_INDENT: Final = "  "
_HINT_ROWS: Final = 4
"""The longest sentence on the narrowest screen that is supported, 60 columns; the rest of it is cut."""

_Part = tuple[str, str]
"""Text, and its tone."""


def _in_words(status: Status, explain: Callable[[Advice], str], keep: _Shown | None) -> _Shown:
    """The words for a status; of `keep` the delay, which must not change yet."""
    behind = "" if status.behind_s is None else f"{span(status.behind_s)} behind"
    return _Shown(
        state=status.state,
        also=status.also,
        track=status.track,
        title=status.title,
        device=status.device,
        engine=tuple(status.engine.split(" · ")) if status.engine else (),
        clock=clock(status.position),
        behind=keep.behind if keep is not None and keep.behind and behind else behind,
        latency="" if status.latency_s is None else f"latency {status.latency_s:.1f} s",
        cost="" if status.cost_usd is None else f"${status.cost_usd:.2f}",
        lost=f"lost {span(max(status.lost_ms / 1000, 0.1))}" if status.lost_ms else "",
        hint=explain(status.hint) if status.hint is not None else "",
        recording=status.recording,
        kept=status.kept,
    )


def _state_row(shown: _Shown, width: int) -> list[_Part]:
    """The first row: taken in the order of importance as long as there is room, laid out in reading order."""
    lamp, tone = LAMPS.get(shown.state, _TROUBLE)
    whose = f" {cut(shown.track, _SHORT_NAME)}" if shown.track else ""
    head: list[_Part] = [(f"{lamp} {shown.state}{whose}", tone)]
    if shown.also is not None:
        head.append((f", {shown.also}", "trouble"))
    if shown.recording:
        head.append(("  REC", "recording"))
    if not shown.kept:
        head.append(("  NOT KEPT", "waiting"))
    room = width - _cells(head)

    def take(text: str, tone: str) -> list[_Part]:
        nonlocal room
        needed = len(_GAP) + cell_len(text)
        if not text or needed > room:
            return []
        room -= needed
        return [(_GAP + text, tone)]

    now = take(shown.clock, "device")
    behind = take(shown.behind, "detail")
    cost = take(shown.cost, "detail")
    lost = take(shown.lost, "trouble")
    if width >= _WIDE and shown.state is not State.READING:
        lost = lost or take("lost 0", "detail")
    of_title = max(min(cell_len(shown.title), room // 2 - len(_GAP)), _SHORT_NAME) + len(_GAP) if shown.title else 0
    device = take(cut(shown.device, max(room - len(_GAP) - of_title, _SHORT_NAME)), "device")
    title = take(cut(shown.title, max(of_title - len(_GAP), 0)), "device")
    engine = take(" · ".join(shown.engine[:2]), "detail")
    model = [] if engine else take(" · ".join(shown.engine[1:2]), "detail")
    latency = take(shown.latency, "detail")
    language = take(" · ".join(shown.engine[2:]), "detail") if engine else []
    if language:
        engine = [(_GAP + " · ".join(shown.engine), "detail")]
    left, right = [*head, *title, *device, *engine, *model], [*now, *behind, *latency, *cost, *lost]
    return [*left, (" " * (width - _cells(left) - _cells(right)), "detail"), *right]


def _hint_rows(hint: str, width: int) -> list[str]:
    """The hint in as many rows as it needs: half a sentence would not say what to do."""
    return wrap(hint, max(width - len(_INDENT), 1), max_lines=_HINT_ROWS, placeholder="…") if hint else []


def _hint(hint: str, row: int, width: int) -> list[_Part]:
    rows = _hint_rows(hint, width)
    return [(_INDENT + cut(rows[row], width - len(_INDENT)), "hint")] if row < len(rows) else []


def _cells(parts: list[_Part]) -> int:
    return sum(cell_len(text) for text, _ in parts)
