"""An independent judge: the sherpa-onnx adapter against the real offline server, with a real model, on real speech.

The server comes from the wheel `sherpa-onnx-bin`, in an environment of its own; the model is Moonshine tiny-en out of
the wheel of the local engine. Its list of tokens is made from the model's own tokenizer.
"""

import base64
import os
import signal
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import soxr

from conftest import Speech
from mictape import bundled
from mictape.engines.base import EngineEvent, Lost, Request
from mictape.engines.sherpa import SherpaEngine, SherpaOptions
from mictape.units import RATE
from support.conversation import answered, finals, listen, recognize_all
from support.judges import environment_with, free_port, running
from support.references import BECKETT, TWO_CITIES, word_error_rate, words_in_order

PACKAGE: Final = "sherpa-onnx-bin==2.0.1"

LONGEST_S: Final = 15
"""What the server refuses beyond; utterances are cut well before."""

pytestmark = pytest.mark.proof


@dataclass(frozen=True, slots=True)
class Judge:
    """The real server while it runs."""

    url: str
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """The server, started once."""
    model = bundled.FOLDER / bundled.MOONSHINE
    folder = tmp_path_factory.mktemp("judge")
    server = environment_with(PACKAGE, folder / "venv").with_name("sherpa-onnx-offline-websocket-server")
    write_tokens(model / "tokenizer.bin", folder / "tokens.txt")
    port = free_port()
    command = [
        str(server),
        f"--port={port}",
        f"--tokens={folder / 'tokens.txt'}",
        f"--moonshine-encoder={model / 'encoder_model.ort'}",
        f"--moonshine-merged-decoder={model / 'decoder_model_merged.ort'}",
        f"--max-utterance-length={LONGEST_S}",
        f"--log-file={folder / 'log.txt'}",
    ]
    with running(command, port, folder / "output.txt") as process:
        yield Judge(f"ws://127.0.0.1:{port}", process)


def write_tokens(tokenizer: Path, tokens: Path) -> None:
    """Write sherpa-onnx's list of a Moonshine tokenizer: a line `base64(token) number` for each.

    A tokenizer is the tokens one after the other, each behind its length: one byte, or, from 128 on, two, of which
    the first holds the lower seven bits and 128.
    """
    data = tokenizer.read_bytes()
    lines: list[str] = []
    at = 0
    while at < len(data):
        size, at = data[at], at + 1
        if size >= 128:
            size, at = size - 128 + 128 * data[at], at + 1
        lines.append(f"{base64.b64encode(data[at : at + size]).decode()} {len(lines)}\n")
        at += size
    tokens.write_text("".join(lines), "ascii")


def samples_of(path: Path) -> bytes:
    """A mono WAV file as 16 kHz PCM."""
    with wave.open(str(path)) as file:
        pcm, rate = file.readframes(file.getnframes()), file.getframerate()
    return pcm if rate == RATE else soxr.resample(np.frombuffer(pcm, "<i2"), rate, RATE).tobytes()


def pauses(pcm: bytes, shortest_s: float, longest_s: float) -> list[int]:
    """Where a follower would end utterances: the quietest 50 ms between so many seconds after the one before."""
    step = RATE // 20
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    energy = np.square(samples[: len(samples) // step * step].reshape(-1, step)).sum(axis=1)
    found: list[int] = []
    at = 0
    while len(energy) - at > longest_s * 20:
        first = at + round(shortest_s * 20)
        at = first + int(np.argmin(energy[first : at + round(longest_s * 20)]))
        found.append(at * step + step // 2)
    return found


def engine(judge: Judge, longest_utterance_s: float = 14.0) -> SherpaEngine:
    options = SherpaOptions(mode="offline", url=judge.url, longest_utterance_s=longest_utterance_s)
    return SherpaEngine(options, Path("log"))


def text_of(events: list[EngineEvent]) -> str:
    return " ".join(final.text for final in finals(events))


async def test_speech_is_recognised_as_one_utterance(judge: Judge, speech: Speech) -> None:
    pcm = samples_of(speech.beckett)
    events = await recognize_all(engine(judge), pcm)
    assert words_in_order(BECKETT, text_of(events)) >= 11
    (final,) = finals(events)
    assert (final.start, final.end, final.words) == (0, len(pcm) // 2, None)
    assert answered(events) == [len(pcm) // 2]


async def test_utterance_after_utterance_is_answered_in_order(judge: Judge, speech: Speech) -> None:
    pcm = samples_of(speech.two_cities)
    ends = pauses(pcm, 4, 8)
    events = await recognize_all(engine(judge), pcm, endpoints=ends)
    assert word_error_rate(TWO_CITIES, text_of(events)) <= 0.15
    assert answered(events) == [*ends, len(pcm) // 2]
    assert [final.turn for final in finals(events)] == list(range(len(ends) + 1))


async def test_sound_without_speech_is_answered(judge: Judge) -> None:
    events = await recognize_all(engine(judge), bytes(2 * 3 * RATE), endpoints=[RATE])
    assert answered(events) == [RATE, 3 * RATE]


async def test_what_the_server_finds_too_long_ends_with_its_own_sentence(judge: Judge) -> None:
    with pytest.raises(Lost, match="Max utterance length is configured to 15 seconds") as lost:
        await recognize_all(engine(judge, 30.0), bytes(2 * 20 * RATE))
    assert not lost.value.retry


@pytest.mark.skipif(os.name != "posix", reason="the server is killed with its group")
async def test_a_server_that_is_killed_is_lost(judge: Judge, speech: Speech) -> None:
    """The last test: it takes the server with it."""
    connection = await engine(judge).connect(Request())
    await connection.send(samples_of(speech.two_cities)[: 2 * 13 * RATE])
    await connection.finish()
    os.killpg(judge.process.pid, signal.SIGKILL)
    with pytest.raises(Lost, match="broke") as lost:
        await listen(connection)
    assert lost.value.retry
    await connection.close()
