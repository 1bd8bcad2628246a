"""Which words of the lines on the screen an engine was unsure of: asked of the library when they are shown."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from mictape.failure import MictapeError
from mictape.transcript.line import SPEECH
from mictape.transcript.model import Transcript
from mictape.units import Span

Ask = Callable[[Sequence[int]], Awaitable[Mapping[int, tuple[Span, ...]]]]
"""Gives where unsure words stand in the texts of lines, by their ids; lines without any may be left out."""


class UnsureWords:
    """Knows the unsure words of the lines that were asked about last, so of about a screen of lines.

    A line that changed is forgotten, also while the answer about it is on its way.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.ask: Ask | None = None
        """Who knows; nothing is unsure without."""
        self._transcript = transcript
        self._version = transcript.version
        self._known: dict[int, tuple[Span, ...]] = {}
        self._asked: set[int] = set()

    def sync(self) -> None:
        """Forget what changed in the transcript."""
        changes = self._transcript.changes_since(self._version)
        self._version = self._transcript.version
        if changes is None:
            self._known.clear()
            self._asked.clear()
        for change in changes or ():
            self._known.pop(change.id, None)
            self._asked.discard(change.id)

    def spans(self, id: int) -> tuple[Span, ...]:
        """Where in a line's text its unsure words stand, as far as that is known."""
        return self._known.get(id, ())

    def missing(self, shown: Iterable[int]) -> list[int]:
        """Those of the lines that have to be asked about; what a person has written or edited has no unsure words."""
        if self.ask is None:
            return []
        unknown = (id for id in shown if id not in self._known and id not in self._asked and id in self._transcript)
        lines = (self._transcript.line_of(id) for id in unknown)
        return [line.id for line in lines if line.kind is SPEECH and line.original is None]

    async def learn(self, lines: Sequence[int], shown: Callable[[], Iterable[int]]) -> None:
        """Ask about lines, and forget those that are no longer shown when the answer is there.

        What cannot be read is not marked; trouble with the library is reported where something is written.
        """
        self._asked.update(lines)
        found: Mapping[int, tuple[Span, ...]] = {}
        with suppress(MictapeError):
            found = found if self.ask is None else await self.ask(lines)
        self.sync()
        still = set(shown())
        self._known = {id: spans for id, spans in self._known.items() if id in still}
        self._known |= {id: found.get(id, ()) for id in lines if id in self._asked}
        self._asked.difference_update(lines)
