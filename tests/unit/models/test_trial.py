"""Trying a model: how texts are compared, which clips are taken, and the command on the real engine."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import jiwer
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from conftest import Speech
from mictape.failure import ExitCode, MictapeError
from mictape.models import clips
from mictape.models.download import Client
from mictape.models.languages import NAMES
from mictape.models.trial import Clip, Score, read_clips, score
from servers import files
from servers.base import CERTIFICATE
from servers.files import FileServer
from support.gguf_files import random_streaming_model
from support.model_files import content

WORDS = st.lists(st.sampled_from(["der", "Hund", "läuft", "schnell", "a"]), min_size=1, max_size=8).map(" ".join)


@given(WORDS, WORDS)
def test_words_are_counted_as_the_field_counts_them(reference: str, text: str) -> None:
    found = score(Clip(Path("x"), "de", reference), text)
    compared = jiwer.process_words(reference.casefold(), text.casefold())
    assert found.wrong == compared.substitutions + compared.deletions + compared.insertions
    assert found.of == len(reference.split())


def test_case_punctuation_and_spaces_do_not_count() -> None:
    assert score(Clip(Path("x"), "fr", "l'été, c'est fini"), "L’ÉTÉ c'est  fini!").wrong == 0
    assert score(Clip(Path("x"), "de", "eins zwei"), "") == Score(2, 2)
    assert score(Clip(Path("x"), "zh", "你好 世界"), "你好世间。") == Score(1, 4)
    assert (Score(1, 4) + Score(2, 4)).rate == 3 / 8


@pytest.mark.parametrize(
    ("text", "code"), [(None, ExitCode.SOUND), ("file\tlanguage\nx\tde\n", ExitCode.USAGE), ("", ExitCode.USAGE)]
)
def test_a_folder_without_a_proper_list_is_a_sentence(tmp_path: Path, text: str | None, code: ExitCode) -> None:
    if text is not None:
        (tmp_path / "manifest.tsv").write_text(text)
    with pytest.raises(MictapeError) as raised:
        read_clips(tmp_path)
    assert raised.value.failure.code is code
    assert raised.value.failure.remedy


def test_the_list_of_clips_is_in_order() -> None:
    known = clips.shipped()
    assert known.attribution
    assert known.base.startswith("https://")
    assert len({entry.name for entry in known.clips}) == len({entry.sha256 for entry in known.clips}) == 20
    assert all(entry.language in NAMES and entry.reference and entry.bytes for entry in known.clips)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("no_proxy", "localhost")
    with files.serving() as running:
        yield running


def test_clips_are_fetched_once_and_only_in_the_wanted_languages(server: FileServer, tmp_path: Path) -> None:
    data = content(1000)
    server.content = {"/a.ogg": data}
    digest = sha256(data).hexdigest()
    entries = tuple(clips.Entry(f"{name}.ogg", code, 1000, digest, "x") for name, code in (("a", "de"), ("b", "es")))
    known = clips.Clips("nobody", f"{server.url}/", entries)
    for _ in range(2):
        found = clips.fetched(known, lambda code: code == "de", tmp_path / "clips", Client(), lambda _: None)
        assert [(clip.path.name, clip.language) for clip in found] == [("a.ogg", "de")]
    assert len(server.requests) == 1
    with pytest.raises(MictapeError) as raised:
        clips.fetched(known, lambda code: code == "ja", tmp_path, Client(), lambda _: None)
    assert raised.value.failure.what == "There are clips in de, es only"


def test_the_command_says_what_a_model_is_worth_here(speech: Speech, home: Path, tmp_path: Path) -> None:
    pytest.importorskip("transcribe_cpp")
    store = tmp_path / "store" / "sample"
    store.mkdir(parents=True)
    size = random_streaming_model(store / "model.gguf").stat().st_size
    model = {
        "name": "sample",
        "title": "Sample",
        "runtime": "transcribe-cpp",
        "languages": ["en"],
        "streaming": True,
        "licence": "MIT",
        "attribution": "nobody",
        "files": [{"name": "model.gguf", "bytes": size}],
    }
    home.mkdir(exist_ok=True)
    (home / "models.toml").write_text(tomli_w.dumps({"version": 1, "models": [model]}))
    folder = tmp_path / "clips"
    folder.mkdir()
    shutil.copy(speech.beckett, folder / "beckett.wav")
    rows = ["file\tlanguage\treference", "beckett.wav\ten\tever tried ever failed", "missing.wav\tde\tnichts"]
    (folder / "manifest.tsv").write_text("\n".join(rows))
    command = [sys.executable, "-m", "mictape", "models", "try", "sample", "--clips", str(folder)]
    environment = {**os.environ, "MICTAPE_MODELS": str(store.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("beckett.wav: ")
    assert lines[1].split() == ["language", "clips", "words", "errors", "s", "per", "s"]
    assert lines[2].split()[:4] == ["English", "1", "4", "WER"]
    assert lines[-1].startswith("sample: poor text (")
    measured = json.loads((home / "models" / "measured.json").read_bytes())
    assert measured["sample"] > 0
    (folder / "manifest.tsv").write_text("\n".join((rows[0], rows[2])))
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == ExitCode.USAGE
    assert "is in a language of sample" in done.stderr
