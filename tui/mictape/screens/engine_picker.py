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
from textual.events import Key
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mictape.engines.readiness import EngineStatus, Readiness
from mictape.failure import Failure
from mictape.screens.modal import Question
from mictape.screens.prompt import Ask
from mictape.widgets.options import Options

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


class _Engines(Options):
    """Keeps the row under the cursor in view when a longer note leaves it fewer rows."""

    def on_resize(self) -> None:
        """Scroll there."""
        self.scroll_to_highlight()


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
        Binding("r,ctrl+r,f5", "look_again", "look again"),
        # Letters go to an engine by its name.
        Binding("tab", "models", "models", priority=True),
    ]

    _list = getters.query_one("#engines", OptionList)
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
        self._typed = ""
        """The beginning of an engine's name, as far as it was typed."""

    def compose(self) -> ComposeResult:
        """A title, the list, what stands in the way of the engine under the cursor, the keys."""
        with Vertical(id="box") as box:
            box.border_title = "Engine"
            yield _Engines(
                *(Option(self._row(one), id=name) for name, one in self._known.items()),
                id="engines",
                markup=False,
                compact=True,
            )
            yield Static(id="note", markup=False)
            yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        """Look at all of them at once."""
        if self._in_use in self._known:
            self._list.highlighted = self._list.get_option_index(self._in_use)
        keys = (("enter", "use"), ("tab", "models"), ("r", "look again"), ("esc", "cancel"))
        parts = (Content.assemble((key, "$footer-key-foreground bold"), " ", what) for key, what in keys)
        self._keys.update(Content("  ").join(parts))
        self._list.focus()
        self._look_at_all()

    def on_key(self, event: Key) -> None:
        """Go to the engine whose name begins with what is typed; what begins none is a command, or nothing."""
        letter = (event.character or "").casefold()
        for typed in (self._typed + letter, letter) if letter.isprintable() and letter else ():
            name = next((name for name in self._known if name.casefold().startswith(typed)), None)
            if name is not None:
                self._typed = typed
                self._list.highlighted = self._list.get_option_index(name)
                event.stop()
                return
        self._typed = ""

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
        self._list.replace_option_prompt(status.name, self._row(status))
        self._explain()
        if self._wish == status.name and status.readiness is not Readiness.LOOKING:
            self._choose(status.name)

    @on(OptionList.OptionSelected)
    def _on_choice(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id is not None:
            self._choose(event.option_id)

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

    @on(OptionList.OptionHighlighted)
    def _on_move(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option_id != self._wish:
            self._wish = ""
        self._explain()

    def _explain(self, *, refused: bool = False) -> None:
        """Say what stands in the way of the engine under the cursor."""
        option = self._list.highlighted_option
        status = self._known.get(option.id or "") if option is not None else None
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
