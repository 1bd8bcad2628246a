"""What there is to know about the session under the cursor."""

from dataclasses import dataclass

from textual.content import Content

from mictape.audio.tape import TapeError
from mictape.library import folders
from mictape.library.library import Library, Store
from mictape.library.records import SessionRecord
from mictape.library.sound_storage import weight_of
from mictape.library.titles import name_of, tags_of
from mictape.library.versions import versions
from mictape.plain_text import counted, one_line
from mictape.screens.library.rows import state_of
from mictape.units import clock


@dataclass(frozen=True, slots=True)
class Preview:
    """A session, its size and its first lines."""

    session: SessionRecord
    live: bool
    bytes: int | None
    """The size of its recording; None where it cannot be read."""
    texts: tuple[str, ...]
    """Its first lines."""
    engines: tuple[str, ...]
    """What made the versions of its text: engine, model and language, as people call them."""

    def facts(self) -> str:
        """One line: what was recorded, by which engine, how much."""
        session = self.session
        marked = f"{session.marks} marked" if session.marks else ""
        size = "" if not self.bytes else f"{self.bytes / 1e6:,.1f} MB"
        lines = counted(session.lines, "line")
        devices, engines = (" + ".join(map(one_line, names)) for names in (session.devices, self.engines))
        return " · ".join(filter(None, (lines, marked, size, devices, engines)))

    def content(self) -> Content:
        """All of it, for a pane beside the list."""
        session = self.session
        state, _ = state_of(session, live=self.live)
        tags = tags_of(session)
        heads = [(name_of(session), "$accent bold"), f"{session.started:%A, %d %B %Y, %H:%M}, {clock(session.samples)}"]
        rows: list[str | tuple[str, str]] = [*heads, self.facts(), tags, (state, "bold")]
        shown = [row for row in rows if (row if isinstance(row, str) else row[0])]
        parts = [part for row in shown for part in (row, "\n")]
        return Content.assemble(*parts, "\n", "\n".join(map(one_line, self.texts)))


async def preview_of(library: Library, session: SessionRecord) -> Preview:
    """Read what a preview needs. Raises MictapeError."""

    def read(store: Store) -> Preview:
        try:
            size = weight_of(store.sessions_folder / session.id).total
        except (OSError, TapeError):
            size = None
        engines = dict.fromkeys(version.title for version in versions(store, session.id))
        live = session.state == "open" and folders.is_alive(store.sessions_folder / session.id)
        return Preview(session, live, size, tuple(store.first_texts(session.id)), tuple(engines))

    return await library.run(read)
