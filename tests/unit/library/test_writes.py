"""The writes of one session: in order, tried again, and never a claim without the row behind it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.library import Library, SessionWrites, Store
from mictape.library.records import CoverageRecord, LineRecord, TrackChange, TrackRecord
from mictape.transcript.line import NOTE
from support.sessions import held
from support.waiting import until_async

HELLO = LineRecord(1, 1, 0, 16_000, "Hello there.")
COVERED = TrackChange(1, 16_000, 0, (CoverageRecord(0, 16_000, "covered"),))
BUSY_S = 0.05


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "library.db"


@pytest.fixture
async def library(path: Path) -> AsyncIterator[Library]:
    async with await Library.open(path, busy_s=BUSY_S) as opened:
        yield opened


async def begun(library: Library) -> str:
    folder = await library.run(Store.create_session)
    folder.release()
    await library.run(Store.add_track, folder.session, TrackRecord(1, "You", "Yeti"))
    return folder.session


async def test_what_cannot_be_written_is_reported_once_and_tried_again_in_order(library: Library, path: Path) -> None:
    session, reported = await begun(library), list[Failure]()
    writes = library.writes(session, reported.append)
    with held(path):
        writes.post(Store.add_line, HELLO, COVERED)
        writes.post(Store.edit_line, 1, "Hello.", "Hello there.")
        await until_async(lambda: reported)
        assert writes.unwritten == reported[0]
    [line] = await writes.run(Store.lines)
    assert (line.text, line.original) == ("Hello.", "Hello there.")
    assert writes.unwritten is None
    assert ["held by another program" in failure.what for failure in reported] == [True]
    await writes.close()
    assert (await library.run(Store.session, session)).state == "closed"


NOTED = LineRecord(2, 1, 16_000, 16_000, "milk", NOTE)


async def left_at_the_end(library: Library, path: Path) -> tuple[str, SessionWrites]:
    """A session that is ending, of which nothing could be written while another program held the library."""
    session, reported = await begun(library), list[Failure]()
    writes = library.writes(session, reported.append)
    writes.stop_retrying()
    with held(path):
        writes.post(Store.add_line, HELLO, COVERED)
        await until_async(lambda: reported)
        await asyncio.wait_for(writes.run(Store.lines), 30)  # the row has been left
    writes.post(Store.change_track, COVERED)  # the library is free again, and must not claim what it does not hold
    assert await library.run(Store.coverage, session, 1) == []
    writes.post(Store.set_mark, 1, "!")
    writes.post(Store.add_line, NOTED)
    return session, writes


async def test_what_could_not_be_written_is_tried_once_more_at_the_end(library: Library, path: Path) -> None:
    session, writes = await left_at_the_end(library, path)
    await writes.close()
    assert await library.run(Store.lines, session) == [msgspec.structs.replace(HELLO, mark="!"), NOTED]
    assert (await library.run(Store.session, session)).state == "closed"


async def test_what_cannot_be_written_at_the_end_either_is_named(library: Library, path: Path) -> None:
    session, writes = await left_at_the_end(library, path)
    for edit in ("Hi.", "Hey."):
        writes.post(Store.edit_line, 1, edit, "Hello.")
    with (
        held(path),
        pytest.raises(MictapeError, match=r"Not all of .+ \(lost: 1 mark, 1 note, 2 changes\)") as caught,
    ):
        await writes.close()
    assert caught.value.failure.code is ExitCode.SOUND
    assert "recover the words" in caught.value.failure.remedy
    assert await library.run(Store.lines, session) == []
    assert await library.run(Store.coverage, session, 1) == []
    assert [each.id for each in await library.run(Store.unfinished)] == [session], "it can be recovered"


async def test_a_row_that_can_never_be_written_costs_only_itself(library: Library) -> None:
    session, reported = await begun(library), list[Failure]()
    writes = library.writes(session, reported.append)
    later = msgspec.structs.replace(HELLO, id=2, start=16_000, end=32_000, text="Later.")
    writes.post(Store.add_line, HELLO)
    writes.post(Store.add_line, HELLO, COVERED)  # no two lines have one id
    writes.post(Store.add_line, later, TrackChange(1, 32_000, 0, (CoverageRecord(16_000, 32_000, "covered"),)))
    assert await writes.run(Store.lines) == [HELLO, later]
    assert await library.run(Store.coverage, session, 1) == [CoverageRecord(16_000, 32_000, "covered")]
    with pytest.raises(MictapeError):
        await writes.close()
    assert reported, "it was shown"
    assert (await library.run(Store.session, session)).state == "open"


async def test_a_name_that_is_no_unicode_costs_nothing(library: Library) -> None:
    session, reported = await begun(library), list[Failure]()
    writes = library.writes(session, reported.append)
    writes.post(Store.add_track, TrackRecord(2, "caf\udce9", "caf\udce9.wav", kind="file"))
    writes.post(Store.add_line, msgspec.structs.replace(HELLO, speaker="Ren\udce9", original="\udce9"))
    writes.post(Store.rename_track, 1, "\udce9")
    await writes.close()
    assert reported == []
    assert [track.name for track in await library.run(Store.tracks, session)] == ["?", "caf?"]
    assert [(line.speaker, line.original) for line in await library.run(Store.lines, session)] == [("Ren?", "?")]


def pieces(library: Library) -> int:
    """How many pieces the search index of lines is in."""
    [(count,)] = library._store.rows("SELECT count(DISTINCT segid) FROM line_index_idx")
    return count


async def test_the_index_is_merged_between_the_lines_and_never_with_one(library: Library) -> None:
    folder = await library.run(Store.create_session)
    writes = library.writes(folder.session, lambda failure: None)
    for number in range(250):
        writes.post(Store.add_line, LineRecord(number, 1, number, number + 1, f"line {number}"))
    await writes.close()
    folder.release()
    assert await library.run(lambda _: pieces(library)) < 9, "250 lines would else be 25 pieces"
    for index in range(2):
        merging = await library.run(Store.rows, "SELECT v FROM line_index_config WHERE k = 'automerge'")
        assert [tuple(row) for row in merging] == [(0,)], "rebuilt" if index else "new"
        await library.run(Store.rebuild_indexes)


async def test_what_is_written_is_not_lost_when_the_index_cannot_be_merged(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tidy(_: Store) -> None:
        raise MictapeError(Failure("The disk is full"))

    monkeypatch.setattr(Store, "tidy", tidy)
    failures: list[Failure] = []
    folder = await library.run(Store.create_session)
    writes = library.writes(folder.session, failures.append)
    writes.post(Store.add_line, LineRecord(0, 1, 0, 1, "a line"))
    await writes.close()
    folder.release()
    assert [line.text for line in await library.run(Store.lines, folder.session)] == ["a line"]
    assert failures == []
