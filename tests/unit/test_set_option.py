"""`--set KEY=VALUE`: how it is read, what it goes before, and that it reaches the engine everywhere."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.failure import ExitCode, MictapeError
from mictape.paths import Places
from mictape.settings import Given, Origin, assignment, load
from support.background import in_background
from support.command_line import called
from support.example_service import ROOT, Parrot, environment, sound
from support.pulse import PulseServer
from support.screen_app import screen_app
from support.sessions import room
from support.waiting import until_async

KEY = "key-of-the-parrot"


@pytest.fixture
def where(tmp_path: Path) -> Places:
    return Places(data=tmp_path, config=tmp_path, state=tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tries=7", 7),
        ("pause=0.5", 0.5),
        ("polite=false", False),
        ('phrases=["a", "b"]', ["a", "b"]),
        ("extra={a = 1}", {"a": 1}),
        ("model=nova-3", "nova-3"),
        ('model="3"', "3"),
        ("url=ws://127.0.0.1:8000/v1?a=b&c=d", "ws://127.0.0.1:8000/v1?a=b&c=d"),
        ("version=2025-05-12", "2025-05-12"),
        ("at=07:32:00", "07:32:00"),
        ("accent=", ""),
        ("accent=1\nother = 2", "1\nother = 2"),
        (" tries = 7", 7),
    ],
)
def test_a_value_is_toml_or_else_text(text: str, value: object) -> None:
    said = assignment(text).value
    assert said == value
    assert type(said) is type(value)


@given(st.text())
def test_any_value_is_read_without_failing(value: str) -> None:
    assert assignment(f"name={value}").name == "name"


@pytest.mark.parametrize("text", ["url", "=1", "a b=1", "sk-4711 is my key", ".a=1", "a..b=1"])
def test_what_is_no_assignment_is_a_sentence_that_does_not_repeat_it(text: str) -> None:
    with pytest.raises(MictapeError) as caught:
        assignment(text)
    assert caught.value.failure.code is ExitCode.USAGE
    assert "--set NAME=VALUE" in str(caught.value)
    assert text not in str(caught.value)


@pytest.mark.parametrize("name", ["audio.bakend", "engines.vosk", "engines.vosk.a.b", "sk.4711"])
def test_a_dotted_name_is_a_setting_or_an_option_of_an_engine(name: str) -> None:
    with pytest.raises(MictapeError, match=r"Unknown setting .* \(--set\)") as caught:
        assignment(f"{name}=secret")
    assert "secret" not in str(caught.value)


def test_it_goes_before_the_configuration(where: Places) -> None:
    where.config_file.write_text(
        'engine = "vosk"\n[engines.vosk]\nurl = "a"\nwords = true\n[engines.parrot]\nurl = "b"\n'
    )
    settings = load(where, [assignment("url=c"), assignment("url=d"), assignment("engines.parrot.url=e")], environ={})
    assert settings.engines == {"vosk": {"url": "d", "words": True}, "parrot": {"url": "e"}}
    assert settings.origins["engines.vosk.url"] is Origin.OPTION
    assert settings.origins["engines.vosk.words"] is Origin.CONFIG
    assert settings.place("engines", "vosk", "url") == "--set"
    assert settings.place("engines", "vosk", "words") == f"{where.config_file}, line 4"
    chosen = load(where, [Given("--engine", "engine", "parrot"), assignment("url=c")], environ={})
    assert chosen.engines["parrot"] == {"url": "c"}
    assert chosen.engines["vosk"]["url"] == "a"


# The command line.


@pytest.fixture
def key(parrot_installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example engine is installed, and this process has a key for it."""
    monkeypatch.setenv("PARROT_API_KEY", KEY)


def configure(home: Path, text: str) -> None:
    home.mkdir()
    (home / "config.toml").write_text(text)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("urk=x", ["no setting urk (--set)", "Did you mean url?"]),
        ("pause_ms=soon", ["pause_ms", "int", "Correct it in --set"]),
        ("pause_ms=-1", ["pause_ms", ">= 0", "--set"]),
        ("polite=1", ["polite", "bool", "--set"]),
        ("api_key=sk-4711", ["no setting api_key", "mictape login parrot"]),
        ("nonsense", ["--set NAME=VALUE"]),
    ],
)
@pytest.mark.usefixtures("key")
def test_a_mistake_is_a_sentence_and_exit_2(tmp_path: Path, assignment: str, words: list[str]) -> None:
    done = called("transcribe", "--engine", "parrot", "--set", assignment, str(tmp_path / "x.wav"))
    assert (done.returncode, done.stdout) == (2, "")
    assert [word for word in words if word not in done.stderr] == []
    assert "4711" not in done.stderr


@pytest.mark.usefixtures("key")
def test_a_mistake_in_the_configuration_is_reported_with_its_line(tmp_path: Path, home: Path) -> None:
    configure(home, "[engines.parrot]\n\npause_ms = 'soon'\n")
    done = called("transcribe", "--engine", "parrot", str(tmp_path / "x.wav"))
    assert done.returncode == 2
    assert done.stderr.endswith(f"Correct it in {home / 'config.toml'}, line 3.\n")


@pytest.mark.usefixtures("key")
def test_transcribe_takes_settings_before_and_behind_its_name(tmp_path: Path) -> None:
    with in_background(Parrot(KEY).serve()) as server:
        done = called(
            *("--engine", "parrot", "--set", "url=nowhere", "--set", 'phrases=["tea time"]'),
            *("transcribe", "--set", f"url={server.url}/v1", "--set", "pause_ms=300", str(sound(tmp_path / "x.wav"))),
        )
    assert done.returncode == 0, done.stderr
    assert "second 1" in done.stdout and "second 2" in done.stdout
    assert server.asked[0].path == "/v1"
    assert server.asked[0].query["pause_ms"] == "300"
    assert server.asked[0].query["phrases"] == "tea time"
    assert server.violations == []


@pytest.mark.proof  # it takes them as `transcribe` does, and the app
async def test_listen_takes_settings(pulse: PulseServer) -> None:
    room(pulse)
    async with Parrot(KEY).serve() as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mictape", "listen", "--device", "PulseAudio:vmic2", "--no-keep"),
            *("--engine", "parrot", "--set", f"url={server.url}", "--set", "accent=welsh"),
            cwd=ROOT,
            env={**pulse.env, **environment(PARROT_API_KEY=KEY, **_sound_server(pulse))},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert b"second 1" in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        assert process.returncode == 0, err.decode()
    assert server.asked[0].query["accent"] == "welsh"


def _sound_server(pulse: PulseServer) -> dict[str, str]:
    return {name: value for name, value in pulse.env.items() if name.startswith(("PULSE", "XDG"))}


async def test_the_app_takes_settings(tmp_path: Path) -> None:
    file = str(sound(tmp_path / "x.wav", seconds=30))
    async with Parrot(KEY).serve() as server:
        settings = ("--engine", "parrot", "--set", f"url={server.url}", "--set", "polite=false")
        with screen_app(*settings, "--input", file, env=environment(PARROT_API_KEY=KEY)) as app:
            await asyncio.to_thread(app.sees, "second 1")
            app.press("q", "q")
            assert await asyncio.to_thread(app.ends) == 0
        await until_async(lambda: server.open == 0)
    assert server.asked[0].query["polite"] == "False"
