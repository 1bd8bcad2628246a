"""`listen` and `transcribe`: the same session without a screen."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from mictape.audio.devices import Device, find, list_devices, pick
from mictape.audio.source import DeviceSource, FileSource, SourceSpec, StdinSource
from mictape.credentials import engine_with_key
from mictape.engines.base import Engine, Request
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library import export
from mictape.library.library import Library
from mictape.library.records import LineRecord
from mictape.paths import Places
from mictape.recognition.live import Plan
from mictape.session.events import LineAdded, LineRevised, SourceEnded, Trouble
from mictape.session.recovery import remains_of
from mictape.session.session import Session
from mictape.settings import Settings
from mictape.terminal import set_up_log
from mictape.units import RATE
from mictape.vad.client import Listening

LOOK_S: Final = 0.25

SETTLES: Final = 60 * RATE
"""How much further a recording has to be before a line of it is printed: the second pass joins up to 28 s."""

DRAIN_S: Final = 60.0
"""How long `listen` waits, after Ctrl-C, for the engine to finish; another Ctrl-C ends the wait."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is to do."""

    spec: SourceSpec
    keep: bool
    format: str
    """`txt`, `json` (one document at the end), or `lines` (one JSON object a line)."""
    live: bool
    """Whether an interrupt is the regular end of it."""
    give_up_s: float | None = None
    """How long to go on without a connection; None: for as long as it takes."""
    session: str | None = None
    """A session to complete instead of recording one."""
    also: tuple[Device, ...] = ()
    """Devices to record beside it, each on a track of its own."""


@dataclass(slots=True)
class Interrupts:
    """The signals that came, as events of the loop."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    again: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = ExitCode.DONE

    def on(self, number: signal.Signals) -> None:
        """Take in one signal: the first SIGINT asks to finish, everything else to leave."""
        if number is signal.SIGINT and not self.came.is_set():
            self.code = ExitCode.INTERRUPTED
        else:
            self.code = ExitCode.INTERRUPTED if number is signal.SIGINT else 128 + number
            self.again.set()
        self.came.set()


def run(arguments: argparse.Namespace, where: Places, settings: Settings) -> int:
    """Carry out `listen`, `transcribe` or `sessions complete`; the exit code. Raises MictapeError."""
    where.prepare()
    set_up_log(where.log)
    return asyncio.run(_run(_job(arguments, settings), where, settings))


def _job(arguments: argparse.Namespace, settings: Settings) -> Job:
    match arguments.command:
        case "transcribe":
            spec = StdinSource() if arguments.file == "-" else FileSource(Path(arguments.file), arguments.pace)
            return Job(spec, arguments.keep, arguments.format, live=False, give_up_s=arguments.give_up)
        case "sessions":
            nothing = FileSource(Path())
            return Job(nothing, True, "txt", live=False, give_up_s=arguments.give_up, session=arguments.session)
        case _:
            device = asyncio.run(device_for(settings))
            also = tuple(asyncio.run(devices_for(settings.also)))
            names = " and ".join(each.name for each in (device, *also))
            print(f"Listening to {names}. Ctrl-C ends it.", file=sys.stderr, flush=True)
            format = "lines" if arguments.json else "txt"
            return Job(source_for(device, settings), settings.keep, format, live=True, also=also)


def plan_of(settings: Settings, engine: Engine, log: Path) -> Plan:
    """How tapes are followed with an engine: who fills in behind it, and when a billed connection rests.

    Raises MictapeError when the engine that is to fill in cannot be made.
    """
    fill = {"same": lambda: engine, "local": lambda: engine_with_key("local", settings, log)}.get(settings.backfill)
    idle_s = settings.idle_close_min * 60.0 if settings.idle_close_min else None
    return Plan(fill=fill() if fill else None, idle_s=idle_s)


async def device_for(settings: Settings) -> Device:
    """The device that was asked for or remembered; without either, the system's default.

    Raises:
        MictapeError: (`ExitCode.USAGE`) not the only one of that name; (`ExitCode.SOUND`) there is none, or the one
            remembered is gone.
    """
    devices = await list_devices()
    wish = settings.device
    if isinstance(wish, str):
        return pick(devices, wish)
    if wish is not None:
        if (device := find(devices, wish.name, wish.host_api)) is not None:
            return device
        raise MictapeError(Failure(f"{wish.name} is not there", "Connect it, or choose another with --device"))
    return next((device for device in devices if device.default), devices[0])


def source_for(device: Device, settings: Settings, *, also: bool = False) -> DeviceSource:
    """The device by the way that is set, with the channel that is set; one that joins is recorded with all of its."""
    return DeviceSource(device, settings.audio_backend, None if also else settings.channel)


async def devices_for(wishes: Sequence[str]) -> list[Device]:
    """The devices that `--also` asks for. Raises MictapeError (`ExitCode.USAGE`): none or several of that name."""
    devices = await list_devices() if wishes else []
    return [pick(devices, wish) for wish in wishes]


async def _run(job: Job, where: Places, settings: Settings) -> int:
    engine = engine_with_key(settings.engine, settings, where.log)
    ask = Request()
    try:
        if (failure := await engine.check(ask)) is not None:
            raise MictapeError(failure)
        plan = replace(plan_of(settings, engine, where.log), give_up_s=job.give_up_s)
        kept = (where.library, where.sessions) if job.keep else (None, None)
        log, listening = where.log, Listening(where.log)
        async with await Library.open(*kept) as library:
            if job.session is not None:
                remains = await remains_of(library, job.session)
                session = await Session.complete(library, remains, engine, ask, log=log, plan=plan, listening=listening)
            else:
                session = await Session.begin(library, engine, ask, log=log, plan=plan, listening=listening)
                session.add_track(job.spec)
                await _join(session, job.also, settings)
            code = await _record(session, job)
            if job.format == "json" and code == ExitCode.DONE:
                await _print_document(library, session.folder.session, kept=job.keep)
            return code
    finally:
        await engine.close()


async def _join(session: Session, also: Sequence[Device], settings: Settings) -> None:
    """Have further devices recorded, too. Raises MictapeError when one cannot be; then the session is closed."""
    try:
        for device in also:
            await session.join(source_for(device, settings, also=True))
    except MictapeError:
        await session.stop()
        await session.close()
        raise


async def _print_document(library: Library, id: str, *, kept: bool) -> None:
    session = await library.session(id) if kept else None
    print(export.json_session(session, await library.tracks(id), await library.lines(id)))


async def _record(session: Session, job: Job) -> int:
    """Run the session until its sound or its engine ends, or a signal comes; the exit code."""
    printing = asyncio.create_task(_print(session, job))
    saying = asyncio.create_task(_say_what_is_missing(session))
    capturing = asyncio.create_task(_capture(session, job))
    following = asyncio.create_task(_follow(session))
    with _signals() as interrupts:
        called = asyncio.create_task(interrupts.came.wait())
        leaving = asyncio.create_task(interrupts.again.wait())
        try:
            await asyncio.wait([capturing, following, called], return_when=asyncio.FIRST_COMPLETED)
            capturing.cancel()
            await asyncio.wait([capturing])
            await session.stop()
            if job.live or not called.done():
                # The sound is over; what was said last is still to be answered.
                end = leaving if job.live else called
                limit_s = DRAIN_S if job.live else None
                await asyncio.wait([following, end], return_when=asyncio.FIRST_COMPLETED, timeout=limit_s)
        finally:
            tasks = (capturing, following, saying, called, leaving)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await session.close()
            await printing
    if not capturing.cancelled():
        capturing.result()
    return _code(session, interrupts, live=job.live)


async def _capture(session: Session, job: Job) -> None:
    """Record, where there is something to record."""
    if job.session is not None:
        await asyncio.Event().wait()
    await asyncio.gather(*(session.capture(track) for track in session.tracks))


async def _follow(session: Session) -> None:
    await asyncio.gather(*(session.follow(track) for track in session.tracks))


async def _say_what_is_missing(session: Session) -> None:
    """A line on stderr whenever the engine cannot be reached, and when it can again."""
    said = ""
    while True:
        await asyncio.sleep(LOOK_S)
        for track in session.tracks:
            follower = track.follower
            failure = follower.failure if follower is not None and follower.state == "offline" else None
            now = f"mictape: {failure} Trying again …" if failure else ""
            if now != said:
                print(now or "mictape: Connected.", file=sys.stderr, flush=True)
                said = now


def _code(session: Session, interrupts: Interrupts, *, live: bool) -> int:
    for track in session.tracks:
        follower = track.follower
        if follower is not None and follower.state == "stopped" and follower.failure is not None:
            raise MictapeError(follower.failure)
    if live and interrupts.code == ExitCode.INTERRUPTED and not interrupts.again.is_set():
        return ExitCode.DONE  # Ctrl-C is how it is meant to end
    return interrupts.code


class _Lines:
    """Puts finals out as text: live at once, of a recording when the engine has had the time for second thoughts."""

    def __init__(self, session: Session, settles: int) -> None:
        """`settles`: a line is put out when another one ends so many samples later; 0 is at once."""
        self._names = session.transcript.track_names
        self._settles = settles
        self._waiting: dict[int, LineRecord] = {}

    def add(self, line: LineRecord) -> None:
        """A new final, in the order of the tape."""
        self._waiting[line.id] = line
        self.put(line.end - self._settles)

    def revise(self, line: LineRecord) -> None:
        """A better text for a final; one that is out already stays as it is."""
        if line.id in self._waiting:
            self._waiting[line.id] = line

    def put(self, before: int | None = None) -> None:
        """Print the lines that end there or earlier, session time; without a time all of them."""
        for line in list(self._waiting.values()):
            if before is None or line.end <= before:
                del self._waiting[line.id]
                for text in export.txt([line], self._names):
                    print(text, flush=True)


async def _print(session: Session, job: Job) -> None:
    names = session.transcript.track_names
    lines = _Lines(session, 0 if job.live else SETTLES)
    with _progress(session, shown=not job.live) as update:
        async for event in session.events():
            match event:
                case LineAdded(line) if job.format == "lines":
                    print(export.json_line(line, names.get(line.track)), flush=True)
                case LineAdded(line) if job.format == "txt":
                    lines.add(line)
                case LineRevised(line):
                    lines.revise(line)
                case Trouble(failure):
                    print(f"mictape: {failure}", file=sys.stderr, flush=True)
                case SourceEnded(_, warning) if warning:
                    print(f"mictape: {warning}", file=sys.stderr, flush=True)
                case _:
                    pass
            update()
    lines.put()


@contextlib.contextmanager
def _progress(session: Session, *, shown: bool) -> Generator[Callable[[], None]]:
    """A progress bar on stderr, when that is a terminal: seconds of sound that are answered for."""
    if not (shown and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("transcribing")

        def update() -> None:
            track = session.tracks[0]
            bar.update(task, total=track.end / RATE, completed=track.coverage.reached(track.end) / RATE)

        yield update


@contextlib.contextmanager
def _signals() -> Generator[Interrupts]:
    """Take the signals as events of this loop, and put back what was there."""
    interrupts = Interrupts()
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if sys.platform != "win32" else [])]
    taken: list[signal.Signals] = []
    with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C stays a KeyboardInterrupt
        for number in numbers:
            loop.add_signal_handler(number, interrupts.on, number)
            taken.append(number)
    try:
        yield interrupts
    finally:
        for number in taken:
            loop.remove_signal_handler(number)
