"""Every command once: bindings, footer, palette, help screen and docs are made from this table."""

from dataclasses import dataclass
from typing import Final, Literal

from textual.binding import Binding, BindingType


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the person can do."""

    id: str
    """Stable name: the binding's id in keymaps; the action is `action_` + id."""
    key: str
    """Textual key names, separated by commas."""
    title: str
    """A word or two for the footer and the palette."""
    help: str
    """One sentence for the help screen and the palette."""
    footer: bool = False
    """Whether the footer shows it."""
    of: Literal["app", "screen"] = "app"
    """Who carries it out: the app what concerns the session, the main screen what concerns the text."""

    @property
    def action(self) -> str:
        """What a binding runs. A command of the main screen does nothing while another screen asks something."""
        return self.id if self.of == "app" else f"screen.{self.id}"


COMMANDS: Final = (
    Command("pause", "space", "pause", "Pause or resume the recording; a pause writes nothing to the tape.", True),
    Command("choose_device", "d", "device", "Choose the microphone or computer sound to record.", True),
    Command("choose_engine", "e", "engine", "Choose who recognises; tape, clock and text stay, nothing is lost.", True),
    Command("follow", "end", "to the end", "Go to the end of the transcript and follow it.", of="screen"),
    Command("to_start", "home", "to the start", "Go to the first line of the transcript.", of="screen"),
    Command("clear_clip", "c", "clear clip lamp", "Put out the clip lamp and its count."),
    Command("choose_theme", "T", "theme", "Choose a theme; the choice is remembered."),
    Command("show_help", "question_mark,f1", "help", "Show the keys and where things are kept.", True),
    Command("stop", "q", "quit", "Stop recording, finish the text and leave; a second press leaves at once.", True),
)
"""In the order the help screen shows them."""


def bindings() -> list[BindingType]:
    """The table as an app's bindings; each has an id, so that a keymap can change its key."""
    return [
        Binding(command.key, command.action, command.title, show=command.footer, tooltip=command.help, id=command.id)
        for command in COMMANDS
    ]
