"""Which keys are in force: a shipped map, with the person's own from `[keys]` of config.toml."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from textual.binding import Binding
from textual.keys import Keys, format_key, key_to_character

from mictape.commands import COMMANDS, GROUPS, Command, KeyMap, keys_of
from mictape.failure import MictapeError
from mictape.settings import Settings
from mictape.settings.document import mistake, nearest, shown

VIM: Final[KeyMap] = {
    "cursor_up": "k,up",
    "cursor_down": "j,down",
    "half_page_up": "ctrl+u,shift+pageup",
    "half_page_down": "ctrl+d,shift+pagedown",
    "page_up": "ctrl+b,pageup",
    "page_down": "ctrl+f,pagedown",
    "to_start": "g,home",
    "follow": "G,end",
    "jump": "colon",
}

MAPS: Final[Mapping[str, KeyMap]] = {"default": {}, "vim": VIM}
"""The maps of the setting `keymap`: how each differs from the table of commands."""

_COMMANDS: Final[Mapping[str, Command]] = {command.id: command for command in COMMANDS}

_MODIFIERS: Final = re.compile(r"(?:(?:ctrl|alt|shift|super|hyper|meta)\+)*")

_NAMED: Final = frozenset(key.value for key in Keys)


HEAD: Final = """\
# Keys

<!-- Made from the table of commands by scripts/generate_docs.py; do not edit. -->

`keymap = "vim"` in `config.toml` chooses the second map. `[keys]` below it changes single commands by their id:

    keymap = "vim"

    [keys]
    mark = "f6"
    copy = ["y", "ctrl+y"]

`?` in the app shows the keys in force, and every command is in the palette. Typing filters lists and help;
the keys that move in the text move there, too, as far as they are no letters.

`u` and `U` go back and forth through the last hundred steps of a session, until it is left. Showing another version of
the text is one of them: a change is undone in the version in which it was made. Lines that were removed earlier can be
brought back, too: the last one first.
"""


def markdown(screens: Mapping[str, Iterable[tuple[str, str, str]]]) -> str:
    """docs/keys.md; `screens` have keys of their own, which are no command's: the key and what it does."""
    parts = [HEAD]
    for title, commands in GROUPS.items():
        rows = ["| default | vim | what it does | id |", "|---|---|---|---|"]
        for command in commands:
            default, vim = (_cells(command, keymap) for keymap in MAPS.values())
            rows.append(f"| {default} | {'' if vim == default else vim} | {command.help} | `{command.id}` |")
        parts.append(f"## {title}\n\n" + "\n".join(rows) + "\n")
    for title, own in screens.items():
        rows = ["| key | what it does |", "|---|---|", *(f"| `{key}` | {what} |" for key, what, _ in own)]
        parts.append(f"## {title}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _cells(command: Command, keymap: KeyMap) -> str:
    return " ".join(f"`{format_key(key)}`" for key in keys_of(command, keymap))


def keymap_of(settings: Settings) -> KeyMap:
    """The keys that differ from the table of commands, by command id.

    Raises:
        MictapeError: (`ExitCode.USAGE`) `[keys]` names a command or a key that does not exist, or gives one key to two
            commands; the message says in which line.
    """
    own = {id: _checked(settings, id, keys) for id, keys in settings.keys.items()}
    keymap = {**MAPS[settings.keymap], **own}
    _check_clashes(settings, keymap, own)
    return keymap


def _checked(settings: Settings, id: str, keys: Iterable[str]) -> str:
    place = settings.place("keys", id)
    if id not in _COMMANDS:
        raise mistake(f"Unknown command {id} ({place})", nearest(id, _COMMANDS))
    names = list(dict.fromkeys(key_name(key) for key in keys))
    for key, name in zip(keys, names, strict=False):
        if not _exists(name):
            remedy = 'Use names like "x", "X", "ctrl+x", "f5", "space", "shift+up"'
            raise mistake(f"There is no key {shown(key)} ({place})", remedy)
    if not names:
        raise mistake(f"No key for {id} ({place})", "Give it one; every command has a key")
    return ",".join(names)


def key_name(key: str) -> str:
    """A key as Textual names it: `?` is `question_mark`, and so is `question_mark`."""
    if key == ",":
        return "comma"
    [binding] = Binding.make_bindings([Binding(key.strip().replace(",", "comma") or "none", "none")])
    return binding.key


def _exists(name: str) -> bool:
    base = name[_MODIFIERS.match(name).end() :]  # pyright: ignore[reportOptionalMemberAccess]  (it matches nothing, too)
    return name in _NAMED or base in _NAMED or len(base) == 1 or key_to_character(base) is not None


def _check_clashes(settings: Settings, keymap: KeyMap, own: KeyMap) -> None:
    """See that no key is for two commands. Those of the search bar have its keys to themselves while it is open."""
    for in_search in (False, True):
        seen: dict[str, str] = {}
        for command in COMMANDS:
            if (command.of == "search") is not in_search:
                continue
            for key in keys_of(command, keymap):
                other = seen.setdefault(key, command.id)
                if other != command.id:
                    raise _clash(settings, key, (other, command.id), own)


def _clash(settings: Settings, key: str, ids: tuple[str, str], own: KeyMap) -> MictapeError:
    first, second = sorted(ids, key=lambda id: id not in own)  # the one in the file comes first
    what = f"The key {key} is for {first} ({settings.place('keys', first)}) and for {second}"
    return mistake(what, f'Give one of them another key, like {second} = "f9" below [keys]')
