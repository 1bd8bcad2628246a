"""The probe process on real sound servers: what comes and goes, how loud it is, and that it disturbs nothing."""

import asyncio
import os
import signal
from array import array
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest

from mictape.audio.device_monitor import DeviceMonitor
from mictape.audio.devices import Device, Listing
from mictape.audio.monitor_messages import Levels, Refused
from support.pulse import PulseServer
from support.waiting import until, until_async

TONE = array("h", [8_000, -8_000] * 8_000 * 60).tobytes()
"""A minute of sound with its peak at a quarter of full scale, at 16 kHz."""
PEAK = 8_000 / 32_768


class Seen:
    """What a monitor has reported so far."""

    def __init__(self, monitor: DeviceMonitor) -> None:
        self.monitor = monitor
        self.listings: list[Listing] = []
        self.levels: dict[str, float] = {}
        self.refused: list[str] = []

    @property
    def devices(self) -> dict[str, Device]:
        return {device.target: device for device in self.listings[-1].devices} if self.listings else {}

    async def collect(self) -> None:
        async for event in self.monitor:
            match event:
                case Levels(peaks):
                    self.levels |= peaks
                case Refused(failure):
                    self.refused.append(str(failure))
                case listing:
                    self.listings.append(listing)


@asynccontextmanager
async def looking() -> AsyncGenerator[Seen]:
    seen = Seen(DeviceMonitor())
    collecting = asyncio.create_task(seen.collect())
    try:
        yield seen
    finally:
        collecting.cancel()
        with suppress(asyncio.CancelledError):
            await collecting


def pid_of(monitor: DeviceMonitor) -> int:
    process = monitor._process
    assert process is not None
    return process.pid


@pytest.fixture
def server(pulse: PulseServer, monkeypatch: pytest.MonkeyPatch) -> PulseServer:
    """The test's sound server, which every child finds."""
    for name, value in pulse.variables.items():
        monkeypatch.setenv(name, value)
    return pulse


async def test_every_device_has_its_level_at_once(server: PulseServer) -> None:
    server.play_raw(TONE, sink="vmic2_sink")
    async with looking() as seen:
        await until_async(lambda: seen.levels.get("PulseAudio:vmic2", 0) > 0)
        await until_async(lambda: len(seen.levels) == 5)
        assert seen.levels["PulseAudio:vmic2"] == pytest.approx(PEAK, rel=0.05)
        assert seen.levels["PulseAudio:vmic"] == 0
        assert seen.devices.keys() == {device.removeprefix("PulseAudio:") for device in seen.levels}


async def test_devices_come_and_go_and_a_new_one_has_a_level(server: PulseServer) -> None:
    server.play_raw(TONE, sink="vmic2_sink")
    async with looking() as seen:
        await until_async(lambda: seen.devices)
        server.add("headset", "Headset")
        await until_async(lambda: "headset" in seen.devices)
        await until_async(lambda: seen.levels.get("PulseAudio:headset", 0) > 0)
        server.set_default("headset")
        await until_async(lambda: seen.devices["headset"].default)
        server.remove("headset")
        await until_async(lambda: "headset" not in seen.devices)
        seen.levels.clear()
        await until_async(lambda: seen.levels)
        assert "PulseAudio:headset" not in seen.levels


async def test_a_muted_microphone_is_unmuted_and_one_that_is_gone_is_refused(server: PulseServer) -> None:
    server.set_muted("vmic2")
    server.play_raw(TONE, sink="vmic2_sink")
    async with looking() as seen:
        await until_async(lambda: seen.devices and seen.devices["vmic2"].muted)
        muted = seen.devices["vmic2"]
        await until_async(lambda: seen.levels.get(muted.id) == 0)
        seen.monitor.unmute(muted)
        await until_async(lambda: not seen.devices["vmic2"].muted)
        await until_async(lambda: seen.levels[muted.id] > 0)
        server.remove("vmic2")
        seen.monitor.unmute(muted)
        await until_async(lambda: seen.refused)
        assert seen.refused[0].startswith("Virtual_Mic_Two stays muted")


async def test_killed_it_is_started_again_and_looks_at_the_same(server: PulseServer) -> None:
    async with looking() as seen:
        await until_async(lambda: seen.levels)
        first = pid_of(seen.monitor)
        os.kill(first, signal.SIGKILL)
        await until_async(lambda: len(seen.listings) == 2)
        assert pid_of(seen.monitor) != first
        seen.levels.clear()
        await until_async(lambda: seen.levels)


async def test_a_probe_that_cannot_run_is_given_up_quietly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit(7)\n")
    monkeypatch.setattr("mictape.subprocesses.environment", lambda _: os.environ | {"PYTHONPATH": str(tmp_path)})
    monkeypatch.setattr("mictape.audio.device_monitor.BACK_OFF_S", 0.01)
    assert [event async for event in DeviceMonitor()] == []


async def test_it_ends_with_its_listener(server: PulseServer) -> None:
    async with looking() as seen:
        await until_async(lambda: seen.levels)
        probe = pid_of(seen.monitor)
    with pytest.raises(ProcessLookupError):
        os.kill(probe, 0)
    until(lambda: not server.recorders())


async def test_a_recording_goes_on_unchanged_beside_it(server: PulseServer) -> None:
    counter = array("h", (at % 30_000 + 1 for at in range(16_000 * 60))).tobytes()
    form = ("--raw", "--format=s16le", "--rate=16000", "--channels=1", "--latency-msec=50")
    recording = await asyncio.create_subprocess_exec("parec", "--device=vmic2", *form, env=server.env, stdout=PIPE)
    taken = bytearray()

    async def take() -> None:
        assert recording.stdout is not None
        while chunk := await recording.stdout.read(65_536):
            taken.extend(chunk)

    taking = asyncio.create_task(take())
    await until_async(lambda: taken)
    server.play_raw(counter, sink="vmic2_sink")
    await until_async(lambda: any(taken))
    for _ in range(2):
        async with looking() as seen:
            await until_async(lambda: seen.levels.get("PulseAudio:vmic2", 0) > 0)
            before = len(taken)
            await until_async(lambda before=before: len(taken) >= before + 16_000)
    recording.kill()
    await recording.wait()
    await taking
    samples = array("h", bytes(taken[: len(taken) // 2 * 2])).tolist()
    samples = samples[next(at for at, sample in enumerate(samples) if sample) :]
    assert len(samples) > 16_000
    assert all(after == before % 30_000 + 1 for before, after in pairwise(samples))


async def test_without_a_server_the_device_under_the_cursor_has_a_level(
    pulse: PulseServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """ALSA devices that lead to the test's server while the server itself is not to be found."""
    settings = tmp_path / "alsa.conf"

    def plug_in(**devices: str) -> None:
        lines = [
            f'pcm.{name} {{ type pulse server "unix:{pulse.socket}" device {source} hint {{ show on }} }}'
            for name, source in devices.items()
        ]
        settings.write_text("\n".join(["</usr/share/alsa/alsa.conf>", *lines]))

    plug_in(desk="vmic2")
    for name, value in {"PULSE_SERVER": "unix:/nowhere", "ALSA_CONFIG_PATH": str(settings)}.items():
        monkeypatch.setenv(name, value)
    pulse.play_raw(TONE, sink="vmic2_sink")
    async with looking() as seen:
        await until_async(lambda: "desk" in seen.devices)
        assert seen.levels == {}
        seen.monitor.look(seen.devices["desk"])
        await until_async(lambda: seen.levels.get("ALSA:desk", 0) > 0)
        plug_in(desk="vmic2", headset="vmic")
        await until_async(lambda: "headset" in seen.devices)
        seen.monitor.look(seen.devices["headset"])
        await until_async(lambda: seen.levels.get("ALSA:headset") == 0)
        seen.levels.clear()
        await until_async(lambda: seen.levels)
        assert seen.levels.keys() == {"ALSA:headset"}, "one at a time"
        seen.monitor.unmute(seen.devices["desk"])
        await until_async(lambda: seen.refused)
