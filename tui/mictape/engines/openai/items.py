"""Texts of items that are transcribed side by side, put into the order of speech."""

from collections.abc import Iterator
from dataclasses import dataclass

from mictape.engines.base import Answered, EngineEvent, FinalTurn, Partial, Word


@dataclass(slots=True)
class _Item:
    """One committed utterance, as far as it is known."""

    turn: int
    start: int | None = None
    until: int | None = None
    """Where its sound ends; None while that is not known."""
    shown: str = ""
    final: FinalTurn | None = None


class Items:
    """Puts a connection's items in the order of speech, however their texts come.

    Texts are said in order: one that came early waits for those before it, shown as a partial.
    """

    def __init__(self) -> None:
        self._items: dict[str, _Item] = {}
        self._order: list[_Item] = []
        self._said = 0
        """Items at the front of `_order` that are over."""
        self._live: dict[str, str] = {}
        """What is written of items that are not committed yet."""
        self._answered = 0

    @property
    def open(self) -> bool:
        """Whether a text is still to come."""
        return self._said < len(self._order)

    def commit(self, item_id: str, previous: str | None, start: int | None, until: int | None) -> None:
        """An item is there. One named before it that is unknown was committed before it."""
        if previous is not None:
            self._placed(previous)
        item = self._placed(item_id)
        item.start, item.until = start, until

    def delta(self, item_id: str, more: str, start: int | None) -> Iterator[EngineEvent]:
        """More of a text. `start`: where the utterance that goes on now began, if it is known."""
        item = self._items.get(item_id)
        if item is None:  # models that write while speech goes on write before the commit
            text = self._live[item_id] = self._live.get(item_id, "") + more
            yield Partial(len(self._order), text, start=start)
        elif item.final is None:
            item.shown += more
            yield Partial(item.turn, item.shown, start=item.start)

    def complete(
        self, item_id: str, text: str, language: str | None, words: tuple[Word, ...] | None = None
    ) -> Iterator[EngineEvent]:
        """The whole of a text."""
        item = self._placed(item_id)
        late = item.turn < self._said
        item.final = FinalTurn(item.turn, text, words, start=item.start, end=item.until, language=language)
        if late:
            yield item.final
        elif item.turn > self._said:
            item.shown = text
            yield Partial(item.turn, text, stable=len(text), start=item.start)
        yield from self._say()

    def answer(self, until: int) -> Iterator[EngineEvent]:
        """All is said of the samples before `until`."""
        if until > self._answered:
            self._answered = until
            yield Answered(until)

    def _placed(self, item_id: str) -> _Item:
        item = self._items.get(item_id)
        if item is None:
            item = _Item(len(self._order), shown=self._live.pop(item_id, ""))
            self._items[item_id] = item
            self._order.append(item)
        return item

    def _say(self) -> Iterator[EngineEvent]:
        """Whatever is next in the order of speech, as far as it is over."""
        while self.open and (item := self._order[self._said]) and item.final:
            self._said += 1
            if item.final.text:
                yield item.final
            elif item.shown:
                yield Partial(item.turn, "", start=item.start)
            yield from self.answer(item.until or 0)
