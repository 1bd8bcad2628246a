"""The engine picker: the speech engines, what each needs, what leaves the machine, what it costs."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar, Final, Protocol

from rich.cells import cell_len
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from mictape.engines.readiness import EngineStatus, Readiness
from mictape.failure import Failure
from mictape.screens.modal import Question
from mictape.screens.prompt import Ask
from mictape.widgets.filtered_options import FilteredOptions
from mictape.widgets.key_hints import key_row

CHOOSABLE: Final = frozenset({Readiness.READY, Readiness.UNREACHABLE})
"""One that is not reachable may be chosen: the session tries until it is."""

MODELS: Final = "models …"
"""The result that asks for the models of the local engine: no engine has such a name."""

_COLOURS: Final = {
    Readiness.READY: "$success",
    Readiness.LOOKING: "$transcript-time",
    Readiness.UNREACHABLE: "$warning",
    Readiness.NEEDS_KEY: "$warning",
}


class Keys(Protocol):
    """Where a key goes that is given in the picker."""

    async def kept(self, name: str) -> str:
        """Where the key of an engine will be kept: a sentence for the person who is asked for it."""
        ...

    async def give(self, name: str, key: str) -> None:
        """Try the key and keep it. Raises MictapeError when it is refused."""
        ...


class EnginePicker(Question[str | None]):
    """Choose who recognises. The result is the engine's name, or None when the picker was left.

    All of `names` are listed at once; `look` finds out about one of them and never raises. They are looked at side
    by side, and each row says what is known so far. `keys` asks for the key of an engine that needs one; None: keys
    cannot be given here.
    """

    CSS_PATH = "engine_picker.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("ctrl+r,f5", "look_again", "look again"),
        # Before the filter, which would leave the field.
        Binding("tab", "models", "models", priority=True),
    ]

    _list = getters.query_one(FilteredOptions)
    _note = getters.query_one("#note", Static)
    _keys = getters.query_one("#keys", Static)

    def __init__(
        self,
        names: Sequence[str],
        look: Callable[[str], Awaitable[EngineStatus]],
        *,
        in_use: str | None = None,
        keys: Keys | None = None,
    ) -> None:
        super().__init__()
        self._given = keys
        self._known = {name: EngineStatus(name) for name in names}
        self._look = look
        self._in_use = in_use
        self._wish = ""
        """An engine that was chosen before it was known whether it is ready."""

    def compose(self) -> ComposeResult:
        """A title, the list, what stands in the way of the engine under the cursor, the keys."""
        with Vertical(id="box") as box:
            box.border_title = "Engine"
            rows = {name: self._row(one) for name, one in self._known.items()}
            yield FilteredOptions(rows, first=self._in_use, id="engines")
            yield Static(id="note", markup=False)
            yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Look at all of them at once."""
        self._keys.update(key_row(("enter", "use"), ("tab", "models"), ("^r", "look again"), ("esc", "cancel")))
        self._look_at_all()

    def action_look_again(self) -> None:
        """Find out about all of them afresh."""
        for name in self._known:
            self._learn(EngineStatus(name))
        self._look_at_all()

    def action_models(self) -> None:
        """Leave for the models of the local engine."""
        self.dismiss(MODELS)

    def action_leave(self) -> None:
        """Leave without choosing."""
        self.dismiss(None)

    def _look_at_all(self) -> None:
        for name in self._known:
            self.run_worker(partial(self._look_at, name), group=f"look at {name}", exclusive=True)

    async def _look_at(self, name: str) -> None:
        self._learn(await self._look(name))

    def _learn(self, status: EngineStatus) -> None:
        self._known[status.name] = status
        self._list.replace(status.name, self._row(status))
        self._explain()
        if self._wish == status.name and status.readiness is not Readiness.LOOKING:
            self._choose(status.name)

    @on(FilteredOptions.Chosen)
    def _on_choice(self, event: FilteredOptions.Chosen) -> None:
        self._choose(event.name)

    def _choose(self, name: str) -> None:
        """Leave with this engine, once it is known that it can be used; otherwise the note says why not."""
        readiness = self._known[name].readiness
        self._wish = name if readiness is Readiness.LOOKING else ""
        if readiness in CHOOSABLE:
            self.dismiss(name)
        elif readiness is Readiness.NEEDS_KEY and self._given is not None:
            self.run_worker(self._ask_for_key(name, self._given), group="key", exclusive=True)
        else:
            self._explain(refused=not self._wish)

    async def _ask_for_key(self, name: str, keys: Keys) -> None:
        """Ask for the key of an engine; with one that was accepted it is used."""
        hint = f"It is not shown. {await keys.kept(name)}"
        question = Ask(f"API key for {name}", hint=hint, check=partial(keys.give, name), masked=True)
        given = await self.app.push_screen_wait(question)  # pyright: ignore[reportUnknownMemberType] (no type arguments)
        if given is not None:
            self._wish = name
            self._learn(EngineStatus(name))
            self.run_worker(self._look_at(name), group=f"look at {name}", exclusive=True)

    @on(FilteredOptions.Moved)
    def _on_move(self, event: FilteredOptions.Moved) -> None:
        if event.name != self._wish:
            self._wish = ""
        self._explain()

    def _explain(self, *, refused: bool = False) -> None:
        """Say what stands in the way of the engine under the cursor."""
        status = self._known.get(self._list.chosen or "")
        failure = status.failure if status is not None else None
        needs_key = status is not None and status.readiness is Readiness.NEEDS_KEY
        if failure is not None and needs_key and self._given is not None:
            failure = Failure(failure.what, "Enter asks for one")
        sentence = str(failure or "")
        if self._wish:
            sentence = f"Waiting to know whether {self._wish} is ready …"
        self._note.update(Content(sentence))
        self._note.set_class(refused, "-trouble")
        self._note.display = bool(sentence)

    def _row(self, status: EngineStatus) -> Content:
        """Name, state, price; below them, what leaves the machine."""
        column = max(cell_len(name) for name in self._known)
        name = Content(status.name).pad_right(column - cell_len(status.name))
        sign = "● " if status.name == self._in_use else "  "
        state = Content.styled(str(status.readiness), _COLOURS.get(status.readiness, "$error"))
        mark = ("  in use", "$accent") if status.name == self._in_use else ""
        first = Content.assemble(sign, name, "  ", state, mark)
        facts = " · ".join(filter(None, (status.leaves, status.price)))
        # Two rows from the beginning, so that nothing moves when the facts come.
        return Content.assemble(first, "\n    ", (facts, "$transcript-time"))
