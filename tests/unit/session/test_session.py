"""A session: what a source and an engine do together, and what is kept of it. Scripted engines."""

import asyncio
from math import inf
from pathlib import Path

import pytest

from mictape.audio.source_spec import FileSource
from mictape.engines.assemblyai.options import AssemblyAIOptions
from mictape.engines.assemblyai.v3 import AssemblyAIEngine
from mictape.engines.base import Capabilities, Request
from mictape.failure import ExitCode, MictapeError
from mictape.library.library import Library, Store
from mictape.session import gap_completion
from mictape.session.events import LineAdded, Trouble
from mictape.session.recovery import close_as_is, load_session
from mictape.session.session import STOPPED, Session
from mictape.session.state import State
from mictape.session.transcript_writer import LAG
from mictape.transcript.line import Kind
from mictape.transcript.model import Transcript
from servers.assemblyai import KEY, Said, V3Server, V3Session
from servers.base import serve
from support.running_session import SAID, WORDS, begun, recording, running, stored_texts
from support.scripted import SLOT, ScriptedEngine
from support.sessions import held
from support.waiting import until_async


async def test_what_is_said_is_reported_shown_and_kept(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav"))
    async with running(session, track):
        pass
    reported = [event.line.text async for event in session.events() if isinstance(event, LineAdded)]
    shown = [session.transcript.text(index) for index in range(len(session.transcript))]
    assert reported == shown == await stored_texts(library, session.folder.session) == SAID
    assert track.status("scripted", paused=False).state is State.ENDED
    assert track.meter.reading.peak_db == track.meter.reading.rms_db == -inf, "nothing arrives any more"
    assert track.meter.reading.max_db > -inf
    intervals = await library.run(Store.coverage, session.folder.session, 1)
    assert [(each.start, each.end, each.what) for each in intervals] == [(0, len(WORDS) * SLOT, "covered")]
    assert (await library.run(Store.session, session.folder.session)).state == "closed"


async def test_the_app_says_how_much_silence_was_not_sent(library: Library, tmp_path: Path) -> None:
    words = [*WORDS, *[0] * 60, *WORDS]
    engine = ScriptedEngine(Capabilities(fastest_pace=4.0, word_times=True))
    session, track = await begun(library, engine, recording(tmp_path / "a.wav", words))
    async with running(session, track):
        pass
    hint = track.status("scripted", paused=False).hint
    assert hint is not None
    assert hint.what.startswith("The file has ended. 00:00:")
    assert hint.what.endswith(" of 00:00:15 was silence and was not sent")
    assert hint.action == "stop"


async def test_speakers_that_are_revised_at_the_end_are_shown_and_kept(library: Library, tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(offline=True, word_times=True), revises_speakers=True)
    session, track = await begun(library, engine, recording(tmp_path / "a.wav"))
    async with running(session, track):
        pass
    assert session.transcript.voices.speakers == ("A",)
    lines = await library.run(Store.lines, session.folder.session)
    assert {line.speaker for line in lines} == {"A"}
    assert all(line.words for line in lines), "the words are still there"


def by(speaker: str, text: str, start_ms: int) -> list[Said]:
    """A turn of one word of half a second."""
    return [Said(text, start_ms, start_ms + 500, speaker=speaker)]


async def test_a_speakers_name_outlives_the_connection_and_what_is_revised(library: Library, tmp_path: Path) -> None:
    named = asyncio.Event()

    async def script(client: V3Session) -> None:
        await client.received_ms(900)
        if len(server.sessions) == 1:
            await client.turn(0, by("A", "one", 300), end=True, speaker_label="A")
            await named.wait()
            client.peer.drop()
            return
        # Heard once more as context; whom the first connection called A, is B on this one.
        await client.turn(0, by("B", "one", 300), end=True, speaker_label="B")
        await client.received_ms(2900)
        await client.turn(1, by("B", "two", 1300), end=True, speaker_label="B")
        await client.turn(2, by("A", "three", 1800), end=True, speaker_label="A")
        await client.turn(3, by("A", "four", 2300), end=True, speaker_label="A")
        await client.say("SpeakerRevision", revisions=[{"turn_order": 2, "speaker_label": "B"}])
        await client.message("Terminate")

    server = V3Server(script, fastest=None)
    async with serve(server, admit=server.admit) as at:
        options = AssemblyAIOptions(url=at.url, speaker_labels=True)
        engine = AssemblyAIEngine(options, tmp_path / "log", KEY)
        session, track = await begun(library, engine, recording(tmp_path / "a.wav", [1] * 15))
        async with running(session, track):
            await until_async(lambda: len(session.transcript) == 1)
            session.writer.name_speaker(session.transcript.id_at(0), "Anna")
            named.set()
    assert at.violations == []
    lines = await library.run(Store.lines, session.folder.session)
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
        session.writer.name_speaker(session.transcript.id_at(0), "Anna")
    lines = await library.run(Store.lines, session.folder.session)
    assert [line.speaker for line in lines] == ["Anna", *["A"] * (len(lines) - 1)]
    assert session.transcript.voices.speakers == ("Anna", "A")


async def test_a_speaker_that_an_engine_makes_up_is_not_one_that_the_person_has_named(
    library: Library, tmp_path: Path
) -> None:
    engine = ScriptedEngine(Capabilities(offline=True, word_times=True), voices=2)
    session, track = await begun(library, engine, recording(tmp_path / "a.wav", [1] * 8 + [2]), "real")
    async with running(session, track):
        await until_async(lambda: len(session.transcript) > 0)
        session.writer.name_speaker(session.transcript.id_at(0), "B")
    assert session.transcript.voices.speakers == ("B", "B (2)")


async def test_key_terms_that_do_not_reach_the_engine_are_reported(library: Library, tmp_path: Path) -> None:
    deaf, keen = ScriptedEngine(title="deaf"), ScriptedEngine(Capabilities(offline=True, takes_key_terms=True))
    session, track = await begun(library, deaf, recording(tmp_path / "a.wav", WORDS), "real")
    troubles: list[str] = []
    note = troubles.append

    async def collect() -> None:
        async for event in session.events():
            if isinstance(event, Trouble):
                note(event.failure.what)

    collecting = asyncio.create_task(collect())
    async with running(session, track):
        await session.set_key_terms(("kettle",))
        await until_async(lambda: len(troubles) == 1)
        await session.use(keen)
        await session.set_key_terms(("kettle", "tape"))
        await session.use(deaf)
        await until_async(lambda: len(troubles) == 2)
    await collecting
    assert troubles == ["deaf takes no key terms; it will not favour them"] * 2


async def test_a_language_that_does_not_reach_the_engine_is_reported(library: Library, tmp_path: Path) -> None:
    deaf, keen = ScriptedEngine(title="deaf"), ScriptedEngine(Capabilities(offline=True, takes_language=True))
    one = ScriptedEngine(Capabilities(offline=True, languages=("fr",)))
    reported: list[str] = []
    for engine in (deaf, keen, one):
        session = await Session.begin(library, engine, Request("fr"), log=tmp_path / "log")
        await session.close()
        reported += [str(event.failure) async for event in session.events() if isinstance(event, Trouble)]
    [said] = reported
    assert said.startswith("deaf takes no language: its model decides which one it recognises. Serve a model for fr")


async def test_another_engine_goes_on_where_the_first_one_was(library: Library, tmp_path: Path) -> None:
    first, second = ScriptedEngine(turn_words=2), ScriptedEngine(name="second", title="second")
    session, track = await begun(library, first, recording(tmp_path / "a.wav", WORDS * 4), "real")
    async with running(session, track):
        await until_async(lambda: len(first.sent) == 1 and len(first.sent[0]) >= 5)
        await session.use(second)
        assert session.engine is second
    assert " ".join(await stored_texts(library, session.folder.session)).split() == SAID * 4, (
        "nothing lost, nothing twice"
    )
    assert second.opened == 1
    lines = await library.run(Store.lines, session.folder.session)
    assert {line.engine for line in lines if line.kind is Kind.SPEECH} == {"scripted", "second"}
    assert [line.text for line in lines if line.kind is Kind.DIVIDER] == ["engine: second"]


async def test_what_one_engine_has_begun_stays_until_another_one_answers(library: Library, tmp_path: Path) -> None:
    sound = recording(tmp_path / "a.wav", WORDS * 4)
    session, track = await begun(library, ScriptedEngine(turn_words=99), sound, "real")

    def shown() -> str:
        return partial.text if (partial := session.transcript.partials.get(1)) is not None else ""

    async with running(session, track):
        await until_async(lambda: len(shown().split()) >= 3)
        await session.use(ScriptedEngine(name="gone", refused_until_s=1e12))
        before, following = shown(), asyncio.create_task(session.follow(track))
        await until_async(lambda: track.status("gone", paused=False).state is State.OFFLINE)
        await until_async(lambda: (track.status("gone", paused=False).behind_s or 0) > 1)
        assert shown() == before, "it has not been answered by anything else"
        await session.use(ScriptedEngine(name="third"))
        await asyncio.wait([following])
        await asyncio.wait_for(session.follow(track), 30)
        assert shown() == ""
    assert " ".join(await stored_texts(library, session.folder.session)).split() == SAID * 4


async def test_words_that_no_engine_finished_are_kept_with_the_gap(library: Library, tmp_path: Path) -> None:
    session, track = await begun(
        library, ScriptedEngine(turn_words=99), recording(tmp_path / "a.wav", WORDS * 4), "real"
    )
    tasks = [asyncio.create_task(session.sound.capture(track)), asyncio.create_task(session.follow(track))]
    await until_async(lambda: 1 in session.transcript.partials)
    shown = session.transcript.partials[1].text
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await session.close()
    stored = await load_session(library, session.folder.session)
    [gap] = stored.tracks[0].gaps
    assert gap.why == f"{STOPPED}; it begins: {shown}"
    reading = await Session.read(library, stored, ScriptedEngine(), Request(), log=tmp_path / "log")
    [line] = [reading.transcript.line(0)]
    assert line.kind is Kind.GAP and line.text.endswith(shown)
    reading.complete_gap(line.id)
    await until_async(lambda: reading.transcript.line(0).kind is Kind.SPEECH)
    assert STOPPED not in " ".join(reading.transcript.text(at) for at in range(len(reading.transcript)))
    await reading.close()


@pytest.mark.parametrize(("rest", "gaps"), [(LAG - 1, 0), (LAG, 1)])
async def test_the_last_quiet_moment_of_a_recording_that_is_cut_short_is_no_gap(
    library: Library, tmp_path: Path, rest: int, gaps: int
) -> None:
    session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav", WORDS), "fast")
    await asyncio.wait_for(session.sound.capture(track), 30)
    track.coverage.cover(track.tape.origin, track.end - rest)
    await session.close()
    stored = await load_session(library, session.folder.session)
    assert len(stored.tracks[0].gaps) == gaps


async def test_an_engine_that_is_chosen_when_all_is_written_has_nothing_to_connect_for(
    library: Library, tmp_path: Path
) -> None:
    session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav"))
    async with running(session, track):
        await until_async(lambda: track.status("x", paused=False).state is State.ENDED and not track.following)
        await session.use(ScriptedEngine(name="second", refused_until_s=1e12))
        following = asyncio.create_task(session.follow(track))
        await asyncio.sleep(0)
        assert track.status("x", paused=False).state is State.ENDED
        await asyncio.wait_for(following, 30)


async def test_an_engine_that_stopped_for_good_can_be_replaced(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(fatal=True), recording(tmp_path / "a.wav"))
    async with running(session, track):
        await until_async(lambda: track.follower is not None and track.follower.state == "stopped")
        await until_async(lambda: not track.following)
        assert track.status("x", paused=False).state is State.ENGINE_STOPPED
        await session.use(ScriptedEngine())
        await asyncio.wait_for(session.follow(track), 30)
    assert await stored_texts(library, session.folder.session) == SAID


async def test_what_no_engine_answered_for_is_a_gap_that_can_be_completed(library: Library, tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(), refused_until_s=1e12)
    session, track = await begun(library, engine, recording(tmp_path / "a.wav"))
    tasks = [asyncio.create_task(session.sound.capture(track)), asyncio.create_task(session.follow(track))]
    await until_async(lambda: track.tape.ended)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await session.close()
    id = session.folder.session
    assert [each.what for each in await library.run(Store.coverage, id, 1)] == ["gap"]

    remains = await load_session(library, id)
    assert remains.open == len(WORDS) * SLOT
    again = await Session.complete(library, remains, ScriptedEngine(), Request(), log=tmp_path / "log")
    await asyncio.wait_for(asyncio.gather(*(again.follow(each) for each in again.tracks)), 30)
    await again.close()
    assert await stored_texts(library, id) == SAID
    assert [each.what for each in await library.run(Store.coverage, id, 1)] == ["covered"]


async def test_another_engine_takes_over_the_gap_that_one_cannot_complete(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_completion, "GIVE_UP_S", 0.3)
    refusing = ScriptedEngine(name="gone", title="gone", refused_until_s=1e12)
    session, track = await begun(library, refusing, recording(tmp_path / "a.wav"))
    async with running(session, track):
        await until_async(lambda: track.tape.ended)
        track.coverage.give_up(0, track.end, "offline")
        session.writer.show_gaps(track)
        id = session.transcript.id_at(0)
        before = session.transcript.text_of(id)
        session.complete_gap(id)
        session.complete_gap(id)
        await until_async(lambda: "being transcribed by gone" in session.transcript.text_of(id))
        await until_async(lambda: session.transcript.text_of(id) == before, what="giving up")
        session.complete_gap(id)
        await until_async(lambda: "being transcribed by gone" in session.transcript.text_of(id))
        await session.use(ScriptedEngine(name="here", title="here"))
        session.complete_gap(id)
        await until_async(lambda: id not in session.transcript)
    assert " ".join(await stored_texts(library, session.folder.session)).split() == SAID


async def test_a_session_that_was_cut_off_is_put_away_or_gone_on_with(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav"))
    async with running(session, track):
        pass
    id = session.folder.session
    (await library.run(Store.resume_session, id)).release()  # as a killed process leaves it: open, and held by nobody
    [left] = await library.run(Store.unfinished)
    remains = await load_session(library, left.id)
    assert (remains.samples, remains.open) == (len(WORDS) * SLOT, 0)
    transcript = Transcript()
    spec = FileSource(recording(tmp_path / "b.wav", [1]), "fast")
    again = await Session.go_on(
        library, remains, spec, ScriptedEngine(), Request(), log=tmp_path / "log", transcript=transcript
    )
    assert [transcript.text(index) for index in range(len(transcript))] == SAID
    await again.close()
    (await library.run(Store.resume_session, id)).release()
    await close_as_is(library, await load_session(library, id))
    assert await library.run(Store.unfinished) == []


async def test_a_source_that_cannot_be_opened_is_said_and_nothing_is_lost(library: Library, tmp_path: Path) -> None:
    session, track = await begun(library, ScriptedEngine(), tmp_path / "missing.wav", "real")
    with pytest.raises(MictapeError):
        await session.sound.capture(track)
    assert track.status("x", paused=False).state is State.CANNOT_READ
    assert "missing.wav" in str(track.status("x", paused=False).hint)
    await session.close()


async def test_text_that_the_library_does_not_take_at_the_end_is_recovered_later(home: Path, tmp_path: Path) -> None:
    await asyncio.to_thread(home.mkdir)
    async with await Library.open(home / "library.db", busy_s=0.05) as library:
        session, track = await begun(library, ScriptedEngine(), recording(tmp_path / "a.wav"))
        unwritten = pytest.raises(MictapeError, check=lambda error: error.failure.code is ExitCode.SOUND)
        with held(home / "library.db"), unwritten:
            async with running(session, track):
                pass
        id = session.folder.session
        [left] = await library.run(Store.unfinished)
        stored = await load_session(library, left.id)
        assert stored.open == len(WORDS) * SLOT
        again = await Session.complete(library, stored, ScriptedEngine(), Request(), log=tmp_path / "log")
        await asyncio.wait_for(asyncio.gather(*(again.follow(each) for each in again.tracks)), 30)
        await again.close()
        assert await stored_texts(library, id) == SAID
