"""The versions of a session's text: which one is shown, where two of them differ, and how to make another."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import ClassVar, Final, Literal

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mictape.engines.readiness import in_thread
from mictape.library import versions
from mictape.library.comparing import Comparison, Passage, Piece, compare
from mictape.library.library import Library, Store
from mictape.library.records import LineRecord, SessionRecord, VersionRecord
from mictape.library.titles import name_of
from mictape.plain_text import counted, one_line
from mictape.screens.modal import Question
from mictape.units import clock
from mictape.widgets.key_hints import clickable
from mictape.widgets.options import Options

Answer = int | Literal["again", "cancel"]
"""The number of the version to show, or that another one is to be made, or the making of one to be cancelled."""

LOOK_S: Final = 0.5
"""How often it is looked how far a new version is, seconds."""

PASSAGES: Final = 200
"""So many are shown; `mictape sessions compare` prints all."""


class VersionsScreen(Question[Answer | None]):
    """Choose the version of a session's text that is shown. The result is None when nothing is to change."""

    CSS_PATH = "versions.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("a", "again", "transcribe again"),
        Binding("c", "cancel", "cancel"),
        Binding("pageup", "turn(-1)", show=False, priority=True),
        Binding("pagedown", "turn(1)", show=False, priority=True),
    ]

    _list = getters.query_one("#versions", OptionList)
    _title = getters.query_one("#title", Static)
    _differences = getters.query_one("#differences", Static)
    _scroll = getters.query_one("#scroll", VerticalScroll)

    def __init__(self, library: Library, session: SessionRecord, doing: Callable[[], str] = str) -> None:
        """Prepare.

        Args:
            library: Where the session is.
            session: The session, which has ended.
            doing: Says how far it is with another version that is being made; empty: none is.
        """
        super().__init__()
        self._doing = doing
        self._library = library
        self._session = session
        self._versions: list[VersionRecord] = []

    def compose(self) -> ComposeResult:
        """The versions, and below them where the one under the cursor and the one that is shown differ."""
        with Vertical(id="box") as box:
            box.border_title = Content(f'Versions of "{name_of(self._session)}"')
            box.border_subtitle = clickable("enter show · a new version · esc back")
            yield Options(id="versions", markup=False, compact=True)
            yield Static(id="doing", markup=False)
            yield Static(id="title", markup=False)
            with VerticalScroll(id="scroll", can_focus=False):
                yield Static(id="differences", markup=False)

    async def on_mount(self) -> None:
        """List them, the one that is shown under the cursor."""
        self._list.focus()
        self._show_doing()
        self.set_interval(LOOK_S, self._show_doing)
        self._versions = await self._library.run(versions.versions, self._session.id)
        self._list.add_options(Option(self._row(version), id=str(version.number)) for version in self._versions)
        numbers = [version.number for version in self._versions]
        self._list.highlighted = numbers.index(self._session.version)
        if len(numbers) == 1:
            self._title.update("There is one version. Transcribe it again to have another one beside it.")
        else:
            self.query_one("#box").border_subtitle = clickable("enter show · a new version · esc back · pgdn more")

    def _show_doing(self) -> None:
        doing = self._doing()
        said = f"     {doing} (c: cancel)" if doing else ""
        for shown in self.query("#doing").results(Static):  # none while the screen goes
            shown.display = bool(doing)
            if shown.content != said:
                shown.update(said)

    def action_cancel(self) -> None:
        """Leave to cancel the version that is being made."""
        if self._doing():
            self.dismiss("cancel")

    def action_leave(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    def action_again(self) -> None:
        """Leave to choose an engine for another version."""
        self.dismiss("again")

    def action_turn(self, step: int) -> None:
        """Scroll the differences by a screen."""
        self._scroll.scroll_relative(y=step * max(1, self._scroll.size.height - 1), animate=False)

    @on(OptionList.OptionSelected)
    def _on_choice(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        number = int(event.option_id or 0)
        self.dismiss(None if number == self._session.version else number)

    @on(OptionList.OptionHighlighted)
    def _on_move(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if len(self._versions) > 1:
            self.run_worker(self._compare(int(event.option_id or 0)), group="compare", exclusive=True)

    async def _compare(self, number: int) -> None:
        """Show where a version differs from the shown one; the shown one, from the one beside it."""
        numbers = [version.number for version in self._versions]
        shown = self._session.version
        other = shown if number != shown else numbers[max(numbers.index(number) - 1, 0)]
        old, new = sorted((number, other if other != number else numbers[1]))
        self._title.update(f"Comparing version {old} with version {new} …")
        found = await in_thread(partial(compare, await self._lines(old), await self._lines(new)))
        differ = f"{counted(found.differing, 'word')} differ{'s' if found.differing == 1 else ''}"
        same = f"Versions {old} and {new} have the same words."
        self._title.update(f"{differ}: [version {old}] {{version {new}}}" if found.differing else same)
        self._differences.update(_content(found))
        self._scroll.scroll_home(animate=False)

    async def _lines(self, number: int) -> list[LineRecord]:
        return await self._library.run(Store.lines, self._session.id, words=False, version=number)

    def _row(self, version: VersionRecord) -> Content:
        shown = version.number == self._session.version
        made = f"{datetime.fromtimestamp(version.created_utc_s):%Y-%m-%d %H:%M}"
        return Content.assemble(
            f"{'●' if shown else ' '} {version.number:>2}  {made}  {one_line(version.title)}",
            ("  shown", "bold") if shown else "",  # no colours: the row may be under the cursor
            "" if version.complete else ("  not complete", "italic"),
        )


def _content(found: Comparison) -> Content:
    rows = [_row(passage.shortened()) for passage in found.passages[:PASSAGES]]
    if (more := len(found.passages) - PASSAGES) > 0:
        rows.append(Content(f"… and {more:,} more places; mictape sessions compare prints all."))
    return Content("\n").join(rows)


def _row(passage: Passage) -> Content:
    words = Content(" ").join(each for piece in passage.pieces if (each := _words(piece)))
    return Content.assemble((f"{clock(passage.start)}  ", "$transcript-time"), words)


def _words(piece: Piece) -> Content:
    """In brackets what the old version has, and in braces what the new one has."""
    old, new = one_line(piece.old), one_line(piece.new)
    if piece.same:
        return Content(new)
    removed = Content.styled(f"[{old}]", "$error") if old else Content()
    return removed + (Content.styled(f"{{{new}}}", "$success") if new else Content())
