"""The shipped catalogue is in order, and the user's own is read in the same form."""

import re
from pathlib import Path

import pytest

from mictape.cli.main import run as mictape
from mictape.failure import ExitCode, MictapeError
from mictape.models import catalogue
from mictape.models.catalogue import Model
from mictape.models.languages import NAMES, code_of, name_of, of_locale, primary

PINNED = re.compile(r"https://huggingface\.co/[\w.-]+/[\w.-]+/resolve/[0-9a-f]{40}/([\w.-]+)")

OWN = """
version = 1

[[models]]
name = "mine"
title = "Mine"
runtime = "transcribe-cpp"
languages = ["eo", "de"]
licence = "MIT"
attribution = "me"
files = [{name = "mine.gguf", bytes = 12, urls = ["https://example.org/mine.gguf"]}]
"""


@pytest.mark.parametrize("model", catalogue.shipped(), ids=lambda model: model.name)
def test_every_row_says_all_that_is_shown_and_checked(model: Model) -> None:
    assert model.title
    assert model.maker
    assert model.licence
    assert model.licence_url.startswith("https://")
    assert model.attribution
    assert model.memory_mb
    assert model.memory_mb > model.bytes >> 20
    assert all(primary(code) in NAMES for code in model.known)
    assert len({primary(code) for code in model.known}) == len(model.known)
    assert not model.look_ahead_ms or model.streaming
    assert list(model.look_ahead_ms) == sorted(model.look_ahead_ms, reverse=True)
    for file in model.files:
        assert file.sha256
        assert file.urls
        for url in file.urls:
            pinned = PINNED.fullmatch(url)
            assert pinned
            assert pinned[1] == file.name


def test_names_and_files_of_the_shipped_ones_are_different() -> None:
    models = catalogue.shipped()
    assert len({model.name for model in models}) == len(models)
    hashes = [file.sha256 for model in models for file in model.files]
    assert len(set(hashes)) == len(hashes)


def test_models_that_know_a_language_well_come_first(tmp_path: Path) -> None:
    found = [model.name for model in catalogue.load(tmp_path).for_language("pl-PL")]
    assert found[0] == "european"
    assert found.index("european") < found.index("world")  # which knows Polish less well
    assert catalogue.load(tmp_path).for_language("de")[0].name == "world"
    assert catalogue.load(tmp_path).for_language("en")[0].name == "english"
    assert not catalogue.load(tmp_path).for_language("tlh")


def test_the_language_that_was_asked_for_is_named_with_those_of_a_model(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mictape(["models", "list", "--language", "de-AT"]) == 0
    rows = capsys.readouterr().out.splitlines()
    of_tiny = rows[next(number for number, row in enumerate(rows) if row.startswith("any-tiny")) + 1]
    assert of_tiny.startswith("    English; less well German, Chinese, Spanish, ")
    of_european = rows[next(number for number, row in enumerate(rows) if row.startswith("european ")) + 1]
    assert of_european.startswith("    German, ") and "less well" not in of_european


def test_the_users_own_models_come_before_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(OWN)
    known = catalogue.load(tmp_path)
    assert known.models[0].name == "mine"
    assert known.for_language("eo") == [known.named("mine")]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("version = 1", "version = 2", "has version 2; this Mictape knows 1"),
        ("version = 1", "version = ", "is not TOML"),
        ('"mine.gguf"', '"../mine.gguf"', 'cannot be called "../mine.gguf"'),
        ('"mine.gguf"', '"model.json"', 'cannot be called "model.json"'),
        ('"mine"', '"My model"', 'a model cannot be called "My model"'),
        ("bytes = 12", "bytes = 0", "cannot have 0 bytes"),
        ("bytes = 12", 'bytes = 12, sha256 = "abc"', "has to be 64 hexadecimal digits"),
        ("https://", "http://", "has to begin with https://"),
        ('"transcribe-cpp"', '"pickle"', "Invalid enum value 'pickle'"),
        ("licence", "license", "unknown field `license`"),
        ('["eo", "de"]', "[]", "mine has no languages"),
    ],
)
def test_a_mistake_is_a_sentence_that_names_the_file(tmp_path: Path, old: str, new: str, why: str) -> None:
    path = tmp_path / "models.toml"
    path.write_text(OWN.replace(old, new, 1))
    with pytest.raises(MictapeError) as raised:
        catalogue.load(tmp_path)
    failure = raised.value.failure
    assert why in failure.what
    assert str(path) in failure.what
    assert failure.code is ExitCode.USAGE


def test_an_unknown_name_proposes_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(MictapeError) as raised:
        catalogue.load(tmp_path).named("wrold")
    assert "Did you mean world" in raised.value.failure.remedy


def test_languages_have_codes_names_and_locales() -> None:
    assert name_of("de-AT") == "German"
    assert name_of("xx") == "xx"
    assert primary("nb_NO.UTF-8") == primary("no") == "nb"
    assert code_of("German") == "de"
    assert code_of("pt_BR") == "pt-BR"
    assert code_of("Klingon") is None
    assert of_locale("de_DE.UTF-8") == "de"
    assert of_locale("C.UTF-8") is None
    assert of_locale(None) is None
