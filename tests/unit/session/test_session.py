"""A session: what a source and an engine do together, and what is kept of it. Real processes, a scripted engine."""

import asyncio
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mictape.audio.source import FileSource
from mictape.engines.assemblyai.options import AssemblyAIOptions
from mictape.engines.assemblyai.v3 import AssemblyAIEngine
from mictape.engines.base import Capabilities, Engine, Request
from mictape.failure import MictapeError
from mictape.library.library import Library
from mictape.session.events import LineAdded
from mictape.session.recovery import put_away, remains_of
from mictape.session.session import Session
from mictape.session.state import State
from mictape.session.track import Track
from mictape.transcript.model import Kind, Transcript
from servers.assemblyai import KEY, Said, V3Server, V3Session
from servers.base import serve
from support.scripted import SLOT, ScriptedEngine, spoken
from support.waiting import until_async

WORDS = [1, 2, 3, 1, 0, 2, 3, 3]
SAID = [f"w{word}" for word in WORDS if word]


def recording(path: Path, words: Sequence[int] = WORDS) -> Path:
    """A sound file on which these words are said."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(spoken(words))
    return path


@pytest.fixture
async def library(home: Path) -> AsyncIterator[Library]:
    await asyncio.to_thread(home.mkdir)
    async with await Library.open(home / "library.db") as opened:
        yield opened


async def begun(library: Library, engine: Engine, path: Path, pace: str = "fast") -> tuple[Session, Track]:
    session = await Session.begin(library, engine, Request(), log=path.parent / "log")
    return session, session.add_track(FileSource(path, pace))  # type: ignore[arg-type]


@asynccontextmanager
async def running(session: Session, track: Track) -> AsyncGenerator[None]:
    """Capture and follow while the block runs; then close."""
    tasks = [asyncio.create_task(session.capture(track)), asyncio.create_task(session.follow(track))]
    try:
        yield
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await session.close()


async def kept(library: Library, session: str) -> list[str]:
    return [line.text for line in await library.lines(session) if line.kind is Kind.SPEECH]


async def test_what_is_said_is_told_shown_and_kept(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav"))
    async with running(session, track):
        pass
    told = [event.line.text async for event in session.events() if isinstance(event, LineAdded)]
    shown = [session.transcript.text(index) for index in range(len(session.transcript))]
    assert told == shown == await kept(library, session.folder.session) == SAID
    assert track.status("scripted", paused=False).state is State.ENDED
    intervals = await library.coverage(session.folder.session, 1)
    assert [(each.start, each.end, each.what) for each in intervals] == [(0, len(WORDS) * SLOT, "covered")]
    assert (await library.session(session.folder.session)).state == "closed"


async def test_speakers_that_are_revised_at_the_end_are_shown_and_kept(library: Library, tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(offline=True, word_times=True), revises_speakers=True)
    session, track = await begun(library, engine, recording(tmp_path / "a.wav"))
    async with running(session, track):
        pass
    assert session.transcript.speakers == ("A",)
    lines = await library.lines(session.folder.session)
    assert {line.speaker for line in lines} == {"A"}
    assert all(line.words for line in lines), "the words are still there"


def by(speaker: str, text: str, start_ms: int) -> list[Said]:
    """A turn of one word of half a second."""
    return [Said(text, start_ms, start_ms + 500, speaker=speaker)]


async def test_a_speakers_name_outlives_the_connection_and_what_is_revised(library: Library, tmp_path: Path) -> None:
    named = asyncio.Event()

    async def script(client: V3Session) -> None:
        await client.heard(900)
        if len(server.sessions) == 1:
            await client.turn(0, by("A", "one", 300), end=True, speaker_label="A")
            await named.wait()
            client.peer.drop()
            return
        # Heard once more as context; whom the first connection called A, is B on this one.
        await client.turn(0, by("B", "one", 300), end=True, speaker_label="B")
        await client.heard(2900)
        await client.turn(1, by("B", "two", 1300), end=True, speaker_label="B")
        await client.turn(2, by("A", "three", 1800), end=True, speaker_label="A")
        await client.turn(3, by("A", "four", 2300), end=True, speaker_label="A")
        await client.say("SpeakerRevision", revisions=[{"turn_order": 2, "speaker_label": "B"}])
        await client.told("Terminate")

    server = V3Server(script, fastest=None)
    async with serve(server, admit=server.admit) as at:
        options = AssemblyAIOptions(url=at.url, speaker_labels=True)
        engine = AssemblyAIEngine(options, tmp_path / "log", KEY)
        session, track = await begun(library, engine, recording(tmp_path / "a.wav", [1] * 15))
        async with running(session, track):
            await until_async(lambda: len(session.transcript) == 1)
            session.hand.name_speaker(session.transcript.id_at(0), "Anna")
            named.set()
    assert at.violations == []
    lines = await library.lines(session.folder.session)
    assert [(line.text, line.speaker) for line in lines] == [
        ("one", "Anna"),
        ("two", "Anna"),
        ("three", "Anna"),
        ("four", "A (2)"),
    ]
    assert [session.transcript.line(index).speaker for index in range(4)] == [line.speaker for line in lines]
    assert [[word.speaker for word in line.words or ()] for line in lines] == [[line.speaker] for line in lines]


async def test_a_line_that_a_person_gave_a_speaker_keeps_it(library: Library, tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(offline=True, word_times=True), revises_speakers=True)
    session, track = await begun(library, engine, recording(tmp_path / "a.wav", WORDS * 2), "real")
    async with running(session, track):
        await until_async(lambda: len(session.transcript) > 0)
        session.hand.name_speaker(session.transcript.id_at(0), "Anna")
    lines = await library.lines(session.folder.session)
    assert [line.speaker for line in lines] == ["Anna", *["A"] * (len(lines) - 1)]
    assert session.transcript.speakers == ("Anna", "A")


async def test_whom_an_engine_makes_up_is_nobody_whom_the_person_has_named(library: Library, tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(offline=True, word_times=True), voices=2)
    session, track = await begun(library, engine, recording(tmp_path / "a.wav", [1] * 8 + [2]), "real")
    async with running(session, track):
        await until_async(lambda: len(session.transcript) > 0)
        session.hand.name_speaker(session.transcript.id_at(0), "B")
    assert session.transcript.speakers == ("B", "B (2)")


async def test_another_engine_goes_on_where_the_first_one_was(library: Library, tmp_path: Path) -> None:
    first, second = ScriptedEngine(turn_words=2), ScriptedEngine(name="second", title="second")
    session, track = await begun(library, first, recording(tmp_path / "a.wav", WORDS * 4), "real")
    async with running(session, track):
        await until_async(lambda: len(first.sent) == 1 and len(first.sent[0]) >= 5)
        await session.use(second)
        assert session.engine is second
    assert " ".join(await kept(library, session.folder.session)).split() == SAID * 4, "nothing lost, nothing twice"
    assert second.opened == 1
    lines = await library.lines(session.folder.session)
    assert {line.engine for line in lines if line.kind is Kind.SPEECH} == {"scripted", "second"}
    assert [line.text for line in lines if line.kind is Kind.DIVIDER] == ["engine: second"]


async def test_an_engine_that_stopped_for_good_can_be_replaced(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(fatal=True), recording(tmp_path / "a.wav"))
    async with running(session, track):
        await until_async(lambda: track.follower is not None and track.follower.state == "stopped")
        await until_async(lambda: not track.following)
        assert track.status("x", paused=False).state is State.ENGINE_STOPPED
        await session.use(ScriptedEngine())
        await asyncio.wait_for(session.follow(track), 30)
    assert await kept(library, session.folder.session) == SAID


async def test_what_no_engine_answered_for_is_a_gap_that_can_be_completed(library: Library, tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(), refused_until_s=1e12)
    session, track = await begun(library, engine, recording(tmp_path / "a.wav"))
    tasks = [asyncio.create_task(session.capture(track)), asyncio.create_task(session.follow(track))]
    await until_async(lambda: track.tape.ended)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await session.close()
    id = session.folder.session
    assert [each.what for each in await library.coverage(id, 1)] == ["gap"]

    remains = await remains_of(library, id)
    assert remains.open == len(WORDS) * SLOT
    again = await Session.complete(library, remains, ScriptedEngine(), Request(), log=tmp_path / "log")
    await asyncio.wait_for(asyncio.gather(*(again.follow(each) for each in again.tracks)), 30)
    await again.close()
    assert await kept(library, id) == SAID
    assert [each.what for each in await library.coverage(id, 1)] == ["covered"]


async def test_a_session_that_was_cut_off_is_put_away_or_gone_on_with(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav"))
    async with running(session, track):
        pass
    id = session.folder.session
    (await library.resume_session(id)).release()  # as a killed process leaves it: open, and held by nobody
    [left] = await library.unfinished()
    remains = await remains_of(library, left.id)
    assert (remains.samples, remains.open) == (len(WORDS) * SLOT, 0)
    transcript = Transcript()
    spec = FileSource(recording(tmp_path / "b.wav", [1]), "fast")
    again = await Session.go_on(
        library, remains, spec, ScriptedEngine(), Request(), log=tmp_path / "log", transcript=transcript
    )
    assert [transcript.text(index) for index in range(len(transcript))] == SAID
    await again.close()
    (await library.resume_session(id)).release()
    await put_away(library, await remains_of(library, id))
    assert await library.unfinished() == []


async def test_a_source_that_cannot_be_opened_is_said_and_nothing_is_lost(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(), tmp_path / "missing.wav")
    with pytest.raises(MictapeError):
        await session.capture(track)
    assert track.status("x", paused=False).state is State.DEVICE_LOST
    assert "missing.wav" in track.status("x", paused=False).hint
    await session.close()
