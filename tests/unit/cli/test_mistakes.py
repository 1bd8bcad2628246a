"""Mistakes in a command line: the sentence names what was typed, and what is probably meant."""

from pathlib import Path

import pytest

from mictape.cli.main import run as mictape


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--enigne x", "There is no option --enigne. Did you mean --engine?"),
        ("--enigne=x listen", "There is no option --enigne. Did you mean --engine?"),
        ("listen --languge de", "There is no option --languge. Did you mean --language?"),
        ("sessions show --jsn", "There is no option --jsn. Did you mean --json?"),
        ("sessions --json", "There is no option --json. Type: mictape sessions list --json."),
        ("listen --frobnicate", "There is no option --frobnicate. mictape listen --help shows those there are."),
        ("sessions versions jfk --show 1", "no option --show. mictape sessions versions --help shows those there are."),
        ("search word --name Ann", "There is no option --name. mictape search --help shows those there are."),
        ("listn", 'There is no command "listn". Did you mean listen?'),
        ("export last", 'There is no command "export". Type: mictape sessions export.'),
        ("sessions lst", 'There is no command "lst". Did you mean list?'),
        ("transcribe a.wav --format mdd", 'There is no value "mdd" for --format. Did you mean md?'),
        ("transcribe -x.wav", '"-x.wav" begins as an option does. If it is a file, write ./-x.wav.'),
        ("import a.wav -x.wav", '"-x.wav" begins as an option does. If it is a file, write ./-x.wav.'),
        ("config show audio", 'Unexpected argument "audio". mictape config show --help shows how to use it.'),
        ("sessions show a b", 'Unexpected argument "b". mictape sessions show --help shows how to use it.'),
        ("sessions export", "ID is missing. mictape sessions export --help shows how to use it."),
        ("sessions export last --from abc", "--from: abc is no time. mictape sessions export --help shows"),
        ("listen --device", "--device needs a value. mictape listen --help shows how to use it."),
        ("transcribe a.wav --give-up soon", '"soon" is not a number from 0 to 100,000'),
    ],
)
def test_the_wrong_word_is_named_with_what_is_probably_meant(
    home: Path, command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mictape(command.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    [row] = printed.err.splitlines()
    assert said in row


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[preset.standup]\n", "Unknown setting preset ("),
        ("[presets.standup]\n[export]\n[export]\n", "config.toml, line 3: there is a [export] above. Move"),
        ("[presets.a]\n[presets.standup]\n[presets.a]\n", "config.toml, line 3: there is a [presets.a] above. Move"),
        ("[presets.standup]\nlanguge = 'de'\n", "Unknown setting presets.standup.languge"),
    ],
)
@pytest.mark.parametrize("command", ["standup", "--preset standup"])
def test_a_mistake_in_the_file_with_the_presets_is_named_however_the_preset_is_given(
    home: Path, command: str, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(text)
    assert mictape(command.split()) == 2
    assert said in capsys.readouterr().err
    assert mictape(["--enigne", "x"]) == 2
    assert "There is no option --enigne. Did you mean --engine?" in capsys.readouterr().err, "the file has no say in it"
