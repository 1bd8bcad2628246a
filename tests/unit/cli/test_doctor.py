"""`mictape doctor`: it looks at everything, goes on where one thing fails, and tells no secrets."""

import json
from pathlib import Path

import pytest

from mictape import bundled
from mictape.cli.doctor import Finding, without_login
from mictape.cli.main import run as mictape
from support.file_keyring import NO_KEYRING

PARTS = {
    *("Mictape", "Folders", "Settings", "Programs", "Devices", "Model files", "Keyring", "Engines", "Network"),
    *("Terminal", "Log", "Library"),
}


@pytest.fixture(autouse=True)
def alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sound server, no keyring, a proxy with a password, a key in the environment, and a log."""
    home.mkdir()
    (home / "mictape.log").write_text("2026 1 WARNING mictape: odd\n2026 1 INFO mictape: fine\n")
    variables = {
        "PULSE_SERVER": "unix:/none",
        "HTTPS_PROXY": "http://me:geheim@proxy.example:3128",
        "DEEPGRAM_API_KEY": "dg-secret-0123456789",
        **NO_KEYRING,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_everything_is_looked_at_and_no_secret_is_shown(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert mictape(["doctor", "--json"]) == 1, "no sound server, and a warning in the log"
    out = capsys.readouterr().out
    findings = json.loads(out)
    assert {each["part"] for each in findings} == PARTS
    assert "geheim" not in out and "dg-secret" not in out
    reported = {(each["part"], each["name"]): each for each in findings}
    assert reported["Network", "https_proxy"]["value"] == "http://…@proxy.example:3128"
    assert str(home) in reported["Folders", "data"]["value"]
    assert reported["Log", "last 1"]["value"].endswith("odd")
    assert ("Engines", "local") in reported and reported["Engines", "local"]["ok"]


def test_what_is_broken_is_marked_and_the_rest_is_looked_at(
    capsys: pytest.CaptureFixture[str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").write_text("keep = 1\n")
    (home / "library.db").write_bytes(b"no database" * 1000)
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    assert mictape(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "! not available: Invalid value for keep" in out
    assert f"! not available: The library {home / 'library.db'} is not a library" in out
    assert "! moonshine-tiny-en/encoder_model.ort: missing or damaged" in out
    assert "Terminal:" in out and "problems found" in out


def test_one_mistake_is_one_problem_in_however_many_parts_it_shows(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    (home / "config.toml").write_text("keep = 1\n")
    assert mictape(["doctor"]) == 1
    out = capsys.readouterr().out
    assert out.count("Invalid value for keep") == 1
    assert "  not available: see above" in out
    assert f"{out.count('  ! ')} problem" in out


def test_a_wrong_key_and_a_wrong_theme_are_problems(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "config.toml").write_text('theme = "nordd"\n[keys]\npause = "p"\n')
    assert mictape(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "! keys: The key p is for pause" in out
    assert '! theme: There is no theme "nordd"' in out


def test_the_settings_are_shown_and_a_theme_that_there_is_not_is_named(
    capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    (home / "config.toml").write_text('theme = "nordd"\n')
    assert mictape(["config", "show"]) == 2
    said = capsys.readouterr()
    assert '"nordd"' in said.out
    assert f'There is no theme "nordd" ({home / "config.toml"}, line 1)' in said.err and "Did you mean" in said.err


def test_keys_and_presets_are_shown_and_a_wrong_one_is_named(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    config = home / "config.toml"
    config.write_text('[keys]\nmark = "f6"\n[presets.standup]\nlanguage = "de"\n')
    assert mictape(["config", "show"]) == 0
    keys, preset = (row.split() for row in capsys.readouterr().out.splitlines()[-2:])
    assert keys == ["keys.mark", '["f6"]', f"{config},", "line", "2"]
    assert preset == ["presets.standup", '{"language":', '"de"}', f"{config},", "line", "3"]
    config.write_text('[keys]\nmarc = "f6"\n')
    assert mictape(["config", "show"]) == 2
    assert "Unknown command marc" in capsys.readouterr().err


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_problems_were_found(
    ok: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mictape.cli.doctor._looked", lambda *_: [Finding("Programs", "tmux", "3.3a", ok)])
    assert mictape(["doctor"]) == code
    assert ("No problems found." in capsys.readouterr().out) is ok


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://me:p%40ss@proxy", "http://…@proxy"),
        ("socks5h://me@[::1]:1080", "socks5h://…@::1:1080"),
        ("http://me:pass@proxy:port", "not an address"),
    ],
)
def test_an_address_is_shown_without_its_login(url: str, shown: str) -> None:
    assert without_login(url) == shown
