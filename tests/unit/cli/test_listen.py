"""`mictape listen` on a real sound server: JSON of all kinds, partials on a terminal, a command for each line."""

import asyncio
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from conftest import Speech
from mictape.audio.source_spec import DeviceSource
from mictape.cli import headless
from mictape.cli.main import run as mictape
from mictape.paths import places
from mictape.recording import Recording
from mictape.settings import Settings
from mictape.units import RATE
from support.command_line import MICTAPE
from support.pulse import PulseServer
from support.scripted import ScriptedEngine
from support.sessions import room
from support.sound_system import FakeSoundSystem, device
from support.waiting import until, until_async


def test_json_has_partials_and_finals_and_the_command_gets_the_finals(
    pulse: PulseServer, home: Path, speech: Speech, tmp_path: Path
) -> None:
    room(pulse)
    out, got = tmp_path / "out", tmp_path / "got"
    command = [*MICTAPE, "listen", "--device", "PulseAudio:vmic2", "--json", "--partials", "--exec", f"cat >> '{got}'"]
    with (
        out.open("wb") as stdout,
        subprocess.Popen(command, env=pulse.env, stdout=stdout, stderr=subprocess.PIPE) as run,
    ):
        try:
            until(pulse.recorders, timeout_s=60)
            playing = pulse.play(speech.beckett, sink="vmic2_sink")

            def got_both() -> bool:
                nonlocal playing
                if playing.poll() is not None:  # what a slow machine missed is said again
                    playing = pulse.play(speech.beckett, sink="vmic2_sink")
                return got.exists() and got.read_text().endswith("\n") and '"partial"' in out.read_text()

            until(got_both, timeout_s=120)
            run.send_signal(signal.SIGINT)
            assert run.wait(timeout=120) == 0
            assert run.stderr is not None
            last = run.stderr.read().decode().splitlines()[-1]
        finally:
            run.kill()
    assert re.fullmatch(r'mictape: saved ".+" \d\d:\d\d:\d\d, \d+ lines? · mictape open last', last)
    printed = [json.loads(line) for line in out.read_text().splitlines()]
    finals = [each for each in printed if each["type"] == "final"]
    assert [json.loads(line) for line in got.read_text().splitlines()] == finals
    assert finals
    assert {each["type"] for each in printed} <= {"partial", "final", "revision"}
    ids = {each["id"] for each in finals}
    assert all(each["id"] in ids for each in printed if each["type"] == "revision")
    shown = [each["text"] for each in printed if each["type"] == "partial"]
    assert shown[-1] == "", "the last turn is over"


def test_partials_are_shown_on_a_terminal_and_replaced_by_the_line(
    pulse: PulseServer, home: Path, speech: Speech
) -> None:
    room(pulse)
    ours, theirs = pty.openpty()
    command = [*MICTAPE, "listen", "--device", "PulseAudio:vmic2", "--partials", "--times"]
    env = {**pulse.env, "TERM": "xterm"}
    with subprocess.Popen(command, env=env, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL) as run:
        try:
            os.close(theirs)
            until(pulse.recorders, timeout_s=60)
            shown, playing, deadline = "", pulse.play(speech.beckett, sink="vmic2_sink"), time.monotonic() + 120
            while "\r\x1b[K00:" not in shown or not re.search(r"\r\x1b\[K(?!00:)[A-Za-z]", shown):
                assert time.monotonic() < deadline, shown
                shown += _read(ours) or ""
                if playing.poll() is not None:
                    playing = pulse.play(speech.beckett, sink="vmic2_sink")
            run.send_signal(signal.SIGINT)
            while (text := _read(ours)) is not None:
                assert time.monotonic() < deadline + 120, shown
                shown += text
            assert run.wait(timeout=60) == 0
        finally:
            run.kill()
            os.close(ours)
    before, _, after = shown.partition("\r\x1b[K00:")
    assert "\n" not in before, "partials stay on one row"
    assert "\n" in after


def _read(terminal: int) -> str | None:
    """What the program wrote by now; None after it has closed its end."""
    if not select.select([terminal], [], [], 0.1)[0]:
        return ""
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # the other end is closed
        return None


@pytest.mark.parametrize("terminal", ["xterm", "dumb"])
def test_partials_that_nobody_could_take_back_are_refused(
    terminal: str, monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", terminal)
    assert mictape(["listen", "--partials"]) == 2
    assert "Add --json" in capsys.readouterr().err


@pytest.mark.parametrize(("others", "whose"), [((), ""), (("Headset",), "Blue Yeti: ")])
async def test_a_device_that_comes_back_is_said_with_what_was_lost(
    home: Path, capsys: pytest.CaptureFixture[str], others: tuple[str, ...], whose: str
) -> None:
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    sound = FakeSoundSystem(list(map(device, ("Blue Yeti", *others))), words=(1,))
    recording = Recording(where, Settings(), headless.Policy(), make_engine=lambda _: ScriptedEngine(), sound=sound)
    first, *also = sound.devices
    job = headless.Job([DeviceSource(first)], headless.Policy(), True, "txt", also=tuple(also), greeting="Listening.")
    running = asyncio.create_task(headless._record(recording, job, None))
    try:
        await until_async(lambda: len(recording.transcript) == len(sound.devices))
        sound.sources[0].go_away()
        sound.sources[0].come_back(2 * RATE)
        await until_async(lambda: len(recording.transcript) == len(sound.devices) + 1)
    finally:
        recording.stop()
        await running
    said = capsys.readouterr()
    assert said.out.count("w1\n") == len(sound.devices)
    assert said.err.splitlines()[1:] == [
        "mictape: Blue Yeti is gone. Plug it in again or choose another device (--device NAME).",
        "mictape: Blue Yeti is back.",
        f"mictape: {whose}00:00:00  2.0 s lost: the device was gone.",
    ]


async def test_a_device_that_is_recorded_is_not_added(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    sound = FakeSoundSystem(words=(1,))
    recording = Recording(where, Settings(), headless.Policy(), make_engine=lambda _: ScriptedEngine(), sound=sound)
    also = tuple(sound.devices)
    job = headless.Job([DeviceSource(also[0])], headless.Policy(), True, "txt", also=also, greeting="Listening.")
    running = asyncio.create_task(headless._record(recording, job, None))
    try:
        await until_async(lambda: len(recording.transcript) == 2)
        assert [track.device for track in recording.tracks] == ["Blue Yeti", "Headset"]
    finally:
        recording.stop()
        await running
    assert "Blue Yeti is recorded already. Choose another device to add." in capsys.readouterr().err


def test_the_same_device_twice_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headless, "SoundSystem", lambda _log: FakeSoundSystem())
    for also in (["--device", "Headset", "--also", "Headset"], ["--also", "Blue Yeti"], ["--also", "Headset"] * 2):
        assert mictape(["listen", *also]) == 2
        assert capsys.readouterr().err == f"mictape: {also[-1]} is recorded already. Choose another device to add.\n"
    assert not places({"MICTAPE_HOME": str(home)}).library.exists()
