"""Which value is in force, what is said about mistakes, and what is remembered."""

import stat
import sys
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from mictape.failure import ExitCode, MictapeError
from mictape.paths import Places
from mictape.settings import Choices, ChosenDevice, Document, Flags, Origin, load, read_config, recall, remember

YETI = ChosenDevice("Blue Yeti", "PulseAudio")


@pytest.fixture
def where(tmp_path: Path) -> Places:
    return Places(data=tmp_path, config=tmp_path, state=tmp_path)


def mistake(where: Places, config: str, environ: dict[str, str] | None = None) -> str:
    where.config_file.write_text(config, encoding="utf-8")
    with pytest.raises(MictapeError) as caught:
        load(where, environ=environ or {})
    assert caught.value.failure.code is ExitCode.USAGE
    return str(caught.value)


def test_nothing_said_is_the_default(where: Places) -> None:
    settings = load(where, environ={})
    assert (settings.device, settings.engine, settings.keep) == (None, "local", True)
    assert set(settings.origins.values()) == {Origin.DEFAULT}
    assert list(where.config.iterdir()) == [], "looking creates nothing"


def test_each_layer_beats_the_ones_below(where: Places) -> None:
    remember(where.state_file, device=YETI, engine="vosk", theme="remembered")
    assert load(where, environ={}).device == YETI
    where.config_file.write_text('device = "config"\nengine = "sherpa"\ntheme = "config"\n')
    environ = {"MICTAPE_ENGINE": "deepgram", "MICTAPE_THEME": "environment", "MICTAPE_DEVICE": ""}
    settings = load(where, Flags(theme="flag"), environ)
    assert (settings.device, settings.engine, settings.theme) == ("config", "deepgram", "flag")
    assert settings.origins == {
        "device": Origin.CONFIG,
        "engine": Origin.ENVIRONMENT,
        "theme": Origin.FLAG,
        "keep": Origin.DEFAULT,
        "backfill": Origin.DEFAULT,
        "idle_close_min": Origin.DEFAULT,
        "audio_backend": Origin.DEFAULT,
        "audio_channel": Origin.DEFAULT,
    }


def test_who_fills_in_is_one_of_three(where: Places) -> None:
    assert load(where, environ={}).backfill == "same"
    assert "local" in mistake(where, 'backfill = "locl"\n')
    assert load(where, Flags(backfill="off"), environ={"MICTAPE_IDLE_CLOSE_MIN": "3"}).idle_close_min == 3


@pytest.mark.parametrize(("text", "keep"), [("1", True), ("Yes", True), ("off", False), ("0", False)])
def test_truth_from_the_environment(where: Places, text: str, keep: bool) -> None:
    assert load(where, environ={"MICTAPE_KEEP": text}).keep is keep


def test_the_way_to_a_device_and_its_channel(where: Places) -> None:
    settings = load(where, environ={})
    assert (settings.audio_backend, settings.channel) == ("sounddevice", None)
    where.config_file.write_text('[audio]\nbackend = "pyaudio"\nchannel = 3\n')
    settings = load(where, Flags(audio_channel="mix"), environ={"MICTAPE_AUDIO_BACKEND": "parec"})
    assert (settings.audio_backend, settings.channel) == ("parec", None)
    settings = load(where, environ={})
    assert (settings.audio_backend, settings.channel) == ("pyaudio", 3)
    assert settings.origins["audio_channel"] is Origin.CONFIG


def test_mistakes_in_audio_are_told(where: Places) -> None:
    assert "Perhaps pyaudio is meant" in mistake(where, '[audio]\nbackend = "pyadio"\n')
    assert "audio.channel is 0" in mistake(where, "[audio]\nchannel = 0\n")
    said = mistake(where, '[audio]\nbackand = "parec"\n')
    assert said == f"Unknown setting audio.backand in {where.config_file}, line 2. Perhaps backend is meant."
    assert "audio in" in mistake(where, "audio = 1\n")
    assert "audio.backend in" in mistake(where, "[audio]\nbackend = 1\n")


def test_a_flag_may_say_no(where: Places) -> None:
    where.config_file.write_text("keep = true\n")
    assert load(where, Flags(keep=False), environ={}).keep is False


def test_neither_yes_nor_no(where: Places) -> None:
    assert "MICTAPE_KEEP is perhaps" in mistake(where, "", {"MICTAPE_KEEP": "perhaps"})


def test_a_typo_is_told_with_its_line_and_a_proposal(where: Places) -> None:
    said = mistake(where, '# mine\n\nengine = "local"\ndevise = "Blue Yeti"\n')
    assert said == f"Unknown setting devise in {where.config_file}, line 4. Perhaps device is meant."


def test_a_name_like_nothing_known_gets_the_list(where: Places) -> None:
    assert mistake(where, "zzz = 1\n").endswith(
        "There are device, engine, theme, keep, backfill, idle_close_min, engines, audio."
    )


def test_a_wrong_type_says_what_it_has_to_be(where: Places) -> None:
    said = mistake(where, 'keep = "no"\n')
    assert said == f"keep in {where.config_file}, line 1 is text in quotes. It has to be true or false."
    assert "keep in" in mistake(where, "keep = 1\n"), "1 is no bool"


def test_engines_have_tables(where: Places) -> None:
    assert "engines in" in mistake(where, "engines = 1\n")
    assert "engines.vosk in" in mistake(where, "[engines]\nvosk = 1\n")


def test_not_toml_not_text_not_a_file(where: Places) -> None:
    assert "line 2" in mistake(where, 'engine = "local"\ndevice = \n')
    where.config_file.write_bytes(b'device = "\xff"\n')
    with pytest.raises(MictapeError, match="UTF-8"):
        load(where, environ={})
    where.config_file.unlink()
    where.config_file.mkdir()
    with pytest.raises(MictapeError, match="cannot be read"):
        load(where, environ={})


def test_engine_tables_are_kept_raw_and_know_their_lines(where: Places) -> None:
    where.config_file.write_text('engine = "vosk"\n\n[engines.vosk]\n# far\nurl = """\nurl = 1\n"""\nrate = 8000\n')
    settings = load(where, environ={})
    assert settings.engines == {"vosk": {"url": "url = 1\n", "rate": 8000}}
    assert settings.document.where("engines", "vosk", "url") == f"{where.config_file}, line 5"
    assert settings.document.where("engines", "vosk", "rate") == f"{where.config_file}, line 8"
    assert settings.document.where("engines", "nobody") == str(where.config_file)


_names = st.text("abcdef-_0123456789", min_size=1, max_size=6)
_values = st.one_of(st.integers(), st.booleans(), st.text(max_size=12), st.lists(st.text(max_size=8), max_size=3))


@given(st.dictionaries(_names, st.dictionaries(_names, _values, max_size=4), min_size=1, max_size=4))
def test_the_line_named_is_where_the_key_begins(tables: dict[str, dict[str, object]]) -> None:
    text = tomli_w.dumps(tables, multiline_strings=True)
    document = Document(Path("c"), text, tables)
    lines = text.split("\n")
    for name, options in tables.items():
        for key in options:
            number = int(document.where(name, key).removeprefix("c, line "))
            assert lines[number - 1].startswith((f"{key} = ", f'"{key}" = '))


def test_choices_are_remembered_one_by_one(where: Places) -> None:
    remember(where.state_file, device=YETI)
    remember(where.state_file, theme="mictape-light")
    assert recall(where.state_file) == Choices(device=YETI, theme="mictape-light")
    assert [path.name for path in where.state.iterdir()] == ["state.toml"], "no temporary file stays"


@given(name=st.text(), theme=st.text())
def test_any_name_comes_back(tmp_path_factory: pytest.TempPathFactory, name: str, theme: str) -> None:
    path = tmp_path_factory.mktemp("state") / "state.toml"
    remember(path, device=ChosenDevice(name, "ALSA"), theme=theme)
    assert recall(path) == Choices(device=ChosenDevice(name, "ALSA"), theme=theme)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_choices_are_private(where: Places) -> None:
    remember(where.state_file, theme="x")
    assert stat.S_IMODE(where.state_file.stat().st_mode) == 0o600


def test_what_a_newer_mictape_remembers_is_carried_over(where: Places) -> None:
    where.state_file.write_text('later = 1\ntheme = "x"\n[window]\nsplit = true\n')
    remember(where.state_file, theme="y")
    assert 'later = 1\ntheme = "y"' in where.state_file.read_text()
    assert "split = true" in where.state_file.read_text()


@pytest.mark.parametrize("broken", [b"not toml", b"\xff\xfe", b"device = 5\n", b'[device]\nname = "x"\n'])
def test_broken_choices_are_set_aside(where: Places, broken: bytes, caplog: pytest.LogCaptureFixture) -> None:
    where.state_file.write_bytes(broken)
    assert load(where, environ={}).device is None
    assert "set aside" in caplog.text
    assert where.state_file.with_name("state.toml.broken").read_bytes() == broken
    remember(where.state_file, theme="x")
    assert recall(where.state_file).theme == "x"


def test_choices_that_cannot_be_written_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MictapeError) as caught:
        remember(tmp_path / "file" / "state.toml", theme="x")
    assert caught.value.failure.code is ExitCode.SOUND


def test_config_is_never_written(where: Places) -> None:
    where.config_file.write_text('theme = "mine"\n')
    remember(where.state_file, theme="other")
    assert where.config_file.read_text() == 'theme = "mine"\n'
    assert read_config(where.config_file).values == {"theme": "mine"}
