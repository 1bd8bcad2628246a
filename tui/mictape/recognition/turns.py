"""The turns of one connection: which are final, and what the others have so far."""

from mictape.engines.base import EngineEvent, FinalTurn, Partial
from mictape.intervals import Interval


class Turns:
    """What has text already, whether the engine has answered for it or not yet."""

    def __init__(self, start: int) -> None:
        """`start`: where the connection's stretch begins."""
        self.final_until = start
        """Every turn before this is final."""
        self._start = start
        self._early: dict[int, FinalTurn] = {}
        """Final turns after one that is not final yet, by number."""
        self._final = 0
        """How many turns are final, counted from the first without a gap."""
        self._partials: dict[int, Partial] = {}
        """The partials of turns that are not final yet."""

    @property
    def unfinished(self) -> Partial | None:
        """The partial of the first turn that is not final yet."""
        return self._partials[min(self._partials)] if self._partials else None

    def with_text(self, sent: int) -> list[Interval]:
        """The parts of the stretch that have final text, as far as it was `sent`."""
        early = (
            (max(turn.start, self._start), min(turn.end, sent))
            for turn in self._early.values()
            if turn.start is not None and turn.end is not None
        )
        return [(start, end) for start, end in ((self._start, self.final_until), *early) if start < end]

    def count(self, turn: FinalTurn, sent: int) -> None:
        """Count a turn as final, also one whose words belong to another stretch."""
        if turn.turn >= self._final:
            self._early[turn.turn] = turn
        while self._final in self._early:
            end = self._early.pop(self._final).end
            self._final += 1
            self.final_until = max(self.final_until, min(end or 0, sent))

    def take(self, event: EngineEvent) -> None:
        """Keep the partial of a turn, of words that the stretch owns, until the turn is final."""
        if isinstance(event, Partial):
            self._partials[event.turn] = event
        elif isinstance(event, FinalTurn):
            self._partials.pop(event.turn, None)
