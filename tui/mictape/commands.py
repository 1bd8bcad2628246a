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
    footer: int = 0
    """Its place in the footer, from 1; 0: the footer does not show it. A narrow terminal shows the first ones."""
    of: Literal["app", "screen"] = "app"
    """Who carries it out: the app what concerns the session, the main screen what concerns the text."""

    @property
    def action(self) -> str:
        """What a binding runs. A command of the main screen does nothing while another screen asks something."""
        return self.id if self.of == "app" else f"screen.{self.id}"


COMMANDS: Final = (
    Command("pause", "space", "pause", "Pause or resume the recording; a pause writes nothing to the tape.", 1),
    Command("choose_device", "d", "device", "Choose the microphone or computer sound to record.", 2),
    Command("rename_track", "R", "name the track", "Say what the track of the line under the cursor is called."),
    Command("choose_engine", "e", "engine", "Choose who recognises; tape, clock and text stay, nothing is lost.", 6),
    Command("follow", "end", "to the end", "Go to the end of the transcript and follow it.", of="screen"),
    Command("to_start", "home", "to the start", "Go to the first line of the transcript.", of="screen"),
    Command("mark", "m", "mark", "Mark the line under the cursor, or take its mark away.", 7, of="screen"),
    Command("mark_with_note", "M", "mark with a note", "Mark the line and say why.", of="screen"),
    Command("note", "t", "note", "Write a note at the present time of the tape.", of="screen"),
    Command("open_line", "enter", "edit", "Open the line: its text, its speaker's name, a key term.", of="screen"),
    Command("play", "p", "play", "Play the line from the tape, from 2 s before it; again: stop.", 8, of="screen"),
    Command("play_previous", "comma", "play the line before", "Go to the line before and play it.", of="screen"),
    Command("play_next", "full_stop", "play the next line", "Go to the next line and play it.", of="screen"),
    Command("jump", "g", "go to a time", "Go to a time: 12:30, -5m, +30s, @14:05 by the wall clock.", of="screen"),
    Command("toggle_clock", "w", "wall clock", "Show wall-clock times (@14:05:12) or tape times.", of="screen"),
    Command("next_mark", "right_curly_bracket", "next mark", "Go to the next marked line.", of="screen"),
    Command("previous_mark", "left_curly_bracket", "mark before", "Go to the marked line before.", of="screen"),
    Command("next_speaker", "right_parenthesis", "next speaker", "Go to where somebody else speaks.", of="screen"),
    Command("previous_speaker", "left_parenthesis", "speaker before", "Go back to another speaker.", of="screen"),
    Command("next_unsure", "right_square_bracket", "next unsure word", "Go to the next unsure word.", of="screen"),
    Command("previous_unsure", "left_square_bracket", "unsure word before", "Go to the one before it.", of="screen"),
    Command("next_gap", "greater_than_sign", "next gap", "Go to the next gap.", of="screen"),
    Command("previous_gap", "less_than_sign", "gap before", "Go to the gap before.", of="screen"),
    Command("complete_gap", "c", "complete the gap", "Have the gap under the cursor turned into text.", of="screen"),
    Command("select_up", "shift+up", "select up", "Select lines with the keys, upwards.", of="screen"),
    Command("select_down", "shift+down", "select down", "Select lines with the keys, downwards.", of="screen"),
    Command("copy", "y", "copy", "Copy what is selected, or the line under the cursor.", of="screen"),
    Command("copy_with_times", "Y", "copy with times", "Copy lines with their times and speakers.", of="screen"),
    Command(
        "export", "x", "export", "Write the text to a file: all, what is selected, marked or found.", 9, of="screen"
    ),
    Command(
        "clear_clip", "C", "clear clip lamp", "Put out the clip lamp and its count; a click on the meter does it, too."
    ),
    Command("search", "slash", "search", "Search the text while it grows; Esc goes back, Enter stays.", 3, of="screen"),
    Command("next_hit", "n", "next hit", "Go to the next line that was found.", of="screen"),
    Command("previous_hit", "N", "previous hit", "Go to the line found before this one.", of="screen"),
    Command("end_search", "escape", "end the search", "Close the search and stay where you are.", of="screen"),
    Command("choose_theme", "T", "theme", "Choose a theme; the choice is remembered."),
    Command("show_help", "question_mark,f1", "help", "Show the keys and where things are kept.", 4),
    Command("stop", "q", "quit", "Stop recording, finish the text and leave; a second press leaves at once.", 5),
)
"""In the order the help screen shows them."""


def bindings() -> list[BindingType]:
    """The table as an app's bindings, in the footer's order; each has an id, so that a keymap can change its key."""
    return [
        Binding(
            command.key,
            command.action,
            command.title,
            show=command.footer > 0,
            tooltip=command.help,
            id=command.id,
        )
        for command in sorted(COMMANDS, key=lambda command: command.footer)
    ]
