"""What was kept of a recording, as one line for the terminal."""

from dataclasses import dataclass

from mictape.library.records import SessionRecord
from mictape.library.titles import title_of
from mictape.plain_text import counted, one_line
from mictape.units import clock


@dataclass(frozen=True, slots=True)
class Saved:
    """What the library has of a recording that has ended."""

    session: SessionRecord
    newest: bool
    """Whether it is the session that `last` means."""
    in_trash: bool = False
    """Whether it was put there because nothing was said in it."""

    def __str__(self) -> str:
        """What a terminal shows: `saved "Budget meeting" 00:11:42, 98 lines · mictape open last`.

        Where sound has no text it says how much, and the command that transcribes it.
        """
        title = title_of(self.session)
        name = f'"{one_line(title)}" ' if title else ""
        length = clock(self.session.samples)
        if self.in_trash:
            return f"no words in {length}: moved to the trash · mictape sessions restore {self.session.id}"
        lines = counted(self.session.lines, "line")
        id = "last" if self.newest else self.session.id
        saved = f"saved {name}{length}, {lines} · mictape open {id}"
        if not (missing := self.session.without_text):
            return saved
        return f"{saved}\n{missing} of it has no text yet · mictape sessions complete {id}"
