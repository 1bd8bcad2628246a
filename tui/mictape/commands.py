"""Every command once: bindings, footer, palette, help screen and docs/keys.md are made from this table."""

from collections.abc import Mapping
from itertools import chain
from typing import Final, Literal, cast

from msgspec import Struct
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import format_key, key_to_character

from mictape.failure import Action, Advice

Owner = Literal["app", "screen", "view", "search"]
"""What carries a command out: the app what concerns the session, the main screen what concerns the text, the transcript
what only moves in it, the search bar what is typed there."""

KeyMap = Mapping[str, str]
"""Keys by command id, as Textual names them, separated by commas."""


class Command(Struct, frozen=True):
    """One thing the person can do."""

    id: str
    """Stable name: in `[keys]` of config.toml, in keymaps, and in its owner's `commands`."""
    key: str
    """Textual key names, separated by commas. The first one is shown where there is room for one."""
    title: str
    """A word or two for the footer and the palette."""
    help: str
    """One sentence for the help screen and the palette."""
    footer: int = 0
    """Its place among the usual ones, from 1; 0: it is none. The footer shows as many of these as fit, and the
    palette begins with them."""
    of: Owner = "screen"

    @property
    def action(self) -> str:
        """What a binding runs. A command of the main screen does nothing while another screen asks something."""
        return f"{self.of}.command('{self.id}')" if self.of in {"app", "screen"} else self.id


GROUPS: Final[Mapping[str, tuple[Command, ...]]] = {
    "Recording": (
        Command("pause", "space", "pause", "Pause or resume the recording; a pause records nothing.", 1, of="app"),
        Command("choose_device", "d", "device", "Choose the microphone or computer sound to record.", 2, of="app"),
        Command("rename_track", "R", "rename track", "Rename the track of the line under the cursor."),
        Command(
            "choose_engine",
            "e",
            "engine",
            "Choose the speech engine, a model, a language; nothing is lost.",
            6,
            of="app",
        ),
        Command("complete_gap", "c", "transcribe gap", "Transcribe the gap under the cursor."),
        Command("versions", "o", "versions", "Transcribe a finished session again; compare and choose its versions."),
        Command("clear_clip", "C", "clear clip", "Clear the clip indicator; so does a click on the meter.", of="app"),
    ),
    "Editing": (
        Command("mark", "m", "mark", "Mark what is said, the line or the selection, or remove the mark.", 7),
        Command(
            "mark_with_note",
            "M",
            "mark with note",
            "Mark what is said, the line or the selection, with a note.",
            13,
        ),
        Command("rename_session", "i", "title", "Give the session a title."),
        Command(
            "note",
            "t",
            "note",
            "Write a note at this moment; in a finished session, at the line.",
            12,
        ),
        Command("open_line", "enter", "edit", "Edit the line: its text, its speaker's name, the key terms.", 10),
        Command(
            "name_speaker", "s", "name speaker", "Name who speaks the selected lines, or the one under the cursor."
        ),
        Command("join_lines", "J", "join lines", "Join the selected lines, or the line and the next one of its track."),
        Command("split_line", "S", "split line", "Split the line before the selected word, or a word that is chosen."),
        Command(
            "remove_line",
            "delete",
            "remove line",
            "Remove the line or the selected lines; undo brings them back.",
        ),
        Command("undo", "u", "undo", "Undo the last mark, edit, name, join, split, removal or version.", 17),
        Command("redo", "U", "redo", "Do again what was undone last, one step at a time."),
    ),
    "Moving": (
        Command("cursor_up", "up", "line up", "Go to the line above.", of="view"),
        Command("cursor_down", "down", "line down", "Go to the line below.", of="view"),
        Command("page_up", "pageup", "page up", "Scroll up by a screen.", of="view"),
        Command("page_down", "pagedown", "page down", "Scroll down by a screen.", of="view"),
        Command("half_page_up", "shift+pageup", "half page up", "Scroll up by half a screen.", of="view"),
        Command("half_page_down", "shift+pagedown", "half page down", "Scroll down by half a screen.", of="view"),
        Command("to_start", "home", "start", "Go to the first line of the transcript.", of="view"),
        Command("follow", "end", "end", "Go to the end of the transcript and follow it.", of="view"),
        Command("jump", "g", "go to time", "Go to a time: 12:30, -5m, +30s, @14:05 by the wall clock.", 11),
        Command("next_mark", "right_curly_bracket,b", "next mark", "Go to the next marked line or note."),
        Command("previous_mark", "left_curly_bracket,B", "previous mark", "Go to the previous marked line or note."),
        Command("next_speaker", "right_parenthesis", "next speaker", "Go to the next change of speaker."),
        Command("previous_speaker", "left_parenthesis", "previous speaker", "Go to the previous change of speaker."),
        Command("next_unsure", "right_square_bracket,v", "next unsure word", "Go to the next unsure word."),
        Command("previous_unsure", "left_square_bracket,V", "previous unsure word", "Go to the previous unsure word."),
        Command("next_gap", "greater_than_sign", "next gap", "Go to the next gap."),
        Command("previous_gap", "less_than_sign", "previous gap", "Go to the previous gap."),
        Command("toggle_clock", "w", "wall clock", "Show wall-clock times (@14:05:12) or recording times."),
    ),
    "Playing": (
        Command("play", "p", "play", "Play the line from 2 s before it, or from the selected word; again: stop.", 8),
        Command("play_previous", "comma", "play previous line", "Go to the previous line and play it."),
        Command("play_next", "full_stop", "play next line", "Go to the next line and play it."),
    ),
    "Searching": (
        Command("search", "slash", "search", "Search the text while it grows; Esc goes back, Enter stays.", 3),
        Command("next_hit", "n", "next hit", "Go to the next line that was found."),
        Command("previous_hit", "N", "previous hit", "Go to the previous line that was found."),
        Command("end_search", "escape", "back", "Close the search and stay; in a finished session, go back."),
        Command("search_regex", "f2", "regular expression", "In the search: a regular expression.", of="search"),
        Command("search_whole", "f3", "whole words", "In the search: whole words only.", of="search"),
        Command("search_accents", "f4", "accents count", "In the search: distinguish accents.", of="search"),
    ),
    "Selecting and exporting": (
        Command("select_up", "shift+up", "select up", "Extend the selection by the line above."),
        Command("select_down", "shift+down", "select down", "Extend the selection by the line below."),
        Command("select_all", "ctrl+a", "select all", "Select every line."),
        Command("copy", "y", "copy", "Copy the selection, or the line under the cursor.", 14),
        Command("copy_with_times", "Y", "copy with times", "Copy lines with their times and speakers."),
        Command("export", "x", "export", "Export all, selected, marked or found lines to a file.", 9),
    ),
    "Mictape": (
        Command(
            "library",
            "L",
            "library",
            "Find and read all sessions, in:trash deleted ones; recording goes on.",
            16,
            of="app",
        ),
        Command(
            "paragraphs", "backslash,P", "paragraphs", "Show paragraphs or lines; the choice is remembered.", of="app"
        ),
        Command("fold_meters", "z", "fold meters", "Show one row for each meter; the choice is remembered.", of="app"),
        Command("show_help", "question_mark,f1", "help", "Show the keys and where files are kept.", 4, of="app"),
        Command("command_palette", "ctrl+p", "palette", "Find any command by name.", 15, of="app"),
        Command("choose_theme", "T", "theme", "Choose a theme; the choice is remembered.", of="app"),
        Command("suspend_process", "ctrl+z", "suspend", "Go to the shell; fg comes back. Recording goes on.", of="app"),
        Command(
            "copy_or_stop",
            "ctrl+c",
            "copy or quit",
            "Copy the selection; without one, close the dialog or quit.",
            of="app",
        ),
        Command(
            "stop", "q", "quit", "Finish the text and quit; after a minute it asks first. Again: quit now.", 5, of="app"
        ),
    ),
}
"""In the order the help screen shows them."""

COMMANDS: Final = tuple(chain(*GROUPS.values()))

OPENING: Final = frozenset(
    {
        *("choose_device", "choose_engine", "choose_theme", "command_palette", "library", "show_help", "versions"),
        *("export", "jump", "mark_with_note", "name_speaker", "note", "open_line", "split_line"),
        *("rename_session", "rename_track"),
    }
)
"""The commands that open a dialog, by id: what is typed behind one of them is for its dialog."""

OF_RECORDING: Final = frozenset({"pause", "choose_device", "clear_clip"})
"""The commands that are for what is recorded, not for a text, by id."""

_STEPS: Final[Mapping[Action, tuple[str, ...]]] = {
    "add_device": ("choose_device", "+"),
    "remove_device": ("choose_device", "+"),
    "unmute_device": ("choose_device", "^u"),
}
"""The actions that are not a command of their own: the command that opens a dialog, and the key in it."""


def keys_for(action: Action, keymap: Mapping[str, str] | None = None) -> str:
    """The keys that carry out an action, as they are shown: `d`, or `d, then +`.

    Args:
        action: The action.
        keymap: The keys of commands that differ from the table, by command id, as Textual names them.
    """
    first, *others = _STEPS.get(action, (action,))
    return ", then ".join([shown_key(first, keymap or {}), *others])


def explained(advice: Advice, keymap: Mapping[str, str] | None = None) -> str:
    """An advice in words, with the keys that carry out its remedy."""
    return advice.explained(keys_for(advice.action, keymap) if advice.action is not None else "")


_EVERYWHERE: Final = ("command_palette", "copy_or_stop")
"""These come before what a field that has the focus does with their keys."""


def bindings(*owners: Owner) -> list[BindingType]:
    """The bindings of commands, in the footer's order; each has its command's id, so that a keymap finds it.

    Args:
        owners: Whose commands; without any, those that an app binds.
    """
    commands = [command for command in COMMANDS if command.of in (owners or ("app", "screen"))]
    return [
        Binding(
            command.key,
            command.action,
            command.title,
            show=command.footer > 0,
            tooltip=command.help,
            id=command.id,
            priority=command.id in _EVERYWHERE,
        )
        for command in sorted(commands, key=lambda command: command.footer)
    ]


def keymap_in(node: DOMNode) -> KeyMap:
    """The keys in force, as far as they differ from the table: its app's attribute `keymap`, if it has one."""
    app = cast("object", node.app)  # pyright: ignore[reportUnknownMemberType]  (Textual does not say what an app returns)
    keymap: KeyMap = getattr(app, "keymap", {})
    return keymap


def bind_moving(node: DOMNode, action: str, moves: Mapping[str, str]) -> None:
    """Have the keys that move in the text move in a list with a field, which keeps those that have a character.

    Args:
        node: What has the action, the list or what it stands in.
        action: The action that moves in the list.
        moves: The arguments of the action, by the command that has the keys.
    """
    for id, move in moves.items():
        for key in keys_of(named(id), keymap_in(node)):
            if not (key_to_character(key) or "\0").isprintable():
                node._bindings.bind(key, f"{action}('{move}')", show=False, priority=True)  # pyright: ignore[reportPrivateUsage]  (no public way)


def named(id: str) -> Command:
    """The command with this id."""
    [command] = [command for command in COMMANDS if command.id == id]
    return command


def keys_of(command: Command, keymap: KeyMap) -> tuple[str, ...]:
    """A command's keys, as Textual names them."""
    return tuple(keymap.get(command.id, command.key).split(","))


def shown_key(id: str, keymap: KeyMap) -> str:
    """The first key of a command, as it is written on the keyboard, for a hint."""
    return format_key(keys_of(named(id), keymap)[0])


def shown_keys(command: Command, keymap: KeyMap) -> str:
    """A command's keys, as they are written on the keyboard: `?  f1`."""
    return "  ".join(map(format_key, keys_of(command, keymap)))
