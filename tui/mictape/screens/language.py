"""Asks once, at the first start, which model to use where the system's language is not English."""

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from mictape.commands import keymap_in, shown_key
from mictape.models.catalogue import Model
from mictape.models.languages import name_of
from mictape.screens.modal import Question
from mictape.widgets.options import Options

LanguageChoice = Literal["download", "english", "engine"]
"""Download the model, keep to English, or choose another engine."""


class LanguageScreen(Question[LanguageChoice | None]):
    """Offers a model for the system's language. The recording goes on behind it. None: the app is left instead."""

    CSS_PATH = "language.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "choose('english')", "English", show=False)]

    def __init__(self, language: str, model: Model) -> None:
        """Offer `model` for `language`, a code."""
        super().__init__()
        self._language = name_of(language)
        self._model = model

    def compose(self) -> ComposeResult:
        """What is offered, on which terms, and the ways on."""
        model = self._model
        size = f"{model.bytes / 1e6:.0f} MB"
        offer = (
            f"This computer is set to {self._language}. The model that comes with Mictape knows English only.\n\n"
            f"{model.title} ({size}) knows {self._language} and runs on this computer.\n"
            f"{model.attribution}. Licence: {model.licence} {model.licence_url}".rstrip()
        )
        with Vertical(id="box") as box:
            box.border_title = "Which language do you speak?"
            yield Static(offer, id="offer", markup=False)
            yield Options(
                Option(Content(f"{self._language}: download the model ({size})"), id="download"),
                Option(Content("English is fine"), id="english"),
                Option(Content(f"{self._language}, with another engine"), id="engine"),
                id="ways",
                compact=True,
            )
            key = shown_key("choose_engine", keymap_in(self))
            note = f"It can be changed later: {key}, then Tab. Recording goes on meanwhile."
            yield Static(note, id="note", markup=False)

    def on_mount(self) -> None:
        """Nothing is chosen by a stray Enter."""
        ways = self.query_one(OptionList)
        ways.highlighted = None
        ways.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Leave with the choice."""
        event.stop()
        self.action_choose(event.option_id or "english")

    def action_choose(self, choice: str) -> None:
        """Leave with a choice."""
        ways: dict[str, LanguageChoice] = {"download": "download", "engine": "engine"}
        self.dismiss(ways.get(choice, "english"))
