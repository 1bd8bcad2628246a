"""One line opened: its text, who speaks, and a word that the engine is to expect.

Not imported before a line is opened: the field for its text is heavy.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, cast

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Static

from mictape.library.words import word_starts
from mictape.screens.modal import Question
from mictape.session.rearranging import word_start
from mictape.session.transcript_writer import Scope
from mictape.transcript.line import NOTE, Line
from mictape.units import clock
from mictape.widgets.choice import Choice
from mictape.widgets.key_hints import clickable
from mictape.widgets.line_field import LineField

_FIELDS: Final[list[BindingType]] = [
    Binding("escape", "leave", "cancel"),
    Binding("up", "app.focus_previous", show=False),
    Binding("down", "app.focus_next", show=False),
]


def scopes_of(line: Line) -> Mapping[Scope, str]:
    """Whose speaker can be named from a line: texts by scope, the usual one first."""
    if line.speaker is None:
        return {"line": "this line", "following": "this line and the following without a speaker"}
    return {
        "all": f"every line of {line.speaker}",
        "line": "this line",
        "following": f"this line and the following of {line.speaker}",
    }


@dataclass(frozen=True, slots=True)
class SpeakerName:
    """A name, and which lines get it."""

    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class LineEdit:
    """What the person changed; None: left as it is."""

    text: str | None = None
    """Empty: the line is to be removed."""
    speaker: SpeakerName | None = None
    key_terms: tuple[str, ...] | None = None
    """The words that the engine is to expect."""


class EditLine(Question[LineEdit | None]):
    """Edits a line. The result is what changed, or None when it was left."""

    CSS_PATH = "prompt.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        *_FIELDS,
        # Before the field, which has no use for it.
        Binding("ctrl+r", "restore", "restore", priority=True),
    ]

    _text = getters.query_one("#text", LineField)

    def __init__(
        self, line: Line, speakers: Sequence[str] = (), place: int | None = None, key_terms: Sequence[str] = ()
    ) -> None:
        """Prepare.

        Args:
            line: What is edited.
            speakers: Names that are proposed while one is typed.
            place: Character of the text before which the cursor begins; None: behind the last one.
            key_terms: The words that the engine expects now.
        """
        super().__init__()
        self._key_terms = ", ".join(key_terms)
        self._line = line
        self._speakers = speakers
        self._place = place

    def compose(self) -> ComposeResult:
        """The fields, and the engine's own text where it differs."""
        line = self._line
        with Vertical(id="box") as box:
            box.border_title = f"Line at {clock(line.start)}"
            box.border_subtitle = clickable("enter: save · empty: remove · ↑↓: fields · esc: cancel")
            yield _field("text", LineField(line.text, self._place, id="text"))
            if line.kind is not NOTE:
                yield from _speaker_fields(line.speaker or "", self._speakers, scopes_of(line))
                hint = "words and names to expect from now on, with commas"
                yield _field("key terms", _input("key_terms", self._key_terms, hint))
            if line.original is not None:
                yield Static(f"original: {line.original}\nctrl+r restores it", id="note", markup=False)

    def on_mount(self) -> None:
        """The text comes first."""
        self._text.focus()

    @on(Input.Changed, "#speaker")
    def _on_name(self) -> None:
        _propose_lines(self, self._line.speaker, self._speakers)

    def action_restore(self) -> None:
        """Put the engine's own text back; Enter saves it."""
        if self._line.original is not None:
            self._text.put(self._line.original)

    def action_leave(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    @on(Input.Submitted)
    @on(LineField.Submitted)
    @on(Choice.Submitted)
    def _keep(self, event: Input.Submitted | LineField.Submitted | Choice.Submitted) -> None:
        event.stop()
        text = self._text.text.strip()
        edit = LineEdit(text if text != self._line.text else None)
        if self._line.kind is not NOTE:
            edit = replace(edit, speaker=_named(self, self._line.speaker))
            typed = self.query_one("#key_terms", Input).value
            if typed != self._key_terms:
                terms = filter(None, map(str.strip, typed.split(",")))
                edit = replace(edit, key_terms=tuple(dict.fromkeys(terms)))
        self.dismiss(edit)


class NameSpeaker(Question[SpeakerName | None]):
    """Asks who speaks some lines. The result is the name, or None when it was left."""

    CSS_PATH = "prompt.tcss"

    BINDINGS: ClassVar[list[BindingType]] = _FIELDS

    def __init__(self, name: str, speakers: Sequence[str], scopes: Mapping[Scope, str]) -> None:
        """Prepare.

        Args:
            name: That they have now.
            speakers: Names that are proposed while one is typed.
            scopes: Which lines can get the name: texts by scope, the usual one first.
        """
        super().__init__()
        self._speaker = name
        self._speakers = speakers
        self._scopes = scopes

    def compose(self) -> ComposeResult:
        """A name, and which lines get it."""
        with Vertical(id="box") as box:
            box.border_title = "Who speaks?"
            box.border_subtitle = clickable("enter: save · ↑↓: fields · esc: cancel")
            yield from _speaker_fields(self._speaker, self._speakers, self._scopes)

    def on_mount(self) -> None:
        """Typing replaces the name."""
        self.query_one("#speaker", Input).focus()

    @on(Input.Changed)
    def _on_name(self) -> None:
        _propose_lines(self, self._speaker, self._speakers)

    def action_leave(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    @on(Input.Submitted)
    @on(Choice.Submitted)
    def _keep(self, event: Input.Submitted | Choice.Submitted) -> None:
        event.stop()
        self.dismiss(_named(self, None))


class SplitLine(Question[int | None]):
    """Asks before which word a line is split. The result is its first character, or None when it was left."""

    CSS_PATH = "prompt.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
        Binding("left", "go(-1)", show=False, priority=True),
        Binding("right", "go(1)", show=False, priority=True),
    ]

    _text = getters.query_one(LineField)

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        """The text, with a cursor."""
        with Vertical(id="box") as box:
            box.border_title = f"Split the line at {clock(self._line.start)}"
            box.border_subtitle = clickable("enter: split before this word · ←→: words · esc: cancel")
            yield LineField(self._line.text, word_start(self._line.text, 1), read_only=True)

    def on_mount(self) -> None:
        """The cursor is on the second word."""
        self._text.focus()
        self.action_go(1)

    def action_go(self, step: int) -> None:
        """Go to the next word (1) or the one before (-1)."""
        text, place = self._text.text, self._text.place
        ahead = [start for start in word_starts(text) if (start - place) * step > 0]
        if ahead:
            self._text.place = ahead[0] if step > 0 else ahead[-1]

    def action_leave(self) -> None:
        """Leave the line as it is."""
        self.dismiss(None)

    @on(LineField.Submitted)
    def _split(self, event: LineField.Submitted) -> None:
        event.stop()
        self.dismiss(word_start(event.text, event.place))


def _speaker_fields(name: str, speakers: Sequence[str], scopes: Mapping[Scope, str]) -> Iterator[Horizontal]:
    """Fields for a speaker's name and for the lines that get it."""
    yield _field("speaker", _input("speaker", name, "a name", speakers, replaces=True))
    yield _field("", Choice(cast("Mapping[str, str]", scopes), id="scope"))


def _propose_lines(screen: Screen[Any], before: str | None, speakers: Sequence[str]) -> None:
    """Propose which lines get the name: one that another has corrects this line, a new one renames the speaker.

    To take it for a new name of the speaker would make one of two.
    """
    name = screen.query_one("#speaker", Input).value.strip()
    corrects = bool(before) and name != before and name in speakers
    screen.query_one("#scope", Choice).propose("line" if corrects else None)


def _named(screen: Question[SpeakerName | None] | Question[LineEdit | None], before: str | None) -> SpeakerName | None:
    """What was entered into the fields of the speaker; None when the name is none, or the one from before."""
    name = screen.query_one("#speaker", Input).value.strip()
    scope = cast("Scope", screen.query_one("#scope", Choice).value)
    return SpeakerName(name, scope) if name and name != before else None


class _Field(Input):
    """Tab takes the rest of a proposal, as shells do; without one it goes to the next field."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "take_or_leave", show=False)]

    def action_take_or_leave(self) -> None:
        """Take what is proposed behind the cursor, or go on."""
        before = self.value
        if self.cursor_position == len(before):
            self.action_cursor_right()
        if self.value == before:
            self.screen.focus_next()


def _input(id: str, value: str, placeholder: str, proposed: Sequence[str] = (), *, replaces: bool = False) -> Input:
    suggester = SuggestFromList(proposed, case_sensitive=False) if proposed else None
    return _Field(value, id=id, placeholder=placeholder, compact=True, select_on_focus=replaces, suggester=suggester)


def _field(name: str, widget: Widget) -> Horizontal:
    """A name and what is typed into or chosen."""
    return Horizontal(Static(name, classes="name"), widget)
