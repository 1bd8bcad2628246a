"""Finished sessions that are opened again: to be read, and to be recorded on in."""

import asyncio
import re
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from mictape.audio.messages import Hole
from mictape.audio.source_spec import DeviceSource, FileSource
from mictape.audio.tape import TapeWriter, read_journal
from mictape.engines.base import Request
from mictape.failure import ExitCode, MictapeError
from mictape.library import trash, versions
from mictape.library.library import Library, Store
from mictape.library.records import CoverageRecord, SessionRecord, TrackChange, TrackRecord
from mictape.paths import places
from mictape.recognition.coverage import Coverage
from mictape.recording import Policy, Recording
from mictape.recording.saved import Saved
from mictape.session.recovery import StoredTrack, load_session, load_to_continue
from mictape.session.session import Session
from mictape.settings import Settings
from mictape.transcript.line import Kind
from mictape.units import RATE
from support.running_session import SAID, WORDS, begun, recording, running, stored_texts
from support.scripted import SLOT, ScriptedEngine
from support.sound_system import FakeSoundSystem
from support.waiting import until_async

POISON = 9


async def finished(library: Library, folder: Path, engine: ScriptedEngine | None = None) -> str:
    """The id of a session that is over."""
    session, track = await begun(library, engine or ScriptedEngine(), recording(folder / "a.wav", [1, POISON, 2]))
    async with running(session, track):
        pass
    return session.folder.session


async def test_what_is_still_to_be_transcribed_is_not_a_sum_over_tracks(library: Library, tmp_path: Path) -> None:
    stored = await load_session(library, await finished(library, tmp_path))
    open_tracks = [
        StoredTrack(TrackRecord(number, "", ""), seconds * RATE, Coverage(0)) for number, seconds in ((1, 2), (2, 3))
    ]
    assert replace(stored, tracks=tuple(open_tracks)).open == 3 * RATE


async def opened(library: Library, id: str, log: Path) -> Session:
    return await Session.read(library, await load_session(library, id), ScriptedEngine(), Request(), log=log)


def rows(library: Library) -> list[str]:
    """All that the library holds."""
    return list(library._store._db.iterdump())


async def test_opening_and_closing_a_session_changes_nothing_of_it(library: Library, tmp_path: Path) -> None:
    id = await finished(library, tmp_path, ScriptedEngine(poison=POISON))
    before = await library.run(lambda _: rows(library))
    session = await opened(library, id, tmp_path / "log")
    transcript = session.transcript
    lines = [transcript.line(index) for index in range(len(transcript))]
    assert [line.text for line in lines if line.kind is Kind.SPEECH] == ["w1", "w2"]
    assert len([line for line in lines if line.kind is Kind.GAP]) == 1, "what no engine has answered for is shown"
    await session.stop()
    await session.close()
    assert await library.run(lambda _: rows(library)) == before


async def test_what_is_done_while_it_is_read_is_kept(library: Library, tmp_path: Path) -> None:
    id = await finished(library, tmp_path, ScriptedEngine(poison=POISON))
    ended = (await library.run(Store.session, id)).ended_utc_s
    session = await opened(library, id, tmp_path / "log")
    transcript = session.transcript
    [gap] = [line.id for index in range(len(transcript)) if (line := transcript.line(index)).kind is Kind.GAP]
    session.writer.mark(transcript.id_at(0), "here")
    session.complete_gap(gap)
    await until_async(lambda: gap not in transcript)
    note, _ = session.writer.note(session.tracks[0], "a note")
    await session.close()
    lines = await library.run(Store.lines, id)
    assert [line.text for line in lines if line.kind is Kind.SPEECH] == ["w1", "w9", "w2"]
    assert (lines[0].mark, next(line.id for line in lines if line.kind is Kind.NOTE)) == ("here", note)
    kept = await library.run(Store.session, id)
    assert (kept.state, kept.ended_utc_s, kept.gaps) == ("closed", ended, 0)


async def test_a_new_line_has_an_id_that_no_version_of_the_text_has(library: Library, tmp_path: Path) -> None:
    id = await finished(library, tmp_path)
    shown = await library.run(Store.lines, id)
    await library.run(versions.add_version, id, shown, {}, engine="better", title="better")
    await library.run(versions.choose_version, id, 1)
    session = await opened(library, id, tmp_path / "log")
    session.writer.note(session.tracks[0], "a note")
    await session.close()
    assert [line.text for line in await library.run(Store.lines, id)] == ["w1", "w9", "w2", "a note"]


async def test_a_session_that_is_read_can_neither_be_continued_nor_deleted(library: Library, tmp_path: Path) -> None:
    id = await finished(library, tmp_path)
    session = await opened(library, id, tmp_path / "log")
    with pytest.raises(MictapeError, match="open already"):
        await gone_on(library, id, FileSource(recording(tmp_path / "b.wav"), "fast"), tmp_path / "log")
    with pytest.raises(MictapeError, match="open already"):
        await library.run(trash.delete, id)
    await session.close()
    await (await opened(library, id, tmp_path / "log")).close()


async def gone_on(
    library: Library, id: str, spec: FileSource | DeviceSource, log: Path, sound: FakeSoundSystem | None = None
) -> Session:
    remains = await load_session(library, id)
    return await Session.go_on(library, remains, spec, ScriptedEngine(), Request(), log=log, sound=sound)


async def test_recording_goes_on_in_a_finished_session(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav"))
    async with running(session, track):
        pass
    id = session.folder.session
    before = await library.run(Store.session, id)
    again = await gone_on(library, id, FileSource(recording(tmp_path / "b.wav", [1, 2]), "fast"), tmp_path / "log")
    async with running(again, again.tracks[0]):
        assert (await library.run(Store.session, id)).state == "open", "a kill now is offered to be recovered"
    assert await stored_texts(library, id) == [*SAID, "w1", "w2"]
    after = await library.run(Store.session, id)
    assert (after.state, after.samples) == ("closed", (len(WORDS) + 2) * SLOT)
    assert (after.ended_utc_s or 0) > (before.ended_utc_s or time.time())


async def test_a_session_in_which_nothing_more_was_recorded_ended_when_it_did(library: Library, tmp_path: Path) -> None:
    id = await finished(library, tmp_path)
    before = await library.run(Store.session, id)
    await (await gone_on(library, id, FileSource(tmp_path / "a.wav"), tmp_path / "log")).close()
    assert await library.run(Store.session, id) == before


async def record(session: Session, words: int) -> None:
    """Record with its first microphone until there are so many lines of speech, then stop and close."""
    async with running(session, session.tracks[0]):
        await until_async(lambda: speech_in(session) == words)
        await session.stop()


def speech_in(session: Session) -> int:
    return sum(session.transcript.line(at).kind is Kind.SPEECH for at in range(len(session.transcript)))


async def all_texts(library: Library, id: str) -> list[str]:
    return [line.text for line in await library.run(Store.lines, id)]


async def test_the_text_says_where_a_recording_was_stopped_and_continued(library: Library, tmp_path: Path) -> None:
    log, microphones = tmp_path / "log", FakeSoundSystem(words=(1, 2))
    session = await Session.begin(library, ScriptedEngine(), Request(), log=log, sound=microphones)
    session.sound.add_track(DeviceSource(microphones.devices[0]))
    await record(session, 2)
    id = session.folder.session
    assert await all_texts(library, id) == ["w1", "w2"], "there was nothing before"
    [began] = read_journal(session.folder.path, 1).anchors
    stopped = datetime.fromtimestamp(began.utc + session.tracks[0].tape.samples / RATE)
    again = await gone_on(library, id, DeviceSource(microphones.devices[1]), log, sound=microphones)
    assert len(again.transcript) == 2, "it is not recorded yet"
    await record(again, 4)
    w1, w2, continued, *later = await all_texts(library, id)
    assert re.fullmatch(rf"stopped at {stopped:%H:%M:%S}, continued (on .+ )?at \d\d:\d\d:\d\d", continued)
    assert (w1, w2, later) == ("w1", "w2", ["microphone: Headset", "w1", "w2"])
    [stored] = (await load_session(library, id)).tracks
    assert stored.track.last_source == "Headset", "what is recorded when it is continued"
    await (await opened(library, id, log)).close()
    stored = await load_session(library, id)
    await (await Session.complete(library, stored, ScriptedEngine(), Request(), log=log)).close()
    assert await all_texts(library, id) == [w1, w2, continued, *later], "nothing more was recorded"
    back = await gone_on(library, id, DeviceSource(microphones.devices[0]), log, sound=microphones)
    await record(back, 6)
    assert (await all_texts(library, id))[-3:] == ["microphone: Blue Yeti", "w1", "w2"], "back to the first one"


@pytest.mark.parametrize(("stored", "shown"), [("lost", "restart"), ("gone", "gone")])
async def test_sound_was_lost_for_the_reason_that_was_stored_or_else_for_that_of_the_journal(
    library: Library, stored: str, shown: str
) -> None:
    folder = await library.run(Store.create_session)
    with folder:
        await library.run(Store.add_track, folder.session, TrackRecord(1, "You", "Yeti"))
        change = TrackChange(1, RATE, RATE, (CoverageRecord(0, RATE, "hole", stored),))
        await library.run(Store.change_track, folder.session, change)
        writer = TapeWriter(folder.path, 1)
        writer.silence(RATE, Hole(0, RATE, "restart"))
        writer.close()
    [track] = (await load_session(library, folder.session)).tracks
    assert [(hole.start, hole.end, hole.why) for hole in track.coverage.lost] == [(0, RATE, shown)]


async def test_a_file_was_not_stopped_at_a_time_of_day(library: Library, tmp_path: Path) -> None:
    id, log, microphones = await finished(library, tmp_path), tmp_path / "log", FakeSoundSystem(words=(1, 2))
    again = await gone_on(library, id, FileSource(recording(tmp_path / "b.wav", [3]), "fast"), log)
    async with running(again, again.tracks[0]):
        pass
    of_files = await all_texts(library, id)
    assert of_files == ["w1", "w9", "w2", "w3"]
    again = await gone_on(library, id, DeviceSource(microphones.devices[0]), log, sound=microphones)
    await record(again, 6)
    continued, *later = (await all_texts(library, id))[len(of_files) :]
    assert re.fullmatch(r"continued on .+ at \d\d:\d\d:\d\d", continued)
    assert later == ["microphone: Blue Yeti", "w1", "w2"]


def home_recording(home: Path, **settings: object) -> Recording:
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    engine = ScriptedEngine(name="local")
    return Recording(where, Settings(**settings), Policy(unattended=True), make_engine=lambda _: engine)  # type: ignore[arg-type]


async def shown(session: Session) -> None:
    async for _ in session.events():
        pass


async def test_what_was_kept_is_said_and_a_session_without_its_sound_is_not_continued(
    home: Path, tmp_path: Path
) -> None:
    async with home_recording(home, keep_audio="none") as before:
        session = await before.begin(FileSource(recording(tmp_path / "a.wav"), "fast"), also=())
        await asyncio.wait_for(before.run(shown(session)), 60)
    assert str(before.saved) == f'saved "a" 00:00:01, {len(SAID)} lines · mictape open last'
    async with home_recording(home) as recorder:
        reading = await recorder.readings.open(recorder.library, "last")
        assert len(reading.transcript) == len(SAID), "the text is there"
        with pytest.raises(MictapeError, check=lambda error: error.failure.code is ExitCode.USAGE, match="removed"):
            await load_to_continue(recorder.library, "last")
    assert reading.closed, "what is open to be read is closed with the recording"
    assert recorder.saved is None


@pytest.mark.parametrize(
    ("title", "minutes", "lines", "newest", "said"),
    [
        ("Budget\x1b meeting", 11, 98, True, 'saved "Budget␛ meeting" 00:11:00, 98 lines · mictape open last'),
        ("", 61, 1, False, "saved 01:01:00, 1 line · mictape open 20261126-100000"),
    ],
)
def test_the_closing_line(title: str, minutes: int, lines: int, newest: bool, said: str) -> None:
    record = SessionRecord(
        "20261126-100000", 0.0, 1.0, "closed", title, "1", {}, samples=minutes * 60 * RATE, lines=lines
    )
    assert str(Saved(record, newest=newest)) == said


def test_the_closing_line_says_that_a_silent_recording_is_in_the_trash() -> None:
    record = SessionRecord("20261126-100000", 0.0, 1.0, "closed", "", "1", {}, samples=12 * RATE, lines=0)
    said = "no words in 00:00:12: moved to the trash · mictape sessions restore 20261126-100000"
    assert str(Saved(record, newest=False, in_trash=True)) == said


def test_the_closing_line_says_what_has_no_text() -> None:
    record = SessionRecord("20261126-100000", 0.0, 1.0, "closed", "", "1", {}, 60 * RATE, lines=5, gaps=39 * RATE)
    assert str(Saved(record, newest=True)).splitlines() == [
        "saved 00:01:00, 5 lines · mictape open last",
        "00:00:39 of it has no text yet · mictape sessions complete last",
    ]
    short = msgspec.structs.replace(record, gaps=RATE - 1)
    assert "no text" not in str(Saved(short, newest=True)), "less than a second is not shown as 00:00:00"
