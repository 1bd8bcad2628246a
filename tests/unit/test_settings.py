"""Which value is in force, what is said about mistakes, and what is remembered."""

import asyncio
import functools
import stat
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines import catalog
from mictape.engines.base import Request
from mictape.engines.local.engine import LocalEngine
from mictape.failure import ExitCode, MictapeError
from mictape.paths import Places, places
from mictape.settings import (
    DECLARATIONS,
    PRESET,
    Choices,
    ChosenDevice,
    Document,
    Given,
    Origin,
    Settings,
    assignment,
    check_engines,
    load,
    read_config,
    recall,
    remember,
)
from mictape.settings.documentation import example, markdown

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


def test_nothing_given_is_the_default(where: Places) -> None:
    settings = load(where, environ={})
    assert (settings.device, settings.engine, settings.keep) == (None, "local", True)
    assert settings.origins == {}
    assert list(where.config.iterdir()) == [], "looking creates nothing"


def test_each_source_beats_the_ones_below(where: Places) -> None:
    remember(where.state_file, device=YETI, engine="vosk", theme="remembered")
    assert load(where, environ={}).device == YETI
    where.config_file.write_text('device = "config"\nengine = "sherpa"\ntheme = "config"\n')
    environ = {"MICTAPE_ENGINE": "deepgram", "MICTAPE_THEME": "environment", "MICTAPE_DEVICE": ""}
    settings = load(where, [Given("--theme", "theme", "option")], environ)
    assert (settings.device, settings.engine, settings.theme) == ("config", "deepgram", "option")
    assert settings.origins == {
        "device": Origin.CONFIG,
        "engine": Origin.ENVIRONMENT,
        "theme": Origin.OPTION,
    }
    said = [settings.place(name) for name in ("device", "engine", "theme", "keep")]
    assert said == [f"{where.config_file}, line 1", "MICTAPE_ENGINE", "--theme", ""]
    assert [each.what for each in settings.lasting("device", "engine", "theme", "keep")] == [
        f"The device of the next start is set by {where.config_file}, line 1",
        "The engine of the next start is set by MICTAPE_ENGINE",
    ], "an option is for one start"


_values: Final[Mapping[str, tuple[str, object]]] = {
    "device": ('"Yeti"', "Yeti"),
    "also": ('["a, b", "c"]', ("a, b", "c")),
    "names": ('["Me"]', ("Me",)),
    "engine": ('"vosk"', "vosk"),
    "language": ('"pt-BR"', "pt-BR"),
    "key_terms": ('["Ada Lovelace", "mictape"]', ("Ada Lovelace", "mictape")),
    "theme": ('"mine"', "mine"),
    "animation": ("false", False),
    "keymap": ('"vim"', "vim"),
    "keep": ("false", False),
    "keep_audio": ('"flac"', "flac"),
    "trash_days": ("7", 7),
    "backfill": ('"off"', "off"),
    "send": ('"all"', "all"),
    "idle_close_min": ("0", 0),
    "audio.backend": ('"parec"', "parec"),
    "audio.channel": ("3", 3),
    "models.mirror": ('"https://mirror.example"', "https://mirror.example"),
    "export.folder": ('"~/out"', "~/out"),
    "export.format": ('"srt"', "srt"),
}
"""A value of each setting, other than its default: in TOML, and what it is then."""


def value_of(settings: Settings, name: str) -> object:
    return functools.reduce(getattr, name.split("."), settings)


@pytest.mark.parametrize("name", DECLARATIONS)
def test_every_setting_comes_from_every_source(where: Places, name: str) -> None:
    declared = DECLARATIONS[name]
    toml, value = _values[name]
    assert value_of(load(where, environ={}), name) == declared.default != value
    *table, key = declared.keys
    where.config_file.write_text("".join(f"[{each}]\n" for each in table) + f"{key} = {toml}\n")
    configured = load(where, environ={})
    assert (value_of(configured, name), configured.origins[name]) == (value, Origin.CONFIG)
    assert configured.place(*declared.keys) == f"{where.config_file}, line {1 + len(table)}"
    where.config_file.unlink()
    text = toml if declared.many else toml.strip('"')
    variable = f"MICTAPE_{name.replace('.', '_').upper()}"
    assert value_of(load(where, environ={variable: text}), name) == value
    assert value_of(load(where, [assignment(f"{name}={toml}")], environ={variable: ""}), name) == value
    if declared.about.from_file:
        text = str(where.config_file.with_name("values.txt"))
        Path(text).write_text("\n".join(tomllib.loads(f"it = {toml}")["it"]), "utf-8")
    option = [Given(declared.about.option, name, text)]
    assert value_of(load(where, option, environ={}), name) == value


@pytest.mark.parametrize(
    ("content", "terms"),
    [
        (b"Ada Lovelace\n\n  mictape \r\n", ("Ada Lovelace", "mictape")),
        (b"\xef\xbb\xbfna\xc3\xafve", ("na\u00efve",)),
        (b"", ()),
    ],
)
def test_key_terms_are_the_lines_of_a_file(where: Places, content: bytes, terms: tuple[str, ...]) -> None:
    file = where.config_file.with_name("terms.txt")
    file.write_bytes(content)
    assert load(where, [Given("--key-terms", "key_terms", str(file))], environ={}).key_terms == terms


def test_key_terms_that_cannot_be_read_are_a_sentence(where: Places) -> None:
    file = where.config_file.with_name("terms.txt")
    given = [Given("--key-terms", "key_terms", str(file))]
    with pytest.raises(MictapeError, match=r"terms.txt \(--key-terms\) cannot be read: No such file"):
        load(where, given, environ={})
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(MictapeError, match=r"terms.txt \(--key-terms\) is not UTF-8 text") as wrong:
        load(where, given, environ={})
    assert wrong.value.failure.code == ExitCode.USAGE


@pytest.mark.parametrize(("text", "keep"), [("1", True), ("Yes", True), ("off", False), ("0", False)])
def test_truth_from_the_environment(where: Places, text: str, keep: bool) -> None:
    assert load(where, environ={"MICTAPE_KEEP": text}).keep is keep


def test_the_channel_that_is_recorded(where: Places) -> None:
    assert load(where, environ={}).channel is None
    assert load(where, environ={"MICTAPE_AUDIO_CHANNEL": "12"}).channel == 12
    where.config_file.write_text("[audio]\nchannel = 3\n")
    assert load(where, [Given("--channel", "audio.channel", "mix")], environ={}).channel is None


def test_a_list_takes_all_options_and_they_replace_the_configuration(where: Places) -> None:
    where.config_file.write_text('also = ["config"]\n')
    given = [Given("--also", "also", "One"), Given("--also", "also", "Two")]
    assert load(where, given, environ={}).also == ("One", "Two")
    assert load(where, environ={"MICTAPE_ALSO": "just one"}).also == ("just one",)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("idle_close_min = -1\n", "idle_close_min in {}, line 1: -1. Use a whole number from 0 to 1440."),
        ("idle_close_min = 9999999\n", "idle_close_min in {}, line 1: 9999999. Use a whole number from 0 to 1440."),
        ('backfill = "sometimes"\n', 'backfill in {}, line 1: "sometimes". Use same, local or off.'),
        ('keep = "no"\n', 'keep in {}, line 1: "no". Use true or false.'),
        ("keep = 1\n", "keep in {}, line 1: 1. Use true or false."),
        ("device = 5\n", "device in {}, line 1: 5. Use text in quotes."),
        ("also = 'Monitor'\n", 'also in {}, line 1: "Monitor". Use a list of texts in quotes.'),
        ("also = ['a', 1]\n", "also in {}, line 1: a list. Use a list of texts in quotes."),
        ('language = "german!"\n', 'language in {}, line 1: "german!". Use a language code like en, de or pt-BR.'),
        ("[audio]\nchannel = 0\n", "audio.channel in {}, line 2: 0. Use mix or a whole number from 1 to 99."),
        ('[audio]\nchannel = "left"\n', 'audio.channel in {}, line 2: "left". Use mix or a whole number from 1 to 99.'),
        ('[audio]\n\nbackend = "alsa"\n', 'audio.backend in {}, line 3: "alsa". Use sounddevice, pyaudio or parec.'),
        ("audio = 1\n", "audio in {}, line 1: 1. Use a table: [audio]."),
        ("engines = 1\n", "engines in {}, line 1: 1. Use a table: [engines]."),
        ("[engines]\nvosk = 1\n", "engines.vosk in {}, line 2: 1. Use a table: [engines.vosk]."),
    ],
)
def test_a_wrong_value_is_reported_with_its_line_and_what_it_can_be(where: Places, config: str, said: str) -> None:
    assert mistake(where, config) == f"Invalid value for {said.format(where.config_file)}"


@pytest.mark.parametrize(
    ("given", "environ", "said"),
    [
        ([], {"MICTAPE_KEEP": "perhaps"}, 'MICTAPE_KEEP: "perhaps". Use true or false.'),
        ([], {"MICTAPE_IDLE_CLOSE_MIN": "-1"}, 'MICTAPE_IDLE_CLOSE_MIN: "-1". Use a whole number from 0 to 1440.'),
        ([Given("--backend", "audio.backend", "x\n")], {}, r'--backend: "x\n". Use sounddevice, pyaudio or parec.'),
        ([assignment("backfill=locl")], {}, 'backfill (--set): "locl". Use same, local or off.'),
    ],
)
def test_a_wrong_value_from_elsewhere_names_its_source(
    where: Places, given: list[Given], environ: dict[str, str], said: str
) -> None:
    with pytest.raises(MictapeError) as caught:
        load(where, given, environ)
    assert caught.value.failure.code is ExitCode.USAGE
    assert str(caught.value) == f"Invalid value for {said}"


def test_a_long_value_is_cut(where: Places) -> None:
    assert len(mistake(where, f'backfill = "{"x" * 5000}"\n')) < 300


def test_a_typo_is_reported_with_its_line_and_a_proposal(where: Places) -> None:
    said = mistake(where, '# mine\n\nengine = "local"\ndevise = "Blue Yeti"\n')
    assert said == f"Unknown setting devise ({where.config_file}, line 4). Did you mean device?"
    said = mistake(where, '[audio]\nbackand = "parec"\n')
    assert said == f"Unknown setting audio.backand ({where.config_file}, line 2). Did you mean backend?"


def test_a_name_like_nothing_known_gets_the_list(where: Places) -> None:
    names = ", ".join(dict.fromkeys(each.keys[0] for each in DECLARATIONS.values()))
    assert mistake(where, "zzz = 1\n").endswith(f"Known names: {names}, keys, engines, presets.")


def test_an_engine_that_does_not_exist_is_reported_wherever_it_is_named(where: Places) -> None:
    def fault(config: str, given: Sequence[Given] = (), environ: Mapping[str, str] | None = None) -> str:
        where.config_file.write_text(config)
        with pytest.raises(MictapeError) as caught:
            check_engines(load(where, given, environ or {}))
        return str(caught.value)

    near = "Did you mean deepgram?"
    assert fault('\nengine = "depgram"\n') == f'There is no engine "depgram" ({where.config_file}, line 2). {near}'
    assert fault("[engines.depgram]\n") == f'There is no engine "depgram" ({where.config_file}, line 1). {near}'
    assert fault("", environ={"MICTAPE_ENGINE": "depgram"}) == f'There is no engine "depgram" (MICTAPE_ENGINE). {near}'
    assert "--engine" in fault("", [Given("--engine", "engine", "zzz")])
    assert "--set" in fault("", [assignment("engines.zzz.url=x")])


def test_an_engine_that_was_chosen_and_is_gone_gives_way(where: Places) -> None:
    remember(where.state_file, engine="uninstalled")
    assert check_engines(load(where, environ={})).engine == "local"


def installed_models(where: Places, *names: str) -> None:
    """German models of one byte each, which the user's own catalogue names."""
    models = [
        {
            "name": name,
            "title": name,
            "runtime": "transcribe-cpp",
            "languages": ["de"],
            "licence": "MIT",
            "attribution": "nobody",
            "files": [{"name": "model.gguf", "bytes": 1}],
        }
        for name in names
    ]
    (where.config / "models.toml").write_text(tomli_w.dumps({"version": 1, "models": models}))
    for name in names:
        folder = where.data / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.gguf").write_bytes(b"x")


def local_model(where: Places, *given: Given) -> str:
    engine = catalog.create("local", check_engines(load(where, given, environ={})).engines.get("local", {}), where.log)
    asyncio.run(engine.check(Request(language="de")))
    assert isinstance(engine, LocalEngine)
    return engine.model


def test_a_model_chosen_in_the_app_is_used_until_it_is_gone_or_another_is_named(home: Path) -> None:
    pytest.importorskip("transcribe_cpp")
    where = places()
    where.prepare()
    installed_models(where, "first", "second", "third")
    assert local_model(where) == "first"
    remember(where.state_file, model="second")
    assert local_model(where) == "second"
    assert local_model(where, Given("--model", "model", "third")) == "third"
    where.config_file.write_text('[engines.local]\nmodel = "third"\n')
    assert local_model(where) == "third", "the configuration is the user's own"
    where.config_file.unlink()
    french = check_engines(load(where, [Given("--language", "language", "fr")], environ={}))
    assert "model" not in french.engines["local"], "it does not know the language"
    (where.data / "models" / "second" / "model.gguf").unlink()
    assert local_model(where) == "first"
    installed_models(where, "first", "second")
    remember(where.state_file, model="")
    assert local_model(where) == "first", "the best one was asked for"


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
_anything = st.one_of(st.integers(), st.booleans(), st.text(max_size=12), st.lists(st.text(max_size=8), max_size=3))


@given(st.dictionaries(_names, st.dictionaries(_names, _anything, max_size=4), min_size=1, max_size=4))
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


# Presets.


def test_a_preset_goes_before_the_environment_and_after_options(where: Places) -> None:
    where.config_file.write_text(
        'device = "desk"\ntheme = "mine"\n[presets.meeting]\ndevice = "room"\nengine = "vosk"\nkeep = false\n'
        "also = ['Monitor']\n[presets.meeting.audio]\nchannel = 2\n"
    )
    given = [Given("--preset", PRESET, "meeting"), Given("--keep", "keep", True)]
    settings = load(where, given, {"MICTAPE_DEVICE": "environment", "MICTAPE_THEME": "other"})
    assert (settings.device, settings.also, settings.engine, settings.channel) == ("room", ("Monitor",), "vosk", 2)
    assert (settings.keep, settings.theme) == (True, "other")
    assert settings.place("device") == f"{where.config_file}, line 4"
    assert settings.place("audio", "channel") == f"{where.config_file}, line 9"
    assert load(where, environ={}).device == "desk"


def test_fewer_names_than_the_preset_has_replace_its_first_ones(where: Places) -> None:
    where.config_file.write_text("[presets.meeting]\nnames = ['Me', 'Client', 'Boss']\n")
    preset = Given("--preset", PRESET, "meeting")
    assert load(where, [preset, Given("--name", "names", "Anna")], {}).names == ("Anna", "Client", "Boss")
    both = [Given("--name", "names", "Anna"), Given("--name", "names", "Ben")]
    assert load(where, [preset, *both], {}).names == ("Anna", "Ben", "Boss")
    assert load(where, [preset, Given("--set", "names", ["Anna"])], {}).names == ("Anna",)
    assert load(where, both, {}).names == ("Anna", "Ben")


def test_mistakes_in_presets_are_reported_though_none_is_chosen(where: Places) -> None:
    said = mistake(where, '[presets.meeting]\n\ndevise = "x"\n')
    assert said == f"Unknown setting presets.meeting.devise ({where.config_file}, line 3). Did you mean device?"
    said = mistake(where, "[presets.meeting]\nkeep = 1\n")
    assert said == f"Invalid value for presets.meeting.keep in {where.config_file}, line 2: 1. Use true or false."
    assert "Use a table: [presets.meeting]" in mistake(where, "[presets]\nmeeting = 1\n")
    assert "Unknown setting presets.meeting.engines" in mistake(where, "[presets.meeting.engines.vosk]\nurl = 'x'\n")


def test_a_preset_that_does_not_exist_is_reported_with_those_that_do(where: Places) -> None:
    where.config_file.write_text("[presets.meeting]\n")
    with pytest.raises(MictapeError, match=r'There is no preset "meting"\. Did you mean meeting\?'):
        load(where, [Given("--preset", PRESET, "meting")], environ={})


# The documentation.


def test_the_page_names_every_setting_and_how_to_set_it() -> None:
    page = markdown()
    for each in DECLARATIONS.values():
        assert f"### `{each.keys[-1]}`" in page
        assert f"`{each.variable}`" in page
        assert each.about.option == "" or f"`{each.about.option}`" in page


def test_the_example_sets_nothing_and_with_its_comments_removed_every_setting(where: Places) -> None:
    where.config_file.write_text(example())
    assert load(where, environ={}).origins == {}
    values = [line[2:] if " = " in line and line.startswith("# ") else line for line in example().splitlines()]
    where.config_file.write_text("\n".join(line for line in values if not line.startswith("#")))
    assert tomllib.loads(where.config_file.read_text())
    assert set(load(where, environ={}).origins) == set(DECLARATIONS)
