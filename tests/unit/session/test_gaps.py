"""Gaps: several may be transcribed at once, and none takes the place of another."""

from pathlib import Path

from mictape.library.library import Library
from mictape.session.session import Session
from mictape.transcript.line import Kind
from support.running_session import begun, recording, running, stored_texts
from support.scripted import ScriptedEngine
from support.waiting import until_async

POISON = 9


def gaps(session: Session) -> list[int]:
    transcript = session.transcript
    lines = (transcript.line(index) for index in range(len(transcript)))
    return [line.id for line in lines if line.kind is Kind.GAP]


async def test_two_gaps_completed_in_one_tick_keep_their_own_text(library: Library, tmp_path: Path) -> None:
    words = [1, POISON, 2, POISON, 3]
    session, track = await begun(library, ScriptedEngine(poison=POISON), recording(tmp_path / "a.wav", words))
    async with running(session, track):
        await until_async(lambda: not track.following and len(gaps(session)) == 2)
        await session.use(ScriptedEngine(name="second", title="second"))
        for gap in gaps(session):
            session.complete_gap(gap)
        await until_async(lambda: not gaps(session))
    assert await stored_texts(library, session.folder.session) == ["w1", "w9", "w2", "w9", "w3"]
