"""A recording: what it owns, how it ends, and that nothing which runs for it fails unseen."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from mictape.audio.source_spec import FileSource
from mictape.engines.base import Connection, EngineEvent, Request
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.library import Store
from mictape.paths import places
from mictape.recording import Policy, Recording
from mictape.session.events import Event, Trouble
from mictape.session.session import Session
from mictape.session.state import State
from mictape.settings import Settings
from mictape.tasks import Tasks
from support.app_driver import recording as sound_file
from support.scripted import ScriptedEngine
from support.waiting import until_async

UNATTENDED = Policy(unattended=True)


def made(
    home: Path,
    engine: ScriptedEngine,
    policy: Policy = UNATTENDED,
    *,
    settings: Settings | None = None,
    **others: ScriptedEngine,
) -> Recording:
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    engines = {"local": engine, **others}
    return Recording(where, settings or Settings(), policy, make_engine=engines.__getitem__)


async def shown(session: Session, events: list[Event]) -> None:
    async for event in session.events():
        events.append(event)  # noqa: PERF401 (looked at while it goes on)


@dataclass
class Counted(ScriptedEngine):
    """Counts how often it is closed."""

    closed: int = 0

    async def close(self) -> None:
        self.closed += 1


@dataclass
class Asked(ScriptedEngine):
    """Keeps what its connections were asked for."""

    asked: list[Request] = field(default_factory=list[Request])

    async def connect(self, request: Request) -> Connection:
        self.asked.append(request)
        return await super().connect(request)


async def test_the_language_and_the_names_of_the_settings_are_used(home: Path, tmp_path: Path) -> None:
    engine = Asked()
    settings = Settings(language="pt-BR", names=("Anna", "nobody"))
    async with made(home, engine, settings=settings) as recording:
        session = await recording.begin(FileSource(sound_file(tmp_path / "a.wav"), "fast"))
        await asyncio.wait_for(recording.run(shown(session, [])), 60)
        tracks = await recording.library.run(Store.tracks, session.folder.session)
    assert {request.language for request in engine.asked} == {"pt-BR"}
    assert [track.name for track in tracks] == ["Anna"]
    assert recording.transcript.line(0).track_name == "Anna"


Where = Literal["connect", "send", "iterate", "finish"]


@dataclass
class Faulty(Counted):
    """Third-party code with a fault in one place."""

    where: Where = "connect"

    async def connect(self, request: Request) -> Connection:
        if self.where == "connect":
            raise KeyError("the fault")
        return cast(Connection, FaultyConnection(await super().connect(request), self.where))


class FaultyConnection:
    """A connection that raises in one of its methods what no connection should."""

    def __init__(self, connection: Connection, where: Where) -> None:
        self._connection = connection
        self._where = where

    def __getattr__(self, name: str) -> Any:
        return self._faulty if name == self._where else getattr(self._connection, name)

    async def _faulty(self, *_: object) -> None:
        raise KeyError("the fault")

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        async for event in self._connection:
            yield event
            if self._where == "iterate":
                raise KeyError("the fault")


async def test_what_is_made_is_closed_once(home: Path, tmp_path: Path) -> None:
    first, second = Counted(name="local"), Counted(name="second")
    recording = made(home, first, Policy(), second=second)
    async with recording:
        session = await recording.begin(FileSource(sound_file(tmp_path / "a.wav"), "real"))
        running = asyncio.create_task(recording.run(shown(session, [])))
        await until_async(lambda: len(recording.transcript) > 0)
        await recording.engines.use("second")
        assert (first.closed, second.closed) == (1, 0)
        recording.stop()
        await running
    assert (first.closed, second.closed) == (1, 1)
    assert session.closed
    assert not asyncio.all_tasks() - {asyncio.current_task()}, "nothing runs any more"


@pytest.mark.parametrize("where", ["connect", "send", "iterate", "finish"])
async def test_a_fault_in_an_engine_is_shown_with_its_exit_code_and_logged(
    home: Path, tmp_path: Path, where: Where, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Faulty(where=where)
    async with made(home, engine) as recording:
        session = await recording.begin(FileSource(sound_file(tmp_path / "a.wav"), "fast"))
        with caplog.at_level(logging.ERROR):
            await asyncio.wait_for(recording.run(shown(session, [])), 60)
        state = recording.tracks[0].status(engine.title, paused=False).state
    assert recording.failure is not None
    assert recording.failure.code is ExitCode.ENGINE
    assert recording.failure.what == "scripted failed unexpectedly: 'the fault'"
    assert state is State.ENGINE_STOPPED
    assert "Traceback" in caplog.text and "KeyError" in caplog.text
    assert engine.closed == 1


async def test_attended_a_fault_in_an_engine_stops_only_the_engine(home: Path, tmp_path: Path) -> None:
    good = Counted(name="good")
    async with made(home, Faulty(where="iterate"), Policy(), good=good) as recording:
        session = await recording.begin(FileSource(sound_file(tmp_path / "a.wav"), "real"))
        running = asyncio.create_task(recording.run(shown(session, [])))
        await until_async(lambda: (status := recording.status()) and status.state is State.ENGINE_STOPPED)
        assert not recording.stopping
        await recording.engines.use("good")
        await until_async(lambda: len(recording.transcript) > 1)
        recording.stop()
        await running


async def test_a_model_that_cannot_work_changes_neither_engine_nor_language(home: Path) -> None:
    engine = Asked()
    async with made(home, engine, settings=Settings(language="en")) as recording:
        with pytest.raises(MictapeError, match="no-such-model"):
            await recording.engines.use_model("no-such-model", "de")
        assert recording.engines.in_use is engine
        assert recording.engines.request.language == "en"
    assert not (home / "state.toml").exists()


async def test_a_source_that_cannot_be_opened_ends_it_when_unattended(home: Path, tmp_path: Path) -> None:
    async with made(home, ScriptedEngine()) as recording:
        session = await recording.begin(FileSource(tmp_path / "nothing.wav"))
        await asyncio.wait_for(recording.run(shown(session, [])), 60)
    assert recording.failure is not None
    assert recording.failure.code is ExitCode.SOUND


async def test_attended_it_is_shown_and_the_recording_waits(home: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    async with made(home, ScriptedEngine(), Policy()) as recording:
        session = await recording.begin(FileSource(tmp_path / "nothing.wav"))
        running = asyncio.create_task(recording.run(shown(session, events)))
        await until_async(lambda: [event for event in events if isinstance(event, Trouble)])
        assert not recording.stopping
        recording.stop()
        await running
    assert recording.failure is None


async def test_a_view_that_fails_ends_it_and_what_was_recorded_is_kept(home: Path, tmp_path: Path) -> None:
    async def view(session: Session) -> None:
        async for _ in session.events():
            raise BrokenPipeError("the reader has gone")

    async with made(home, ScriptedEngine(), Policy()) as recording:
        session = await recording.begin(FileSource(sound_file(tmp_path / "a.wav"), "real"))
        with pytest.raises(BrokenPipeError):
            await asyncio.wait_for(recording.run(view(session)), 60)
        stored = await recording.library.run(Store.session, session.folder.session)
    assert (stored.state, stored.lines > 0) == ("closed", True)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (lambda: MictapeError(Failure("The disk is full")), Failure("The disk is full")),
        (lambda: ValueError("x is 3."), Failure("The copying failed unexpectedly: x is 3", "The log has the details")),
        (ValueError, Failure("The copying failed unexpectedly: ValueError", "The log has the details")),
    ],
)
async def test_a_task_that_fails_is_reported(fault: Callable[[], Exception], expected: Failure) -> None:
    async def work() -> None:
        raise fault()

    reported: list[Failure] = []
    await Tasks(reported.append).start(work(), "The copying")
    assert [(each.what, each.remedy) for each in reported] == [(expected.what, expected.remedy)]


async def test_a_task_that_is_cancelled_is_no_failure() -> None:
    reported: list[Failure] = []
    tasks = Tasks(reported.append)
    task = tasks.start(asyncio.Event().wait(), "The waiting")  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await tasks.cancel()
    assert task.cancelled()
    assert not reported
