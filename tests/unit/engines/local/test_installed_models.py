"""The local engine with models of the catalogue, in real processes: transcribe-cpp itself, with random weights."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
import tomli_w

from conftest import Speech
from mictape.audio.source import DeviceSource
from mictape.audio.tape import read_journal
from mictape.engines.base import Answered, EngineEvent, FinalTurn, Lost, Partial, Request
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.failure import ExitCode
from mictape.library.library import Library
from mictape.recognition.coverage import Coverage, Gap
from mictape.recognition.follower import Follower
from mictape.recognition.stretches import FollowedTrack, FollowerEvent
from mictape.session.session import Session
from mictape.transcript.line import Kind
from mictape.units import RATE
from support.clocked_mic import ClockedMics, Microphone
from support.conversation import finals, recognize_all
from support.gguf_files import random_streaming_model
from support.local_engine import pid_of, samples_of, tape_of
from support.parakeet_files import random_parakeet
from support.waiting import until_async

pytest.importorskip("transcribe_cpp")

# One loop for the file, so that tests can share a process.
pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMING = "random-streaming"
SEGMENTS = "random-segments"
ONNX = "random-onnx"
MUTE = "random-mute"
"""Streams, and never says a word."""


def entry(name: str, runtime: str, folder: Path, **more: object) -> dict[str, object]:
    names = ("encoder.int8.onnx", "decoder.int8.onnx", "joiner.int8.onnx", "tokens.txt")
    files = names if runtime == "parakeet-onnx" else ("model.gguf",)
    return {
        "name": name,
        "title": name.title(),
        "runtime": runtime,
        "languages": ["de", "en"],
        "licence": "MIT",
        "attribution": "nobody",
        "word_times": True,
        "confidence": True,
        "files": [{"name": file, "bytes": (folder / name / file).stat().st_size} for file in files],
        **more,
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a model for each runtime and driver."""
    folder = tmp_path_factory.mktemp("store")
    for name, bias in ((STREAMING, 4.2), (SEGMENTS, 4.2), (MUTE, 50.0)):
        (folder / name).mkdir()
        random_streaming_model(folder / name / "model.gguf", blank_bias=bias)
    random_parakeet(folder / ONNX)
    return folder


@pytest.fixture(autouse=True)
def known(store: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own catalogue names them, and the store is one that is only read."""
    monkeypatch.setenv("MICTAPE_MODELS", str(store))
    models = [
        entry(STREAMING, "transcribe-cpp", store, streaming=True, look_ahead_ms=[1040, 480, 80]),
        entry(SEGMENTS, "transcribe-cpp", store),
        entry(ONNX, "parakeet-onnx", store),
        entry(MUTE, "transcribe-cpp", store, streaming=True),
    ]
    home.mkdir(exist_ok=True)
    (home / "models.toml").write_text(tomli_w.dumps({"version": 1, "models": models}))


@pytest_asyncio.fixture(loop_scope="module")
async def engines(tmp_path: Path) -> AsyncIterator["Engines"]:
    made = Engines(tmp_path / "engine.log")
    yield made
    await asyncio.gather(*(engine.close() for engine in made.all))


class Engines:
    """Makes engines and closes them."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.all: list[LocalEngine] = []

    def make(self, model: str = "", **options: str) -> LocalEngine:
        engine = LocalEngine(LocalOptions(model=model, **options), self.log)  # pyright: ignore[reportArgumentType]
        self.all.append(engine)
        return engine


@pytest.fixture(scope="module")
def beckett(speech: Speech) -> bytes:
    """The first half of the recording, three lines."""
    return samples_of(speech.beckett)[: 2 * 5 * RATE]


GERMAN = Request(language="de")


class Shared:
    """What tests share: a streaming engine with its process, and what it said while nothing else went on."""

    engine: LocalEngine | None = None
    alone: list[str] | None = None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Shared]:
    made = Shared()
    yield made
    if made.engine is not None:
        await made.engine.close()


@pytest.fixture
def streaming(shared: Shared, known: None, tmp_path: Path) -> LocalEngine:
    """The engine of `shared`; made in a test, since it looks for its model where that test has it."""
    if shared.engine is None:
        shared.engine = LocalEngine(LocalOptions(model=STREAMING, second_pass="off"), tmp_path / "engine.log")
    return shared.engine


@pytest_asyncio.fixture(loop_scope="module")
async def alone(shared: Shared, streaming: LocalEngine, beckett: bytes) -> list[str]:
    """What it says while nothing else goes on."""
    if shared.alone is None:
        shared.alone = texts(await recognize_all(streaming, beckett, request=GERMAN))
    return shared.alone


def texts(events: Sequence[EngineEvent]) -> list[str]:
    return [final.text for final in finals(events)]


@pytest.mark.parametrize("name", [STREAMING, SEGMENTS, ONNX])
async def test_lines_have_words_with_times_and_confidence(engines: Engines, beckett: bytes, name: str) -> None:
    engine = engines.make(name, second_pass="off")
    events = await recognize_all(engine, beckett, request=GERMAN)
    assert engine.title == f"local · {name.title()} · German"
    assert engine.capabilities.confidence
    lines = finals(events)
    assert lines
    end = 0
    for line in lines:
        assert line.words
        assert line.start is not None
        assert line.end is not None
        assert end <= line.start < line.end <= len(beckett) // 2
        end = line.end
        assert line.text == " ".join(word.text for word in line.words)
        starts = [word.start or 0 for word in line.words]
        assert starts == sorted(starts)
        assert all(not word.estimated and word.confidence is not None for word in line.words)
        assert line.start <= starts[0]
    assert [event.until for event in events if isinstance(event, Answered)][-1] == len(beckett) // 2


async def test_what_a_stream_has_said_stays_said(streaming: LocalEngine, beckett: bytes) -> None:
    events = await recognize_all(streaming, beckett, request=GERMAN)
    stable: dict[int, str] = {}
    for event in events:
        if isinstance(event, Partial):
            assert event.text.startswith(stable.get(event.turn, ""))
            stable[event.turn] = event.text[: event.stable]
        elif isinstance(event, FinalTurn):
            assert event.text.startswith(stable.get(event.turn, "")), "the final goes on where the partial was"
    assert any(stable.values())


async def test_the_text_does_not_depend_on_how_the_sound_is_cut(
    streaming: LocalEngine, alone: list[str], beckett: bytes
) -> None:
    assert alone == texts(await recognize_all(streaming, beckett, request=GERMAN, block=331))


async def test_two_connections_stream_at_once(streaming: LocalEngine, alone: list[str], beckett: bytes) -> None:
    both = await asyncio.gather(*(recognize_all(streaming, beckett, request=GERMAN) for _ in range(2)))
    assert [texts(events) for events in both] == [alone, alone]
    assert len(streaming._processes) == 1


async def test_a_connection_given_up_in_a_line_leaves_the_model_free(
    streaming: LocalEngine, alone: list[str], beckett: bytes
) -> None:
    connection = await streaming.connect(GERMAN)
    await connection.send(beckett[: 4 * RATE])
    await connection.close()
    assert texts(await recognize_all(streaming, beckett, request=GERMAN)) == alone


async def test_a_killed_process_is_lost_and_the_next_one_works(
    streaming: LocalEngine, alone: list[str], beckett: bytes
) -> None:
    connection = await streaming.connect(GERMAN)
    await connection.send(beckett[: 2 * RATE])
    os.kill(pid_of(streaming), signal.SIGKILL)
    with pytest.raises(Lost) as lost:
        async for _ in connection:
            pass
    assert lost.value.retry
    assert texts(await recognize_all(streaming, beckett, request=GERMAN)) == alone


async def test_a_language_brings_its_best_model_and_another_one_a_sentence(engines: Engines) -> None:
    engine = engines.make()
    assert await engine.check(GERMAN) is None
    assert engine.title == "local · Random-Streaming · German"
    failure = await engine.check(Request(language="fr-CA"))
    assert failure is not None
    assert failure.what == "No local model for French is installed"
    assert failure.remedy.startswith("Type: mictape models install world (496 MB)")
    assert failure.code is ExitCode.ENGINE
    with pytest.raises(Lost) as lost:
        await engine.connect(Request(language="fr"))
    assert not lost.value.retry
    assert {"de", "en"} <= set(engine.capabilities.languages)


async def test_the_state_line_has_no_model_looked_for(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, looks = engines.make(), list[object]()
    assert await engine.check(Request(language="fr")) is not None
    monkeypatch.setattr("mictape.engines.local.engine.choose_model", lambda *asked: looks.append(asked))
    assert [engine.title for _ in range(5)] == ["local"] * 5
    assert {"de", "en"} <= set(engine.capabilities.languages)
    assert not looks


async def test_another_language_is_another_process_and_the_first_one_goes(engines: Engines) -> None:
    engine = engines.make()
    await recognize_all(engine, bytes(RATE), request=GERMAN)
    first = pid_of(engine)
    await recognize_all(engine, bytes(RATE), request=Request(language="en"))
    assert pid_of(engine) != first


@pytest.mark.parametrize("damage", ["cut", pytest.param("foreign", marks=pytest.mark.proof)])
async def test_a_damaged_file_is_a_sentence_and_no_crash(
    engines: Engines, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    whole = (store / STREAMING / "model.gguf").read_bytes()
    (tmp_path / STREAMING).mkdir()
    data = whole[: len(whole) // 2].ljust(len(whole), b"\0") if damage == "cut" else b"PK\3\4".ljust(len(whole), b"x")
    (tmp_path / STREAMING / "model.gguf").write_bytes(data)
    if damage == "cut":
        data = data[:1000] + bytes(len(whole) - 1000)
        (tmp_path / STREAMING / "model.gguf").write_bytes(data)
    monkeypatch.setenv("MICTAPE_MODELS", str(tmp_path))
    with pytest.raises(Lost) as lost:
        await engines.make(STREAMING).connect(GERMAN)
    assert "cannot be loaded" in lost.value.cause.what
    assert lost.value.cause.remedy == "Type: mictape models verify"
    assert not lost.value.retry


async def test_a_second_model_of_another_runtime_revises_a_line_once_at_most(engines: Engines, beckett: bytes) -> None:
    alone = await recognize_all(engines.make(SEGMENTS, second_pass="off"), beckett, request=GERMAN)
    events = await recognize_all(engines.make(ONNX, second_model=SEGMENTS), beckett, request=GERMAN)
    lines: dict[int, list[str]] = {}
    for final in finals(events):
        lines.setdefault(final.turn, []).append(final.text)
    assert lines
    assert texts(alone)
    assert all(1 <= len(texts) <= 2 for texts in lines.values())


async def test_speech_that_nothing_is_recognized_in_is_a_gap_and_the_rest_is_covered(
    engines: Engines, speech: Speech, tmp_path: Path
) -> None:
    sound = samples_of(speech.two_cities)[: 2 * 14 * RATE]
    tape, coverage, events = tape_of(tmp_path, 1, sound), Coverage(), list[FollowerEvent]()
    engine = engines.make(MUTE, second_pass="off")
    track = FollowedTrack(tape, coverage, events.append, count())
    await asyncio.wait_for(Follower(track, engine, GERMAN).run(), 60)
    assert coverage.open(len(sound) // 2) == []
    assert coverage.gaps
    assert [event.event for event in events if isinstance(event.event, Gap)] == list(coverage.gaps)
    assert all(gap.end - gap.start > 3 * RATE and "nothing was recognised" in gap.why for gap in coverage.gaps)


@pytest.mark.proof
async def test_two_microphones_a_pause_and_another_device(
    engines: Engines, beckett: bytes, clocked_mics: ClockedMics, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process streams both tracks, and their text goes on behind a pause and on another device."""
    sound = home / "words.s16"
    sound.write_bytes(beckett)
    one, other, third = (Microphone(name, rate=RATE, infile=sound) for name in ("one", "other", "third"))
    for name, value in clocked_mics.configure(one, other, third).items():
        monkeypatch.setenv(name, value)
    engine = engines.make(STREAMING, second_pass="off")
    async with await Library.open(home / "library.db") as library:
        session = await Session.begin(library, engine, GERMAN, log=home / "log")
        tracks = [
            session.sound.add_track(DeviceSource(one.device)),
            await session.sound.join(DeviceSource(other.device)),
        ]
        running = [
            asyncio.create_task(run(track)) for track in tracks for run in (session.sound.capture, session.follow)
        ]

        async def spoken_after(*marks: int) -> None:
            def lines_came() -> bool:
                lines = list(map(session.transcript.line, range(len(session.transcript))))
                return all(
                    any(line.track == track.number and line.start >= mark for line in lines if line.kind is Kind.SPEECH)
                    for track, mark in zip(tracks, marks, strict=True)
                )

            await until_async(lines_came)

        try:
            await spoken_after(0, 0)
            session.sound.pause()
            await until_async(lambda: read_journal(session.folder.path, 2).anchors[-1].why == "pause")
            marks = [track.end for track in tracks]
            session.sound.resume()
            await spoken_after(*marks)
            await session.sound.choose(tracks[0], DeviceSource(third.device))
            await spoken_after(*(track.end for track in tracks))
            assert len(engine._processes) == 1
            await session.stop()
            await asyncio.wait_for(asyncio.gather(*running), 60)
            assert [track.coverage.open(track.end) for track in tracks] == [[], []], "everything is answered"
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await session.stop()
            await session.close()


@pytest.mark.proof
@pytest.mark.timeout(3600)
async def test_memory_stays_flat_over_an_hour(engines: Engines, beckett: bytes) -> None:
    engine = engines.make(STREAMING)
    await recognize_all(engine, beckett, request=GERMAN)

    def resident_mb() -> float:
        status = Path(f"/proc/{pid_of(engine)}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    hour = beckett * (3600 * RATE * 2 // len(beckett))
    await recognize_all(engine, hour[: len(hour) // 6], request=GERMAN)
    before = resident_mb()
    await recognize_all(engine, hour, request=GERMAN)
    assert resident_mb() < before + 20
