"""What becomes of the sound of finished sessions, by the setting `keep_audio`."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from mictape.audio.source_spec import FileSource
from mictape.audio.tape import TapeWriter
from mictape.engines.base import Connection, Request
from mictape.library.folders import SessionFolder
from mictape.library.sound_storage import weight_of
from mictape.paths import places
from mictape.recording import Policy, Recording
from mictape.recording.packing import pack_ended, pack_when_idle
from mictape.session.session import Session
from mictape.settings import Settings
from support.app_driver import recording as sound_file
from support.scripted import ScriptedEngine
from support.sound import pcm
from support.waiting import until_async


@dataclass
class Deaf(ScriptedEngine):
    """Never answers."""

    async def connect(self, request: Request) -> Connection:
        await asyncio.Event().wait()
        return await super().connect(request)


async def unseen(session: Session) -> None:
    async for _ in session.events():
        pass


async def recorded(home: Path, path: Path, keep_audio: Literal["wav", "flac", "none"], *, whole: bool) -> Path:
    """The folder of a session that is over; its text is not complete unless it is `whole`."""
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    engine = ScriptedEngine(name="local") if whole else Deaf(name="local")
    settings = Settings(keep_audio=keep_audio)
    async with Recording(where, settings, Policy(unattended=True), make_engine=lambda _: engine) as recording:
        session = await recording.begin(FileSource(sound_file(path), "fast"), also=())
        running = asyncio.create_task(recording.run(unseen(session)))
        if not whole:
            await until_async(lambda: recording.tracks[0].tape.samples > 0)
            recording.leave()
        await running
    return session.folder.path


@pytest.mark.parametrize(
    ("keep_audio", "whole", "left"), [("none", True, False), ("none", False, True), ("wav", True, True)]
)
async def test_sound_goes_only_where_that_is_wanted_and_the_text_is_complete(
    home: Path, tmp_path: Path, keep_audio: Literal["wav", "none"], whole: bool, left: bool
) -> None:
    folder = await recorded(home, tmp_path / "a.wav", keep_audio, whole=whole)
    assert (weight_of(folder).total > 0) == left


async def test_a_session_is_packed_when_it_ends(home: Path, tmp_path: Path) -> None:
    weight = weight_of(await recorded(home, tmp_path / "a.wav", "flac", whole=True))
    assert (weight.unpacked, weight.packed > 0) == (0, True)


async def test_a_session_that_is_left_while_it_is_packed_is_packed_another_time(home: Path, tmp_path: Path) -> None:
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    engine = ScriptedEngine(name="local")
    async with Recording(where, Settings(keep_audio="flac"), make_engine=lambda _: engine) as recording:
        session = await recording.begin(FileSource(sound_file(tmp_path / "a.wav"), "fast"), also=())

        async def leave_at_the_end() -> None:
            async for _ in session.events():
                pass
            recording.stop()  # the session is closed, and being packed

        running = asyncio.create_task(recording.run(leave_at_the_end()))
        await until_async(lambda: len(session.transcript) > 0)
        recording.stop()
        await running
        weight = weight_of(session.folder.path)
        assert (weight.unpacked > 0, weight.packed) == (True, 0)


async def test_what_was_not_packed_is_packed_at_the_next_start_though_nothing_is_recorded(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = await recorded(home, tmp_path / "a.wav", "flac", whole=False)
    assert weight_of(folder).unpacked, "who leaves at once does not wait for it"
    monkeypatch.setattr(pack_when_idle, "__defaults__", (0.0,))
    where = places({"MICTAPE_HOME": str(home)})
    async with Recording(where, Settings(keep_audio="flac"), make_engine=lambda _: ScriptedEngine(name="local")):
        await until_async(lambda: weight_of(folder).unpacked == 0)


async def test_a_session_that_takes_too_long_to_pack_is_as_it_was(tmp_path: Path) -> None:
    folder = tape(tmp_path / "sessions" / "1")
    before = weight_of(folder)
    await pack_ended(folder, tmp_path / "log", limit_s=0)
    assert weight_of(folder) == before
    with SessionFolder(folder):  # nothing holds it any more
        pass


def tape(folder: Path) -> Path:
    folder.mkdir(parents=True)
    writer = TapeWriter(folder, 1)
    writer.append(pcm(0, 32_000))
    writer.close()
    return folder


async def test_finished_sessions_are_packed_in_the_background_and_no_others(tmp_path: Path) -> None:
    sessions = tmp_path / "sessions"
    finished, running = tape(sessions / "1"), tape(sessions / "2")
    (sessions / "3").mkdir()
    with SessionFolder(running):
        await asyncio.wait_for(pack_when_idle(sessions, tmp_path / "log", 0), 60)
    assert (tmp_path / "log").read_bytes() == b"", "the process ends without an error"
    assert (weight_of(finished).unpacked, weight_of(running).packed) == (0, 0)
    assert weight_of(finished).packed
    assert weight_of(running).unpacked


async def test_packing_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    for number in range(300):
        tape(tmp_path / "sessions" / str(number))
    packing = asyncio.create_task(pack_when_idle(tmp_path / "sessions", tmp_path / "log", 0))
    await until_async(lambda: list((tmp_path / "sessions").glob("*/*.flac")))
    packing.cancel()
    await asyncio.wait([packing])
    assert list((tmp_path / "sessions").glob("*/*.wav"))
