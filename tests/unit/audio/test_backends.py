"""Every way to a device keeps the same contract: on a real PulseAudio, and on ALSA microphones with a true clock."""

import asyncio
import os
import shutil
import signal
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.audio.capture.device_input import Format, formats
from mictape.audio.capture.rate_correction import Corrector, RateWatch, _Mark
from mictape.audio.devices import Device, list_devices
from mictape.audio.messages import Backend, Ended, Hole, Opened, Paused, Progress
from mictape.audio.source import SourceChanged
from mictape.audio.source_spec import DeviceSource
from mictape.failure import MictapeError
from support.backends import available
from support.clocked_mic import MICROPHONES, ClockedMics
from support.pulse import PulseServer
from support.running_source import Run, source
from support.waiting import until_async

RATE = 16_000
posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
MICROPHONE = {mic.name: mic for mic in MICROPHONES}


PYAUDIO = pytest.param("pyaudio", marks=pytest.mark.proof)
"""It records through PortAudio as sounddevice does: `make test` tries it where sound comes."""


@pytest.fixture(params=get_args(Backend))
def backend(request: pytest.FixtureRequest) -> Backend:
    return available(request.param)


@pytest.fixture(params=[PYAUDIO if each == "pyaudio" else each for each in get_args(Backend)])
def usual(request: pytest.FixtureRequest) -> Backend:
    return available(request.param)


@pytest.fixture(params=["sounddevice", PYAUDIO])
def portaudio(request: pytest.FixtureRequest) -> Backend:
    return available(request.param)


@pytest.fixture
def server(pulse: PulseServer, monkeypatch: pytest.MonkeyPatch) -> PulseServer:
    for name, value in pulse.variables.items():
        monkeypatch.setenv(name, value)
    return pulse


@pytest.fixture
def mics(clocked_mics: ClockedMics, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClockedMics]:
    for name, value in clocked_mics.env.items():
        monkeypatch.setenv(name, value)
    yield clocked_mics


def served(target: str = "vmic2", channels: int = 1, rate: int = RATE) -> Device:
    return Device(f"PulseAudio:{target}", target, "PulseAudio", channels, rate, False, "microphone", target)


# ---- The contract ----------------------------------------------------------------------------------------------------


async def test_every_sample_arrives_and_a_pause_writes_none(
    tmp_path: Path, server: PulseServer, backend: Backend
) -> None:
    counter = array("h", range(-16_000, 16_000)).tobytes()
    async with source(DeviceSource(served(), backend), tmp_path) as run:
        assert await run.open() == Opened(RATE, 1, "vmic2")
        run.source.go()
        server.play_raw(counter)
        await until_async(lambda: counter in run.sound, what="the counter")
        run.source.pause()
        paused = await run.until_reported(Paused)
        before = len(run.events)

        def levels() -> int:
            return sum(len(each.cells) for each in run.events[before:] if isinstance(each, Progress))

        await until_async(lambda: levels() > 20, what="levels in a pause")
        assert run.tape.samples == paused.samples
        run.source.resume()
        await run.until_samples(paused.samples + 3_200)
        ended = await run.source.close()
        assert ended.why == "closed"
        assert run.states == ["open"]
        assert not any(isinstance(event, Hole) for event in run.events)
        await until_async(lambda: not server.recorders(), what="nobody who records any more")


async def test_levels_are_those_of_the_sound(tmp_path: Path, server: PulseServer, usual: Backend) -> None:
    def half(event: Progress) -> bool:
        return any(cell.peak == 0.5 and abs(cell.square - 0.25) < 1e-6 for cell in event.cells)

    async with source(DeviceSource(served(), usual), tmp_path) as run:
        await run.open()
        server.play_raw(array("h", [16_384]).tobytes() * 160_000)
        await run.until_reported(Progress, half)


async def test_what_is_not_there_is_a_sentence(tmp_path: Path, server: PulseServer, usual: Backend) -> None:
    with pytest.raises(MictapeError, match=r"vmic9 (is gone|cannot be opened)") as caught:
        await Run(DeviceSource(served("vmic9"), usual), tmp_path).source.open()
    assert "another device" in caught.value.failure.remedy


async def test_a_device_that_goes_is_lost_and_taken_again(tmp_path: Path, server: PulseServer, usual: Backend) -> None:
    server.add("headset", "Headset")
    async with source(DeviceSource(served("headset"), usual), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_600)
        server.remove("headset")
        lost = await run.until_reported(SourceChanged, lambda event: event.state == "lost")
        assert lost.failure is not None
        assert lost.failure.what == "headset is gone"
        samples = run.tape.samples
        server.add("headset", "Headset")
        await run.until_samples(samples + 8_000)
        assert run.states[-1] == "open"


@posix
async def test_no_frames_is_stalled_until_they_come(tmp_path: Path, server: PulseServer, usual: Backend) -> None:
    async with source(DeviceSource(served(), usual), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_600)
        server.process.send_signal(signal.SIGSTOP)
        try:
            await run.until_reported(SourceChanged, lambda event: event.state == "stalled")
        finally:
            server.process.send_signal(signal.SIGCONT)
        samples = run.tape.samples
        await run.until_samples(samples + 8_000)
        await until_async(lambda: run.states[-1] == "open")


@posix
async def test_a_device_that_hangs_when_it_is_closed_is_left_in_time(
    tmp_path: Path, server: PulseServer, usual: Backend
) -> None:
    async with source(DeviceSource(served(), usual), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(1_600)
        server.process.send_signal(signal.SIGSTOP)  # nothing that asks it is answered
        try:
            ended = await asyncio.wait_for(run.source.close(), 20)
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert ended.why == "closed"
        assert run.tape.samples == ended.samples


async def test_without_portaudio_the_servers_own_program_serves(
    tmp_path: Path, server: PulseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    available("parec")
    hide = "lambda name, find=u.find_library: None if name == 'portaudio' else find(name)"
    (tmp_path / "sitecustomize.py").write_text(f"import ctypes.util as u\nu.find_library = {hide}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    device = next(each for each in await list_devices() if each.target == "vmic2")
    async with source(DeviceSource(device), tmp_path) as run:
        await run.open()
        run.source.go()
        counter = array("h", range(-8_000, 8_000)).tobytes()
        server.play_raw(counter)
        await until_async(lambda: counter in run.sound, what="the counter")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MictapeError, match="PortAudio, which records from devices, is not installed"):
        await Run(DeviceSource(device), tmp_path).source.open()


# ---- Formats and channels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["counter", "counter48", *(pytest.param(each, marks=pytest.mark.proof) for each in ("counter8", "counter32"))],
)
async def test_a_microphone_is_asked_for_what_it_takes(
    tmp_path: Path, mics: ClockedMics, portaudio: Backend, name: str
) -> None:
    mic = MICROPHONE[name]
    async with source(DeviceSource(mic.device, portaudio), tmp_path) as run:
        assert await run.open() == Opened(mic.rate or RATE, mic.device.channels, name)
        run.source.go()
        await run.until_samples(8_000)


async def test_one_channel_of_many_is_on_the_tape(tmp_path: Path, server: PulseServer) -> None:
    if shutil.which("parec") is None:
        pytest.skip("not installed: parec")
    form = ("rate=16000", "channels=4", "channel_map=aux0,aux1,aux2,aux3")
    server.control("load-module", "module-null-sink", "sink_name=desk", "norewinds=1", *form)
    frames = np.tile(np.array([1_000, 2_000, 3_000, 4_000], dtype=np.int16), (160_000, 1))
    third = np.full(1_600, 3_000, dtype=np.int16).tobytes()
    mean = np.full(1_600, 2_500, dtype=np.int16).tobytes()
    for channel, wanted in ((3, third), (None, mean)):
        folder = tmp_path / str(channel)
        folder.mkdir()
        async with source(DeviceSource(served("desk.monitor", 4), "sounddevice", channel), folder) as run:
            assert (await run.open()).channels == 1
            run.source.go()
            path = folder / "four.s16"
            path.write_bytes(frames.tobytes())
            player = server._play("--device=desk", "--raw", "--format=s16le", "--rate=16000", "--channels=4",
                                  "--channel-map=aux0,aux1,aux2,aux3", str(path))  # fmt: skip
            await until_async(lambda wanted=wanted, run=run: wanted in run.sound, what=f"channel {channel}")
            player.terminate()


async def test_a_channel_that_is_not_there_is_reported(tmp_path: Path, mics: ClockedMics) -> None:
    with pytest.raises(MictapeError, match="counter8 has no channel 9: it has 8"):
        await Run(DeviceSource(MICROPHONE["counter8"].device, "sounddevice", 9), tmp_path).source.open()


def test_formats_go_from_the_best_to_the_rest() -> None:
    asked = list(formats(Device("", "", "ALSA", 128, 96_000, False, "microphone", "")))  # any number
    assert asked[:3] == [Format(16_000, 1), Format(16_000, 32), Format(16_000, 2)]
    assert next(formats(Device("", "", "Core Audio", 8, 96_000, False, "microphone", ""))) == Format(16_000, 8)
    assert [each.rate for each in asked[::3]] == [16_000, 96_000, 48_000, 44_100]
    assert {each.channels for each in formats(served(channels=8), 3)} == {8}


# ---- The true rate ---------------------------------------------------------------------------------------------------


async def test_a_microphone_that_claims_another_rate_is_noticed(
    tmp_path: Path, mics: ClockedMics, portaudio: Backend
) -> None:
    async with source(DeviceSource(MICROPHONE["liar"].device, portaudio), tmp_path) as run:
        assert (await run.open()).rate == 48_000
        run.source.go()
        odd = await run.until_reported(SourceChanged, lambda event: event.failure is not None)
        assert odd.state == "open"
        assert "claims 48000 samples a second and delivers 44100" in str(odd.failure)


async def test_an_honest_microphone_is_not_suspected(tmp_path: Path, mics: ClockedMics, portaudio: Backend) -> None:
    async with source(DeviceSource(MICROPHONE["counter"].device, portaudio), tmp_path) as run:
        await run.open()
        run.source.go()
        await run.until_samples(48_000)
        assert run.states == ["open"]
        assert run.events
        assert not any(isinstance(event, Ended) for event in run.events)


def verdicts(
    rate: int, true_rate: float, seconds: float, late: list[float], hole_s: float = 0.0, *, per_s: int = 50
) -> list[int]:
    """What is found of a device that claims `rate`: its blocks are late by `late`, round and round."""
    watch, found = RateWatch(rate), list[int]()
    size = rate // per_s
    for n in range(round(seconds * true_rate / size)):
        lost_s = hole_s if n > seconds * true_rate / size / 2 else 0.0
        verdict = watch.count(100 + n * size / true_rate + lost_s + late[n % len(late)], size)
        found += [] if verdict is None else [verdict]
    return found


_lateness = st.lists(st.floats(0, 0.15), max_size=10).map(lambda late: [0.0, *late])
"""At least one block of each window is in time: there are twelve."""


@given(st.sampled_from([16_000, 44_100, 48_000]), _lateness, st.floats(0, 3))
def test_late_blocks_and_lost_ones_are_no_other_rate(rate: int, late: list[float], hole_s: float) -> None:
    assert verdicts(rate, rate * 1.0002, 20, late, hole_s) == []
    assert verdicts(rate, rate * 1.0002, 60, late[:5], hole_s, per_s=5) == []


def test_a_device_that_keeps_its_rate_costs_a_step_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[_Mark] = []
    speed = RateWatch._speed

    def counted(watch: RateWatch, a: _Mark, b: _Mark) -> float:
        steps.append(b)
        return speed(watch, a, b)

    monkeypatch.setattr(RateWatch, "_speed", counted)
    assert verdicts(16_000, 16_000 * 1.0001, 60, [0.0, 0.004]) == []
    assert 200 <= len(steps) <= 240, "all of half a minute is not worked out again four times a second"


@given(st.sampled_from([(48_000, 24_000), (16_000, 8_000), (48_000, 44_100), (16_000, 24_000), (48_000, 46_500)]))
def test_another_rate_is_found_once(rates: tuple[int, int]) -> None:
    claimed, true = rates
    assert len(verdicts(claimed, true, 30, [0.0])) == 1
    assert verdicts(claimed, true, 30, [0.0, 0.004, 0.015])[-1] == pytest.approx(true, rel=0.002)


@given(st.integers(1, 8), st.floats(0.05, 0.6), st.sampled_from([16_000, 48_000]))
def test_a_machine_that_does_not_keep_up_is_no_other_rate(even: int, stall_s: float, rate: int) -> None:
    """A few blocks in time, then none for a while; what was due meanwhile is lost, but for a burst of two."""
    watch, at, size = RateWatch(rate), 100.0, rate // 50
    while at < 160:
        assert [watch.count(at + n * 0.02, size) for n in range(even)] == [None] * even
        at += even * 0.02 + stall_s
        assert [watch.count(at - 0.001 * n, size) for n in (2, 1)] == [None, None]


def test_another_rate_is_found_although_the_machine_sometimes_stands_still() -> None:
    late = [0.0] * 60 + [0.3]
    assert verdicts(48_000, 24_000, 30, late) == [24_000]


def test_after_that_a_second_is_a_second_again() -> None:
    corrector = Corrector(48_000, 2)
    block = np.zeros((960, 2), dtype=np.int16)
    given_frames, blocks, found = 0, 0, list[int]()
    for n in range(250):  # 10 s of a device that delivers 24 kHz
        samples, rate = corrector.feed(block, n * 0.04)
        found += [] if rate is None else [rate]
        given_frames += len(samples) if found else 0
        blocks += bool(found)
        assert samples.shape[1] == 2
    assert found == [24_000]
    assert given_frames == pytest.approx(blocks * 1_920, rel=0.02)
