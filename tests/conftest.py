"""Fixtures that every test may use: the wheel's speech, a home of one's own, a sound server of one's own."""

import compileall
import gc
import importlib.util
import random
import signal
import sys
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from _pytest.assertion import rewrite
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

import mictape
from mictape.units import RATE
from support import clocked_mic, command_line
from support import pulse as pulse_server
from support.quick_textual import textual_at_less_cost

# nohup and shells without job control start their children with signals ignored, and Mictape leaves those ignored.
for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored is signal.SIGINT else signal.SIG_DFL)

# Property tests find examples, they measure nothing: a busy machine is no failure.
settings.register_profile("mictape", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("proof", settings.get_profile("mictape"), max_examples=400)
settings.load_profile("mictape")


gc.disable()  # while 3,000 tests are collected, from which nothing goes


def pytest_collection(session: pytest.Session) -> None:
    """Compile a part of the package and of the test files in each process: all would do it with all of them, in step.

    And leave it to the proof to try constants of our code as examples: Hypothesis reads all of it for them, which takes
    1.5 s of CPU in each process of a fresh clone.
    """
    if settings.get_current_profile_name() != "proof":
        providers._get_local_constants = lambda: providers._local_constants
    worker: dict[str, Any] | None = getattr(session.config, "workerinput", None)  # set by pytest-xdist
    if worker is None or sys.dont_write_bytecode:
        return
    own = slice(int(worker["workerid"].removeprefix("gw")) % worker["workercount"], None, worker["workercount"])
    for file in sorted(Path(mictape.__path__[0]).rglob("*.py"))[own]:
        compileall.compile_file(file, quiet=2)
    state = session.config.stash[rewrite.assertstate_key]
    for file in sorted(Path(__file__).parent.rglob("test_*.py"))[own]:
        kept = rewrite.get_cache_dir(file) / (file.stem + rewrite.PYC_TAIL)
        if rewrite._read_pyc(file, kept) is None and rewrite.try_makedirs(kept.parent):
            digest, code = rewrite._rewrite_test(file, session.config)
            rewrite._write_pyc(state, code, digest, kept)


def pytest_collection_finish() -> None:
    """Keep Python from looking for garbage in what was imported and collected: it took a tenth of the tests' CPU."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def quick_textual() -> Iterator[None]:
    """Let the apps of this process share what each would work out again, and draw late what no terminal shows."""
    with pytest.MonkeyPatch.context() as patch:
        textual_at_less_cost(patch)
        yield


@dataclass(frozen=True, slots=True)
class Speech:
    """Recordings of English speech that the engine's own wheel carries."""

    two_cities: Path
    """48 kHz mono, 44 s: the opening of A Tale of Two Cities."""
    beckett: Path
    """16 kHz mono, 10 s: 12 words from Beckett."""


_homes: Final = count()


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Mictape and its children keep everything in, made by them when needed.

    For every test, asked for or not, so that none touches what the person at this machine has. Not in the test's own
    folder, which would be made for all tests then.
    """
    folder = tmp_path_factory.getbasetemp() / f"home{next(_homes)}"
    monkeypatch.setenv("MICTAPE_HOME", str(folder))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # a system in another language is asked for a model
    return folder


@pytest.fixture(scope="session")
def speech() -> Speech:
    """Real speech; the test is skipped where the wheel does not exist. The native library is not loaded."""
    found = importlib.util.find_spec("moonshine_voice")
    if found is None or found.origin is None:
        pytest.skip("moonshine-voice has no wheel for this platform")
    assets = Path(found.origin).parent / "assets"
    return Speech(two_cities=assets / "two_cities.wav", beckett=assets / "beckett.wav")


@pytest.fixture(scope="session")
def quiet_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of a room in which nobody speaks, for a test that needs a session and no words: those cost CPU."""
    return room(tmp_path_factory.mktemp("sound") / "room.wav", seconds=60)


@pytest.fixture(scope="session")
def short_room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of it: a session without text is kept from three seconds on."""
    return room(tmp_path_factory.mktemp("sound") / "room.wav", seconds=4)


def room(path: Path, seconds: int) -> Path:
    """Write the hiss of a quiet room."""
    hiss = array("h", random.Random(1).choices(range(-3, 4), k=seconds * RATE))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(hiss.tobytes())
    return path


@pytest.fixture
def pulse() -> Iterator[pulse_server.PulseServer]:
    """A PulseAudio server for this test alone; skipped where PulseAudio is not installed."""
    if lacking := pulse_server.missing():
        pytest.skip(f"not installed: {', '.join(lacking)}")
    with pulse_server.running() as server:
        yield server


@pytest.fixture(scope="session")
def clocked_mics() -> Iterator[clocked_mic.ClockedMics]:
    """ALSA microphones with a true clock, built once; skipped where there is no compiler or no ALSA."""
    if lacking := clocked_mic.missing():
        pytest.skip(f"not installed: {', '.join(lacking)}")
    with clocked_mic.built() as mics:
        yield mics


@dataclass(frozen=True, slots=True)
class SpeakingMic:
    """A microphone with a true clock that plays speech round and round: `--device ALSA:speaking`."""

    env: dict[str, str]
    """For children: the device exists there."""
    sound: bytes
    """What it plays once, 16 kHz PCM: a tape of it without a loss is a part of its repetition."""


@pytest.fixture
def speaking_mic(clocked_mics: clocked_mic.ClockedMics, speech: Speech, tmp_path: Path) -> SpeakingMic:
    """Beckett's words, for a test that counts samples or waits for text."""
    from support.local_engine import samples_of  # brings numpy, which most tests do not need

    sound = samples_of(speech.beckett)
    infile = tmp_path / "speech.raw"
    infile.write_bytes(sound)
    return SpeakingMic(clocked_mics.configure(clocked_mic.Microphone("speaking", RATE, 1, infile=infile)), sound)


@pytest.fixture
def nobodys_keys() -> Iterator[None]:
    """This process has no keys of anybody: none in its environment, and no keyring."""
    from support.file_keyring import without_keys

    with without_keys():
        yield


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Put logging back as the other tests expect it."""
    with command_line.own_logging():
        yield
