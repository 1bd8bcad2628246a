"""The keys in force: the shipped maps, the person's own, and what is said about mistakes."""

from pathlib import Path

import pytest

from mictape.commands import COMMANDS, keys_of, shown_keys
from mictape.failure import ExitCode, MictapeError
from mictape.keys import MAPS, key_name, keymap_of
from mictape.paths import Places
from mictape.settings import load

ALT_GR = {
    "German": "{}[]\\@~|",
    "French": "{}[]\\@~|#`^",
    "Swedish, Finnish, Norwegian": "{}[]\\@~|$",
    "Danish": "{}[]\\@~|$",
    "Spanish": "{}[]\\@~|#",
}
"""What needs AltGr, or a dead key and a space, on these layouts (xkeyboard-config, its symbols)."""


@pytest.fixture
def where(tmp_path: Path) -> Places:
    return Places(data=tmp_path, config=tmp_path, state=tmp_path)


def mistake(where: Places, config: str) -> str:
    where.config_file.write_text(config, encoding="utf-8")
    with pytest.raises(MictapeError) as caught:
        keymap_of(load(where, environ={}))
    assert caught.value.failure.code is ExitCode.USAGE
    return str(caught.value).replace(str(where.config_file), "config.toml")


@pytest.mark.parametrize("name", MAPS)
def test_a_shipped_map_has_no_clash_and_only_commands(where: Places, name: str) -> None:
    keymap = keymap_of(load(where, environ={"MICTAPE_KEYMAP": name}))
    assert keymap == MAPS[name]
    assert keymap.keys() <= {command.id for command in COMMANDS}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("layout", ALT_GR)
def test_every_command_has_a_key_without_alt_gr(name: str, layout: str) -> None:
    hard = {key_name(character) for character in ALT_GR[layout]}
    assert [command.id for command in COMMANDS if set(keys_of(command, MAPS[name])) <= hard] == []


def test_the_keys_of_a_command_are_one_or_several(where: Places) -> None:
    others = 'show_help = "f1"\nchoose_theme = "f9"\nplay_previous = "f7"\n'
    where.config_file.write_text(f'keymap = "vim"\n[keys]\nmark = "f6"\nnote = ["T", "?", ","]\n{others}')
    keymap = keymap_of(load(where, environ={}))
    assert keymap["mark"] == "f6"
    assert keymap["note"] == "T,question_mark,comma"
    assert keymap["cursor_down"] == "j,down"
    note = next(command for command in COMMANDS if command.id == "note")
    assert shown_keys(note, keymap) == "T  ?  ,"


def test_keys_may_be_swapped(where: Places) -> None:
    where.config_file.write_text('[keys]\nmark = "x"\nexport = "m"\n')
    assert keymap_of(load(where, environ={})) == {"mark": "x", "export": "m"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('[keys]\n\nmakr = "x"\n', "Unknown command makr (config.toml, line 3). Did you mean mark?"),
        ('[keys]\nmark = "ctlr+x"\n', 'There is no key "ctlr+x" (config.toml, line 2).'),
        ('[keys]\nmark = "hallo"\n', 'There is no key "hallo" (config.toml, line 2).'),
        ('[keys]\nmark = "x"\n', "The key x is for mark (config.toml, line 2) and for export."),
        ('[keys]\nexport = "f5"\nmark = "f5"\n', "The key f5 is for"),
        ("[keys]\nmark = []\n", "No key for mark (config.toml, line 2)."),
        ("[keys]\nmark = 1\n", "Invalid value for keys.mark in config.toml, line 2: 1. Use a key or a list of keys"),
        ("keys = 1\n", "Invalid value for keys in config.toml, line 1: 1. Use a table: [keys]."),
        ('keymap = "emacs"\n', 'Invalid value for keymap in config.toml, line 1: "emacs". Use default or vim.'),
        ('keymap = "vim"\n[keys]\nnote = "j"\n', "The key j is for note (config.toml, line 3) and for cursor_down."),
    ],
)
def test_a_mistake_is_reported_with_its_line(where: Places, config: str, said: str) -> None:
    assert mistake(where, config).startswith(said)


def test_the_search_bar_has_keys_of_its_own(where: Places) -> None:
    where.config_file.write_text('[keys]\nmark = "f2"\n')
    assert keymap_of(load(where, environ={}))["mark"] == "f2"
