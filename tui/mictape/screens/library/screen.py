"""The library: all sessions, newest first, and a search through all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, Final, cast

from textual import getters, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from mictape.commands import bind_moving, explained, keymap_in
from mictape.failure import Advice, Failure, MictapeError
from mictape.library import trash
from mictape.library.export import Document, Style, format_of, write
from mictape.library.labels import rename_session, tag_session, tags_in
from mictape.library.library import Library, Store
from mictape.library.listing import ORDERS, Order
from mictape.library.query import parse
from mictape.library.records import SessionRecord
from mictape.library.titles import file_of, name_of
from mictape.plain_text import counted
from mictape.screens.export import ExportScreen, ExportWish
from mictape.screens.library.field import SearchField
from mictape.screens.library.listing import HitListing, Listing, SessionChoice, SessionListing
from mictape.screens.library.preview import Preview, preview_of
from mictape.screens.main.exporting import EVERYTHING, MARKED, Proposal
from mictape.screens.modal import Question
from mictape.screens.prompt import Ask
from mictape.session.documents import read_document
from mictape.session.state import Status
from mictape.tasks import supervised
from mictape.transcript.line import Kind
from mictape.typed_ahead import LONGEST_S, typed_ahead_of
from mictape.widgets.key_footer import KeyFooter
from mictape.widgets.row_list import Row, RowList
from mictape.widgets.status_line import StatusLine

WIDE: Final = 110
"""From so many columns on the preview stands beside the list."""

PAUSE_S: Final = 0.05
"""So long after the last key a search begins, seconds."""

LOOK_S: Final = 0.5
"""How often it is looked how far it is with what is done with sessions meanwhile, seconds."""

HINT: Final = 'Search: words "a phrase" -without speaker: in:TITLE tag: device: engine: after: before: marked in:trash'


_UNDO: Final = "ctrl+z"
_DELETE: Final = "ctrl+d"
_Place = tuple[int, str | None]
"""Where the cursor goes: to a row, or to the session with this id where sessions are listed."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the library shows."""

    typed: str = ""
    """What is searched for."""
    order: Order = "newest"
    row: int = 0
    """The one under the cursor."""
    deleted: tuple[tuple[str, int], ...] = ()
    """What was moved to the trash and not taken out again, the latest last: ids, and the rows they had."""


class LibraryScreen(Question[SessionChoice | None]):
    """Choose a session, or a place in one. The result is the choice, or None when the screen was left."""

    app = cast("getters.app[App[None]]", getters.app(App))  # isinstance knows no type arguments

    quits = True
    CSS_PATH = "library.tcss"
    AUTO_FOCUS = "#search"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="Read the session, or go to the line"),
        Binding("escape", "leave", "back", tooltip="Go back; with something typed, empty the search first"),
        Binding("ctrl+r", "rename", "rename", tooltip="Give the session a title"),
        Binding("ctrl+t", "tag", "tags", tooltip="Change the session's tags"),
        Binding("ctrl+s", "sort", "sort", tooltip="List in another order"),
        Binding("ctrl+o", "export", "export", tooltip="Export the session to a file"),
        Binding("ctrl+d", "delete", "delete", tooltip="Move the session to the trash; one that is there is removed"),
        Binding("ctrl+z", "undo", "undo", tooltip="Take the last session out of the trash again"),
        Binding("ctrl+g", "record_on", "resume", tooltip="Record more in the session"),
        Binding("ctrl+n", "versions", "versions", tooltip="Transcribe the session again; compare its versions"),
        Binding("up", "list('move', -1)", show=False),
        Binding("down", "list('move', 1)", show=False),
        Binding("pageup", "list('turn', -1)", show=False),
        Binding("pagedown", "list('turn', 1)", show=False),
        Binding("home,ctrl+home", "list('go_to_end', False)", show=False),
        Binding("end,ctrl+end", "list('go_to_end', True)", show=False),
    ]

    def __init__(
        self,
        library: Library,
        *,
        recorded: str | None = None,
        shown: Shown | None = None,
        proposal: Proposal | None = None,
        versions: Callable[[SessionRecord], Awaitable[object]] | None = None,
        doing: Callable[[], str] = str,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Prepare.

        Args:
            library: What is listed.
            recorded: The id of the session that is being recorded, which cannot be read meanwhile.
            shown: What is shown at first, as another one of these has left it.
            proposal: What is proposed for exports.
            versions: Shows the versions of a session's text and does what is chosen there.
            doing: Says what is done with sessions meanwhile; empty: nothing is.
            now: Gives the present local time.
        """
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]
        # Made here, so that they can be asked at any time, also before the screen is there and while it goes.
        self._status = StatusLine()
        self._status.display = False
        shown = shown or Shown()
        self._search = SearchField(shown.typed, placeholder=HINT, id="search", compact=True, select_on_focus=False)
        self._note = Static(id="note", markup=False)
        self._list = RowList(self._row, id="rows")
        self._preview = Static(id="preview", markup=False)
        self._facts = Static(id="facts", markup=False)
        self._library = library
        self._recorded = recorded
        self._proposal = proposal or Proposal()
        self._versions = versions
        self._doing = doing
        self._said_doing = ""
        """What `doing` said last."""
        self._now = now
        self._order: Order = shown.order
        self._first_row = shown.row
        """The row that the cursor begins on."""
        self._trash = False
        """Whether the list is of what is in the trash."""
        self._listing: Listing | None = None
        self._current = False
        """Whether that is what is typed."""
        self._read = asyncio.Event()
        """Set when more of it was read."""
        self._deleted = list(shown.deleted)
        self._done = ""
        """What was done last, shown until something else is typed or done."""
        self._doomed: str | None = None
        """The session in the trash that is removed when that is asked for once more."""

    @property
    def typed(self) -> str:
        """What is searched for."""
        return self._search.value

    @property
    def shown(self) -> Shown:
        """What is shown now."""
        return Shown(self.typed, self._order, self._list.cursor, tuple(self._deleted))

    def compose(self) -> ComposeResult:
        """The state of the recording, what is searched for, the list, what is under the cursor."""
        yield self._status
        yield self._search
        yield self._note
        with Horizontal(id="lists"):
            yield self._list
            yield self._preview
        yield self._facts
        yield KeyFooter()

    def on_mount(self) -> None:
        """List the newest sessions."""
        bind_moving(self, "app.command", {"show_help": "show_help"})
        self._list.can_focus = False
        self.set_interval(LOOK_S, self._look)
        self._search.select_all()  # typing replaces what is left from before
        if not self.typed:  # else the field reports it
            self._begin_first()

    def show_recording(self, status: Status | None) -> None:
        """Show the state of what is recorded meanwhile; None: nothing is."""
        self._status.display = status is not None
        if status is not None:
            self._status.show(status, partial(explained, keymap=keymap_in(self)))

    # The list.

    def _row(self, index: int, width: int) -> Row:
        return self._listing.row(index, width) if self._listing is not None else ()

    def _start(self, group: str, work: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
        """Run it instead of what runs in this group; a failure is shown."""

        async def run() -> None:
            await supervised(work(*arguments), "The library", self._say)

        self.run_worker(run, group=group, exclusive=True)

    def _begin_first(self) -> None:
        """List or search for something else, at first with the cursor where it was before."""
        row, self._first_row = self._first_row, 0
        self._begin(row)

    def _begin(self, cursor: int = 0, session: str | None = None) -> None:
        """List or search again, with the cursor on a row, or on a session where sessions are listed."""
        self._current = False
        self._start("library", self._load, cursor, session)

    async def _load(self, cursor: int, session: str | None) -> None:
        if self._listing is not None:
            await asyncio.sleep(PAUSE_S)
        query = parse(self.typed, typing=True, now=self._now)
        which = query.sessions
        listing: Listing
        if which is not None:
            if session is not None:
                cursor = await self._library.run(Store.place, session, which, order=self._order)
            listing = SessionListing(self._library, which, self._order, self._now().date())
        else:
            listing = HitListing(self._library, query)
        shown: list[Listing] = []

        def changed() -> None:
            self._listing, self._trash = listing, query.trash
            self._list.show(len(listing), None if shown else cursor)
            shown.append(listing)
            self._current = True
            self._read.set()
            self._say_found()

        try:
            await listing.load(changed)
        except Exception:  # nothing is known of what is typed
            self._listing = None
            self._list.show(0)
            self._current = True
            self._read.set()
            raise

    async def _listed(self) -> bool:
        """Wait until what is typed is listed, and the row under the cursor read: a key acts on what it is meant for."""
        try:
            async with asyncio.timeout(LONGEST_S):
                while not self._current or (self._session is None and self._list.cursor < len(self._listing or ())):
                    self._read.clear()
                    await self._read.wait()
        except TimeoutError:
            self._say("The list is still being read.")
            return False
        return True

    def _say_found(self) -> None:
        if self._listing is not None:
            self._said_doing = self._doing()
            self._say("   ".join(filter(None, (self._done, self._found(self._listing), self._said_doing))))

    def _look(self) -> None:
        """Show how far it is with what is done meanwhile; list the sessions again once that has ended."""
        if (doing := self._doing()) != self._said_doing:
            if doing:
                self._say_found()
            else:
                self._begin(self._list.cursor)

    def _found(self, listing: Listing) -> str:
        """What stands above the list."""
        if isinstance(listing, HitListing):
            more = "" if listing.done else "…"
            return f"{listing.hits:,}{more} found" if len(listing) else ("Nothing found." if listing.done else "")
        if len(listing):
            where = f" in the trash ({_UNDO}: take out, {_DELETE}: remove)" if self._trash else ""
            return f"{counted(len(listing), 'session')}{where}, {_SAID[self._order]}"
        if self._trash:
            return "Nothing like that is in the trash."
        return "No session fits." if self.typed.strip() else "Nothing has been recorded yet."

    @on(Input.Changed)
    def _on_typing(self) -> None:
        self._done = ""
        self._begin_first()

    @on(RowList.Chosen)
    async def _on_chosen(self) -> None:
        await self.action_open()

    async def action_list(self, action: str, argument: int) -> None:
        """Move the cursor of the list while the typing goes on."""
        if await self._listed():
            getattr(self._list, f"action_{action}")(argument)

    # What is under the cursor.

    @property
    def _session(self) -> SessionRecord | None:
        listing, index = self._listing, self._list.cursor
        return listing.session(index) if listing is not None and index < len(listing) else None

    @on(RowList.Moved)
    def _on_moved(self) -> None:
        session = self._session
        if session is None or session.id != self._doomed:  # it may be said late that the list was read again
            self._doomed = None
        if session is None:
            self._preview.update("")
            self._facts.update("")
        else:
            self._start("preview", self._show_preview, session)

    async def _show_preview(self, session: SessionRecord) -> None:
        preview: Preview = await preview_of(self._library, session)
        self._preview.update(preview.content())
        self._facts.update(preview.facts())

    def _say(self, what: str | Advice) -> None:
        self._note.set_class(isinstance(what, Failure), "-trouble")
        self._note.update(explained(what, keymap_in(self)) if isinstance(what, Advice) else what)

    # What can be done with it.

    def action_leave(self) -> None:
        """Empty the search, or leave."""
        if self.typed:
            self._search.value = ""
        else:
            self.dismiss(None)

    async def action_open(self) -> None:
        """Open the session at the cursor, or go back to the one that is being recorded, at what was found there."""
        if await self._chosen() is not None:
            self._open()

    async def _chosen(self) -> SessionRecord | None:
        """The session under the cursor, once it is known; for one in the trash a message, and None."""
        session = self._session if await self._listed() else None
        if session is None or session.deleted_utc_s is None:
            return session
        self._say(Failure(f'"{name_of(session)}" is in the trash', f"Take it out first ({_UNDO})"))
        return None

    def _open(self) -> None:
        choice = self._listing.choice(self._list.cursor) if self._listing is not None else None
        if choice is not None:
            recorded = choice.session == self._recorded
            if not recorded:
                typed_ahead_of(self.app).replacing()
            self.dismiss(None if recorded and choice.line is None else choice)

    async def action_record_on(self) -> None:
        """Record on in the session under the cursor."""
        if (session := await self._chosen()) is None:
            return
        if self._recorded is not None:
            self._say(Failure("A session is being recorded", "Quit first, then continue the other one", action="stop"))
        else:
            self.dismiss(SessionChoice(session.id, record_on=True))

    async def action_sort(self) -> None:
        """Sort by the next order; the cursor stays on its session."""
        if await self._listed():
            orders = list(ORDERS)
            self._order = orders[(orders.index(self._order) + 1) % len(orders)]
            self._begin(self._list.cursor, self._session.id if self._session is not None else None)

    async def _change(self, work: Callable[[SessionRecord], Coroutine[Any, Any, None]]) -> None:
        """Change the session under the cursor, and list again."""
        if (session := await self._chosen()) is not None:
            self._start_change(work, session)

    def _start_change(self, work: Callable[..., Coroutine[Any, Any, _Place | None]], *arguments: object) -> None:
        self._current = False  # the keys behind it wait for it
        self._start("change", self._changing, work, *arguments)

    async def _changing(self, work: Callable[..., Coroutine[Any, Any, _Place | None]], *arguments: object) -> None:
        """Do the work, and list again with the cursor at the place that it returns, else where it is."""
        self._done = ""
        try:
            place = await work(*arguments)
        except BaseException:
            self._current = True
            self._read.set()
            raise
        self._begin(*(place or (self._list.cursor, None)))

    async def action_rename(self) -> None:
        """Give the session under the cursor a title."""
        await self._change(self._rename)

    async def _rename(self, session: SessionRecord) -> None:
        hint = "Empty: the title that Mictape proposes."
        title = await self.app.push_screen_wait(Ask("Title", hint=hint, value=session.title))
        if title is not None:
            await self._library.run(rename_session, session.id, title)

    async def action_tag(self) -> None:
        """Change the tags of the session under the cursor."""
        await self._change(self._tag)

    async def _tag(self, session: SessionRecord) -> None:
        question = Ask("Tags", hint="Words with commas between them, or # before each.", value=", ".join(session.tags))
        if (answer := await self.app.push_screen_wait(question)) is not None:
            tags = tags_in(answer)
            removed = [tag for tag in session.tags if tag not in tags]
            await self._library.run(tag_session, session.id, add=tags, remove=removed)

    async def action_delete(self) -> None:
        """Move the session under the cursor to the trash; where that is shown, remove it for good, the second time."""
        session = self._session if await self._listed() else None
        if session is None or session.deleted_utc_s is None:
            await self._change(self._delete)
        elif self._doomed == session.id:
            self._start_change(self._purge, session)
        else:
            self._doomed = session.id
            self._say(f'{_DELETE} once more removes "{name_of(session)}" for good, text and sound.')

    async def _purge(self, session: SessionRecord) -> None:
        await self._library.run(trash.purge, session.id)
        self._deleted = [each for each in self._deleted if each[0] != session.id]
        self._done = f'"{name_of(session)}" is removed.'

    async def _delete(self, session: SessionRecord) -> None:
        if session.id == self._recorded:
            raise MictapeError(Failure("This session is being recorded", "Stop the recording first", action="stop"))
        await self._library.run(trash.delete, session.id)
        self._deleted.append((session.id, self._list.cursor))
        self._done = f'"{name_of(session)}" is in the trash; {_UNDO} brings it back.'

    async def action_undo(self) -> None:
        """Take a session out of the trash: the one under the cursor where the trash is shown, else the last deleted."""
        if not await self._listed():
            return
        if self._trash and (session := self._session) is not None:
            self._start_change(self._restore, session.id, self._list.cursor)
        elif self._deleted:
            self._start_change(self._restore, *self._deleted.pop())
        else:
            self._say("Nothing was deleted here.")

    async def _restore(self, session: str, row: int) -> _Place:
        await self._library.run(trash.restore, session)
        self._deleted = [each for each in self._deleted if each[0] != session]
        kept = await self._library.run(Store.session, session)
        self._done = f'"{name_of(kept)}" is out of the trash.'
        return row, None if self._trash else session

    async def action_versions(self) -> None:
        """Show the versions of the text of the session under the cursor."""
        await self._change(self._show_versions)

    async def _show_versions(self, session: SessionRecord) -> None:
        if session.state == "open":
            self._say(Failure("Only a session that has ended has versions of its text", "End it first"))
        elif self._versions is not None:
            await self._versions(session)

    async def action_export(self) -> None:
        """Export the session under the cursor."""
        if (session := await self._chosen()) is not None:
            self._start("change", self._export, session)

    async def _export(self, session: SessionRecord) -> None:
        def read(store: Store, part: str) -> Document:
            document = read_document(store, session.id, store.sessions_folder / session.id, Style(times=True))
            return document.with_marks_and_notes_only() if part == MARKED else document

        async def export(wish: ExportWish) -> None:
            def read_and_write(store: Store) -> None:
                write(format_of(wish.path).write(read(store, wish.part)), wish.path, over=wish.over)

            await self._library.run(read_and_write)

        proposed = self._proposal.path(session.given_title or file_of(session), session.started)
        parts = {EVERYTHING: session.lines}
        if marked := (await self._library.run(read, MARKED)).lines:
            parts[MARKED] = sum(line.kind is Kind.SPEECH for line in marked)
        question = ExportScreen(parts, proposed, export)
        if (path := await self.app.push_screen_wait(question)) is not None:
            self._say(f"Exported to {path}.")


_SAID: Final[dict[Order, str]] = {
    "newest": "newest first",
    "oldest": "oldest first",
    "title": "by title",
    "longest": "longest first",
}
