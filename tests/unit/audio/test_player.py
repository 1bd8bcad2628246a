"""Playing a stretch of tape: what the loudspeaker is given, without a loudspeaker, and when it is stopped."""

import asyncio
import random
from array import array
from pathlib import Path

import pytest

from mictape.audio.player import Player
from mictape.audio.tape import TapeWriter
from mictape.failure import MictapeError
from support.app_driver import handled
from support.pulse import PulseServer
from support.waiting import until_async

RATE = 16_000


def tape_of(folder: Path, seconds: int) -> "array[int]":
    """A tape of noise that is like itself nowhere."""
    samples = array("h", random.Random(seconds).choices(range(-9_000, 9_000), k=seconds * RATE))
    writer = TapeWriter(folder, 1)
    writer.append(samples.tobytes())
    writer.close()
    return samples


def use(pulse: PulseServer, monkeypatch: pytest.MonkeyPatch, sink: str) -> None:
    pulse.control("set-default-sink", sink)
    for name, value in pulse.variables.items():
        monkeypatch.setenv(name, value)


async def test_the_loudspeaker_gets_the_samples_of_the_tape(
    pulse: PulseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = tape_of(tmp_path, 4)
    use(pulse, monkeypatch, "vmic2_sink")  # 16 kHz mono: what is played there comes out unchanged
    received = tmp_path / "heard.s16"
    with received.open("wb") as file:
        form = ("--raw", "--format=s16le", "--rate=16000", "--channels=1")
        command = ["parec", "--device=vmic2_sink.monitor", *form]
        recorder = await asyncio.create_subprocess_exec(*command, stdout=file, env=pulse.env)
        try:
            await until_async(lambda: received.stat().st_size > 0)
            await Player().play(tmp_path, 1, RATE, 3 * RATE)
            wanted = tape[RATE : 3 * RATE].tobytes()
            await until_async(lambda: wanted in received.read_bytes(), what="two seconds of the tape, bit by bit")
        finally:
            recorder.terminate()
            await recorder.wait()


async def test_it_stops_at_once_and_plays_again(
    pulse: PulseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape_of(tmp_path, 30)
    use(pulse, monkeypatch, "spk")
    player = Player()
    for _ in range(2):
        playing = asyncio.create_task(player.play(tmp_path, 1, 0, 30 * RATE))
        await until_async(lambda: pulse.control("list", "short", "sink-inputs"))
        assert player.playing
        player.stop()
        await playing
        assert not player.playing
    await player.play(tmp_path, 1, 29 * RATE, 30 * RATE)


async def test_without_an_output_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape_of(tmp_path, 1)
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody")
    player = Player()
    with pytest.raises(MictapeError, match="nothing to play on"):
        await player.play(tmp_path, 1, 0, RATE)
    assert not player.playing


async def test_a_player_that_was_killed_is_said(
    pulse: PulseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape_of(tmp_path, 30)
    use(pulse, monkeypatch, "spk")
    player = Player()
    playing = asyncio.create_task(player.play(tmp_path, 1, 0, 30 * RATE))
    await until_async(lambda: player._process)
    assert player._process is not None
    player._process.kill()
    with pytest.raises(MictapeError, match="ended unexpectedly"):
        await playing


async def test_p_plays_the_line_while_recording_goes_on_and_p_stops(
    pulse: PulseServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(pulse, monkeypatch, "spk")
    async with handled(home, real_sound=True) as (app, pilot):
        assert app.session is not None
        # A line of ten seconds, so that it is still played when it is stopped.
        [track] = app.session.tracks
        tape_of(track.tape.folder, 10)
        line = app.transcript.add(1, 0, 10 * RATE, "long")
        app._main.view.go_to(line)
        await pilot.press("p")
        await until_async(lambda: pulse.control("list", "short", "sink-inputs"))
        app._main.view.to_end()

        def shown() -> list[str]:
            return [row.text for row in map(app._main.view.render_line, range(3)) if "long" in row.text]

        assert shown() == [row for row in shown() if row.startswith(" ♪00:00:00")] != [], "seen without colour"
        await pilot.press("p")
        await until_async(lambda: not pulse.control("list", "short", "sink-inputs"))
        await until_async(lambda: not any("♪" in row for row in shown()))
        assert not app._notifications
