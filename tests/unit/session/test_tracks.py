"""Several tracks in one session: true order in spite of drift, joining in mid-session, names."""

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Speech
from mictape.audio.clock import Anchor, Clock
from mictape.audio.source_spec import DeviceSource, FileSource
from mictape.audio.tape import count_samples, read_journal
from mictape.engines.base import Request
from mictape.failure import Advice, MictapeError
from mictape.library.export import plain
from mictape.library.library import Library, Store
from mictape.session.recovery import load_session
from mictape.session.session import Session
from mictape.session.state import State, Status, worst_of
from mictape.session.track import Track, name_for
from mictape.session.track_clock import TrackClock
from mictape.transcript.line import Kind
from mictape.transcript.model import Transcript
from mictape.units import RATE
from servers.base import Server
from support.clocked_mic import ClockedMics, Microphone
from support.command_line import MICTAPE
from support.example_service import environment, leading_to
from support.pulse import PulseServer
from support.screen_app import screen_app
from support.scripted import ScriptedEngine, spoken
from support.sessions import room, sessions_of
from support.waiting import until, until_async

HOUR_S = 3600
ONE, OTHER = Microphone("one", rate=RATE, ppm=100), Microphone("other", rate=RATE, ppm=-100)


def clock_of(ppm: float, begins_s: float, pauses: Sequence[tuple[float, float]] = ()) -> Clock:
    """The anchors of a device with this error over an hour."""
    clock, sample, at = Clock(), 0.0, begins_s
    clock.add(Anchor(0, at, at, "start"))
    rate = RATE * (1 + ppm / 1e6)
    for pause_s, resume_s in [*pauses, (HOUR_S, HOUR_S)]:
        while at < pause_s:
            length = min(10.0, pause_s - at)
            at, sample = at + length, sample + length * rate
            clock.add(Anchor(round(sample), at, at, "tick" if at < pause_s else "pause"))
        at = resume_s
        clock.add(Anchor(round(sample), at, at, "resume"))
    return clock


def recorded_at(clock: Clock, moment: float) -> int:
    """The sample of a tape that was captured at that moment."""
    sample = clock.sample_at(moment)
    assert sample is not None
    return sample


@given(
    ppm=st.tuples(st.floats(-200, 200), st.floats(-200, 200)),
    joined_s=st.floats(0, 600),
    pause=st.tuples(st.floats(700, 1000), st.floats(1, 900)),
    said_s=st.lists(st.floats(601, HOUR_S - 1), min_size=2, max_size=30),
)
def test_after_an_hour_two_tracks_stand_in_true_order(
    ppm: tuple[float, float], joined_s: float, pause: tuple[float, float], said_s: list[float]
) -> None:
    pauses = [(pause[0], pause[0] + pause[1])]
    first = clock_of(ppm[0], 0, pauses)
    own = clock_of(ppm[1], joined_s, pauses)
    origin = recorded_at(first, joined_s)
    placement = TrackClock(lambda: own, lambda: first, lambda: first.anchors[-1].sample, origin)
    # Said by turns on the one and on the other track, at these moments.
    moments = sorted(moment for moment in said_s if not pauses[0][0] <= moment <= pauses[0][1])
    places = [
        recorded_at(first, moment) if turn % 2 else placement.session_time(origin + recorded_at(own, moment))
        for turn, moment in enumerate(moments)
    ]
    assert all(later >= earlier - 2 for earlier, later in pairwise(places))
    for moment, place in zip(moments, places, strict=True):
        assert place == pytest.approx(recorded_at(first, moment), abs=2), "where the first tape was then"
        assert placement.session_time(placement.own_time(place)) == pytest.approx(place, abs=2), "and back"


def test_while_the_first_track_stands_still_so_does_session_time() -> None:
    first = clock_of(0, 0)
    own = clock_of(0, 0)
    placement = TrackClock(lambda: own, lambda: first, lambda: 100 * RATE, 0)
    assert [placement.session_time(at * RATE) for at in (99, 101, 200)] == [99 * RATE, 100 * RATE, 100 * RATE]


def test_without_anchors_the_tape_is_counted_from_its_origin() -> None:
    placement = TrackClock(Clock, Clock, lambda: 0, 500)
    assert (placement.session_time(700), placement.own_time(700)) == (700, 700)


@contextlib.asynccontextmanager
async def recorded_session(library: Library, log: Path) -> AsyncGenerator[tuple[Session, "Run"]]:
    """A session; whatever runs in it is ended and it is closed afterwards."""
    session = await Session.begin(library, ScriptedEngine(), Request(), log=log)
    run = Run(session)
    try:
        yield session, run
        await session.stop()
        await asyncio.wait_for(asyncio.gather(*run.tasks), 30)
    finally:
        for task in run.tasks:
            task.cancel()
        await asyncio.gather(*run.tasks, return_exceptions=True)
        await session.stop()
        await session.close()


class Run:
    """What runs side by side in a session."""

    def __init__(self, session: Session) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self._session = session

    def start(self, track: Track) -> None:
        """Record and follow it."""
        self.tasks += [
            asyncio.create_task(self._session.sound.capture(track)),
            asyncio.create_task(self._session.follow(track)),
        ]


def listen_to_words(mics: ClockedMics, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have both microphones hear the same words, round and round."""
    sound = folder / "words.s16"
    sound.write_bytes(spoken([1, 2, 3, 4, 0, 5, 6, 0]))
    began_s = int(time.monotonic())
    both = (replace(mic, infile=sound, origin=began_s) for mic in (ONE, OTHER))
    for name, value in mics.configure(*both).items():
        monkeypatch.setenv(name, value)


async def test_two_microphones_of_different_rates(
    clocked_mics: ClockedMics, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen_to_words(clocked_mics, tmp_path, monkeypatch)
    async with recorded_session(library, tmp_path / "log") as (session, run):
        first = session.sound.add_track(DeviceSource(ONE.device))
        run.start(first)
        await until_async(lambda: first.tape.samples > RATE)
        assert session.transcript.track_names == {}, "one track needs no name"
        second = await session.sound.join(DeviceSource(OTHER.device))
        run.start(second)
        await until_async(lambda: second.tape.samples > 2 * RATE)
        session.sound.pause()
        await until_async(lambda: read_journal(session.folder.path, 2).anchors[-1].why == "pause")
        before = [track.tape.samples for track in session.tracks]
        session.sound.resume()
        await until_async(lambda: second.tape.samples > before[1] + RATE)
        assert dict(session.transcript.track_names) == {1: "You", 2: "You 2"}
        session.writer.rename_track(second, "Anna")
    id = session.folder.session
    tracks = await library.run(Store.tracks, id)
    assert [track.name for track in tracks] == ["You", "Anna"]
    assert tracks[1].origin >= RATE, "it joined after a second"
    lines = [line for line in await library.run(Store.lines, id) if line.kind is Kind.SPEECH]
    assert {line.track for line in lines} == {1, 2}
    assert sorted(lines, key=lambda line: line.start) == lines
    for line in lines:
        if line.track == tracks[1].number and line.end < tracks[0].samples:
            same = [other.start for other in lines if other.track == 1 and other.text == line.text]
            assert min(abs(start - line.start) for start in same) < RATE // 10, "what is on both stands at one place"
    assert plain(lines[0], voice="You").startswith("You: w")


async def test_a_device_that_cannot_be_opened_leaves_the_session_as_it_was(library: Library, tmp_path: Path) -> None:
    async with recorded_session(library, tmp_path / "log") as (session, _):
        session.sound.add_track(FileSource(tmp_path / "a.wav"))
        with pytest.raises(MictapeError):
            await session.sound.join(FileSource(tmp_path / "missing.wav"))
        assert [track.number for track in session.tracks] == [1]
        assert session.transcript.track_names == {}
    assert len(await library.run(Store.tracks, session.folder.session)) == 1


async def added_again(library: Library, session: Session) -> list[str]:
    """The tracks that are recorded beside the first one when a session is continued."""
    return [track.name for track in (await load_session(library, session.folder.session)).added]


async def test_a_device_that_is_removed_and_comes_again_goes_on_on_its_track(
    clocked_mics: ClockedMics, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen_to_words(clocked_mics, tmp_path, monkeypatch)
    async with recorded_session(library, tmp_path / "log") as (session, run):
        run.start(first := session.sound.add_track(DeviceSource(ONE.device)))
        session.writer.rename_track(first, "Zoe")
        run.start(second := await session.sound.join(DeviceSource(OTHER.device)))
        assert second.name == "You 2", "the first one was You"
        session.writer.rename_track(second, "Anna")
        await until_async(
            lambda: any(line.track == 2 for line in map(session.transcript.line, range(len(session.transcript))))
        )
        await until_async(lambda: first.end > RATE)
        with pytest.raises(MictapeError, match="Choose another device in its place"):
            await session.sound.end_track(first)
        await session.sound.end_track(second)
        await session.sound.end_track(second)  # asked twice, it is noted once
        length = second.tape.samples
        await until_async(lambda: not second.following)
        assert second.coverage.reached(second.end) == second.end, "its text is finished"
        assert second.status("", paused=False).state is State.ENDED
        removed = first.end
        await until_async(lambda: first.end > removed + RATE)
        assert await session.sound.join(DeviceSource(OTHER.device)) is second
        run.start(second)
        joined = first.end
        assert second.name == "Anna"
        await until_async(lambda: second.tape.samples > length + RATE and first.end > joined + 2 * RATE)
        assert await added_again(library, session) == ["Anna"]
        await session.sound.end_track(second)
        assert await added_again(library, session) == [], "it was removed"
    id = session.folder.session
    assert [track.name for track in await library.run(Store.tracks, id)] == ["Zoe", "Anna"]
    lines = await library.run(Store.lines, id)
    changes = [line.text for line in lines if line.kind is Kind.DIVIDER]
    removed_text = f"no longer recorded: {OTHER.device.name}"
    assert changes == [removed_text, f"recorded again: {OTHER.device.name}", removed_text]
    theirs = [line for line in lines if line.track == 2 and line.kind is Kind.SPEECH]
    late = RATE // 2
    assert not [line for line in theirs if line.end > removed + late and line.start < joined - late], "not recorded"
    assert min(line.start for line in theirs) < removed and max(line.end for line in theirs) > joined


async def test_a_session_cut_off_with_two_tracks_goes_on_on_both(
    clocked_mics: ClockedMics, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listen_to_words(clocked_mics, tmp_path, monkeypatch)
    async with recorded_session(library, tmp_path / "log") as (session, run):
        run.start(session.sound.add_track(DeviceSource(ONE.device)))
        run.start(second := await session.sound.join(DeviceSource(OTHER.device)))
        session.writer.rename_track(second, "Anna")
        await until_async(lambda: second.tape.samples > RATE)
    id = session.folder.session
    (await library.run(Store.resume_session, id)).release()  # as a killed process leaves it
    remains = await load_session(library, id)
    again = await Session.go_on(
        library,
        remains,
        DeviceSource(ONE.device),
        ScriptedEngine(),
        Request(),
        log=tmp_path / "log",
        transcript=Transcript(),
    )
    assert [track.tape.ended for track in again.tracks] == [False, True]
    assert dict(again.transcript.track_names) == {1: "You", 2: "Anna"}
    assert await again.sound.join(DeviceSource(OTHER.device)) is again.tracks[1], "the same device, the same track"
    await again.stop()
    await again.close()


def test_names_of_tracks_differ() -> None:
    spec = DeviceSource(ONE.device)
    assert name_for(spec, []) == "You"
    assert name_for(spec, ["You", "You 2"]) == "You 3"
    assert name_for(DeviceSource(msgspec.structs.replace(ONE.device, kind="computer sound")), ["You"]) == "Computer"


LISTENING = Status(State.LISTENING, "Blue Yeti", "local", 32_000, behind_s=0.4, lost_ms=20, recording=True, track="You")


def test_the_state_line_names_the_worst_track() -> None:
    lost = msgspec.structs.replace(
        LISTENING, state=State.DEVICE_LOST, device="Speakers", hint=Advice("Look"), track="Computer", lost_ms=100
    )
    worst = worst_of([LISTENING, lost])
    assert (worst.state, worst.track, worst.hint, worst.lost_ms) == (State.DEVICE_LOST, "Computer", lost.hint, 120)
    assert worst.device == "Blue Yeti + Speakers"
    assert worst.recording


def test_a_state_that_all_share_names_nobody_and_one_that_has_ended_is_no_trouble() -> None:
    ended = msgspec.structs.replace(LISTENING, state=State.ENDED, track="Computer")
    assert worst_of([LISTENING, msgspec.structs.replace(LISTENING, track="Computer")]).track == ""
    assert worst_of([LISTENING, ended]).state is State.LISTENING
    assert worst_of([msgspec.structs.replace(ended), ended]).state is State.ENDED
    assert worst_of([LISTENING]).track == ""


@pytest.mark.proof
def test_the_computers_sound_joins_from_the_picker_and_is_renamed(
    pulse: PulseServer, home: Path, speech: Speech
) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees("LISTENING", timeout_s=60)
        pulse.play(speech.beckett, sink="vmic2_sink")
        assert "You" not in app.sees("tried", timeout_s=60), "one track needs no name"
        app.press("d")
        app.sees("Record from", "Speakers")
        app.press("speakers")
        app.until(lambda text: "Virtual_Mic" not in text.partition("Record from")[2])
        app.press("+")
        app.until(lambda text: "Record from" not in text)
        app.sees("Computer", "You", timeout_s=60)
        reading = pulse.play(speech.two_cities, sink="spk")
        app.until(lambda text: re.search(r"Computer\s+It was the best of times[^…\n]*\n", text), timeout_s=60)
        reading.kill()
        app.press("home", "R")  # the first line is of the first track
        app.sees("Name of the track")
        app.press("\x15")
        app.until(lambda text: "You" not in text.partition("Name of the track")[2])
        app.press("Reader")
        app.sees("Reader")
        app.press("enter")
        app.until(lambda text: re.search(r"Reader\s+Ever tried", text))
        assert app.read().count("dBFS") == 2, "a meter for each track"
        app.press("d")
        app.sees("Record from")
        app.press("speakers")
        app.sees("+ remove")
        app.press("+")
        app.sees("no longer recorded: Speakers")
        app.until(lambda text: text.count("dBFS") == 1)
        app.press("q", "q")
        assert app.ends() == 0
    with sqlite3.connect(home / "library.db") as kept:
        assert kept.execute("SELECT number, name FROM tracks").fetchall() == [(1, "Reader"), (2, "Computer")]


@pytest.mark.proof
def test_a_killed_session_goes_on_with_both_devices(pulse: PulseServer, home: Path) -> None:
    room(pulse)
    with screen_app("--device", "PulseAudio:vmic2", "--also", "PulseAudio:spk.monitor", env=pulse.env) as app:
        app.until(lambda _: len(pulse.recorders()) >= 2, timeout_s=60)
        [session] = sessions_of(home)
        app.until(lambda _: all(count_samples(session, number) > 2 * RATE for number in (1, 2)), timeout_s=60)
        app.process.kill()
        app.process.wait()
    before = count_samples(session, 2)
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees("Continued, it records You and Computer again.", timeout_s=60)
        app.press("enter")
        app.until(lambda _: count_samples(session, 2) > before + 2 * RATE, timeout_s=60)
        app.press("q")
        assert app.ends() == 0
    with sqlite3.connect(home / "library.db") as kept:
        tracks = kept.execute("SELECT number, name, kind FROM tracks").fetchall()
    assert tracks == [(1, "You", "microphone"), (2, "Computer", "computer sound")]


@pytest.mark.proof
def test_two_devices_as_plain_lines(pulse: PulseServer, parrot: Server) -> None:
    room(pulse, "vmic2_sink", "spk")
    devices = ("--device", "PulseAudio:vmic2", "--also", "PulseAudio:spk.monitor")
    command = [*MICTAPE, "listen", *leading_to(parrot), *devices]
    env = environment(PARROT_API_KEY=os.environ["PARROT_API_KEY"], **pulse.variables)
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None and run.stderr is not None
            assert "Virtual_Mic_Two and " in run.stderr.readline()
            until(lambda: len(pulse.recorders()) >= 2, timeout_s=60)
            said = {run.stdout.readline().partition(":")[0] for _ in range(2)}
            assert said <= {"You", "Computer"}
            run.send_signal(signal.SIGINT)
            said |= {line.partition(":")[0] for line in run.stdout}
            assert said == {"You", "Computer"}
            assert run.wait() == 0
        finally:
            run.kill()
