"""The line in which one types what is searched for, below the text."""

from typing import ClassVar

from msgspec.structs import replace
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from mictape.commands import bindings, keymap_in, shown_key
from mictape.transcript.query import Query
from mictape.widgets.key_hints import press_hint, pressing
from mictape.widgets.survives import SurvivesErrors

_TOGGLES = (("regex", "search_regex"), ("word", "search_whole"), ("accents", "search_accents"))


class SearchBar(SurvivesErrors, Vertical):
    """Reports what is typed, as it is typed, and shows what was found. Its screen does the searching."""

    DEFAULT_CSS = """
    SearchBar {
        height: auto;
        display: none;
        background: $footer-background;
        &.-open { display: block; }
        Horizontal { height: 1; }
        #problem { padding: 0 2; text-style: bold; }
        #slash { width: 2; color: $footer-key-foreground; }
        Input, Input:focus { width: 1fr; height: 1; border: none; padding: 0; background: $footer-background; }
        #toggles { width: auto; padding: 0 1; color: $footer-description-foreground; }
        #count { width: auto; padding: 0 1; text-style: bold; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "stay", "stay here", priority=True),
        Binding("escape", "leave", "back"),
        Binding("down", "move(1)", "next", show=False),
        Binding("up,shift+enter", "move(-1)", "previous", show=False),
        *bindings("search"),
    ]

    class Typed(Message):
        """Something else is searched for."""

        def __init__(self, line: str, toggles: Query) -> None:
            super().__init__()
            self.line = line
            self.toggles = toggles
            """Gives `regex`, `whole` and `accents`."""

    class Moved(Message):
        """The next hit was asked for (1), or the one before (-1)."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Left(Message):
        """The person is done typing."""

        def __init__(self, *, stay: bool) -> None:
            super().__init__()
            self.stay = stay
            """Whether to stay at the hit; otherwise to go back to where one was."""

    def __init__(self) -> None:
        super().__init__()
        # Kept and not queried: a bar whose screen is left while it opens is mounted without them.
        self._input = Input(placeholder="text  speaker:You  after:10:00  before:1:02:03  marked", select_on_focus=False)
        self._toggles_text, self._count_text = (Static(id=id, markup=False) for id in ("toggles", "count"))
        self._problem_text = Static(id="problem", markup=False)
        self._toggles = Query()
        self._shown: tuple[str, str] | None = None
        self.given = False
        """Whether what is searched for was not typed here."""

    @property
    def is_open(self) -> bool:
        """Whether there is a search."""
        return self.has_class("-open")

    def compose(self) -> ComposeResult:
        """One row: what is typed, the toggles, the count; below it what is wrong with what is typed."""
        with Horizontal():
            yield Static("/", id="slash")
            yield self._input
            yield self._toggles_text
            yield self._count_text
        yield self._problem_text

    def on_mount(self) -> None:
        """Nothing was searched for yet."""
        self._show_toggles()
        self.show("")

    def open(self) -> None:
        """Show it with what was typed before, searched for again and selected: typing replaces it."""
        fresh = not self.is_open
        self.given = False
        self.add_class("-open")
        self._input.focus()
        self._input.action_select_all()
        if fresh and self._input.value:
            self._post_typed()

    def show_typed(self, line: str, toggles: Query) -> None:
        """Show it with something that is searched for already; the focus stays where it is."""
        with self._input.prevent(Input.Changed):
            self._input.value = line
        self._toggles = toggles
        self._show_toggles()
        self.add_class("-open")
        self.given = True

    def close(self) -> None:
        """Hide it."""
        self.remove_class("-open")
        self.show("")

    def show(self, count: str, problem: str = "") -> None:
        """Say what came of the search: how much was found, or why nothing can be searched for."""
        if (count, problem) != self._shown:
            self._shown = (count, problem)
            self._count_text.update(count)
            self._problem_text.update(problem)
            self._problem_text.display = bool(problem)

    def on_click(self, event: events.Click) -> None:
        """Type here; a click on a toggle presses its key."""
        self._input.focus()
        press_hint(self, event)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_open:
            self._post_typed()

    def _post_typed(self) -> None:
        self.post_message(self.Typed(self._input.value, self._toggles))

    def action_move(self, step: int) -> None:
        """To another hit."""
        self.post_message(self.Moved(step))

    def action_stay(self) -> None:
        """Done typing: on with the text, from the hit."""
        self.post_message(self.Left(stay=True))

    def action_leave(self) -> None:
        """Back to where one was."""
        self.post_message(self.Left(stay=False))

    def action_search_regex(self) -> None:
        """A regular expression, or plain text again."""
        self._turn(regex=not self._toggles.regex)

    def action_search_whole(self) -> None:
        """Whole words only, or parts of them too."""
        self._turn(whole=not self._toggles.whole)

    def action_search_accents(self) -> None:
        """Distinguish accents, or not."""
        self._turn(accents=not self._toggles.accents)

    def _turn(self, **toggles: bool) -> None:
        self._toggles = replace(self._toggles, **toggles)
        self._show_toggles()
        self._post_typed()

    def _show_toggles(self) -> None:
        toggles = self._toggles
        on_off = (toggles.regex, toggles.whole, toggles.accents)
        keymap = keymap_in(self)
        keys = [shown_key(id, keymap).upper() for _, id in _TOGGLES]
        self._toggles_text.update(
            Content(" ").join(
                pressing(key, Content(f"{key}{'●' if is_on else '○'}{name}"))
                for key, (name, _), is_on in zip(keys, _TOGGLES, on_off, strict=True)
            )
        )
