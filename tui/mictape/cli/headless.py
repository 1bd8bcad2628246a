"""`listen`, `transcribe` and `sessions complete`: a recording shown as plain lines."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from mictape.audio.devices import Device
from mictape.audio.source import SourceSpec
from mictape.cli import output
from mictape.cli.export import STDOUT, format_for
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.export import FORMATS, FormatName, Style, json_line, plain, write
from mictape.library.records import LineRecord
from mictape.paths import Places
from mictape.recording import Policy, Recording
from mictape.recording.devices import chosen_device, default_device, devices_named, source_for
from mictape.recording.files import specs_of
from mictape.session.events import LineAdded, LineRevised, SourceEnded, Trouble
from mictape.session.session import Session
from mictape.settings import Settings
from mictape.signals import watched
from mictape.terminal import set_up_log
from mictape.units import RATE, clock

LOOK_S: Final = 0.25

SETTLES: Final = 60 * RATE
"""How much further a recording has to be before a line of it is printed: the second pass joins up to 28 s."""

DRAIN_S: Final = 60.0
"""How long `listen` waits, after Ctrl-C, for the engine to finish; another Ctrl-C ends the wait."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is to do."""

    specs: Sequence[SourceSpec]
    """What to record, each on a track of its own; nothing: complete `session` instead."""
    policy: Policy
    keep: bool
    format: FormatName | Literal["lines"]
    """`txt` is printed line by line, `lines` as one JSON object per line; any other is one document at the end."""
    times: bool = False
    """Whether lines of `txt` begin with their times."""
    target: Path | None = None
    """The file that gets the document; None: it is printed."""
    session: str = "last"
    also: tuple[Device, ...] = ()
    """Devices to record beside it, each on a track of its own."""
    greeting: str = ""
    """Said on stderr once the recording begins; only a live one has it, and an interrupt is its regular end."""


@dataclass(slots=True)
class Signals:
    """Turns signals into the end of a recording, and into the exit code."""

    recording: Recording
    live: bool
    code: int = ExitCode.DONE

    def on(self, number: signal.Signals) -> bool:
        """End the recording: the first SIGINT finishes the text of a live one, everything else leaves it.

        Returns:
            Whether it is left at once.
        """
        interrupted = number is signal.SIGINT
        if interrupted and self.live and not self.recording.stopping:
            self.recording.stop()
            return False
        self.code = ExitCode.INTERRUPTED if interrupted else 128 + number
        self.recording.leave()
        return True


def run(arguments: argparse.Namespace, where: Places, settings: Settings) -> int:
    """Carry out `listen`, `transcribe` or `sessions complete`; the exit code. Raises MictapeError."""
    where.prepare()
    set_up_log(where.log)
    return asyncio.run(_run(arguments, where, settings))


async def _run(arguments: argparse.Namespace, where: Places, settings: Settings) -> int:
    job = await _job(arguments, settings)
    async with Recording(where, replace(settings, keep=job.keep), job.policy) as recording:
        await recording.check()
        if job.specs:
            session = await recording.begin(*job.specs, also=job.also)
        else:
            session = await recording.complete(job.session)
        if job.greeting:
            print(job.greeting, file=sys.stderr, flush=True)
        with taking_signals(recording, live=bool(job.greeting)) as signals:
            await recording.run(_show(recording, session, job))
        if recording.failure is not None:
            raise MictapeError(recording.failure)
        if (job.target is not None or job.format not in ("txt", "lines")) and signals.code == ExitCode.DONE:
            await _write_document(session, job)
        return signals.code


async def _job(arguments: argparse.Namespace, settings: Settings) -> Job:
    match arguments.command:
        case "transcribe":
            specs = await specs_of(arguments.file, arguments.pace, apart=arguments.tracks == "channels")
            target = _target(arguments)
            format = format_for(target, arguments.format).name
            return Job(specs, _give_up(arguments), arguments.keep, format, arguments.times, target)
        case "sessions":
            return Job((), _give_up(arguments), True, "txt", session=arguments.session)
        case _:
            device = await chosen_device(settings) or await default_device()
            also = tuple(await devices_named(settings.also))
            names = " and ".join(each.name for each in (device, *also))
            return Job(
                [source_for(device, settings)],
                Policy(unattended=True, drain_s=DRAIN_S),
                settings.keep,
                "lines" if arguments.json else "txt",
                arguments.times,
                also=also,
                greeting=f"Listening to {names}. Ctrl-C ends it.",
            )


def _target(arguments: argparse.Namespace) -> Path | None:
    return None if arguments.output == STDOUT else Path(arguments.output).expanduser()


def _give_up(arguments: argparse.Namespace) -> Policy:
    return Policy(unattended=True, give_up_s=arguments.give_up)


async def _write_document(session: Session, job: Job) -> None:
    """Write all of it at once. Raises MictapeError when the file cannot be written."""
    document = await session.document(Style(times=job.times or None))
    document = document if job.keep else replace(document, session=None)
    text = FORMATS["json" if job.format == "lines" else job.format].write(document)
    if job.target is None:
        sys.stdout.writelines(text)
    else:
        await asyncio.to_thread(write, text, job.target, over=True)


async def _say_what_is_missing(session: Session) -> None:
    """A line on stderr whenever the engine cannot be reached, and when it can again."""
    said = ""
    while True:
        await asyncio.sleep(LOOK_S)
        for track in session.tracks:
            follower = track.follower
            failure = follower.failure if follower is not None and follower.state == "offline" else None
            now = f"mictape: {output.explained(failure)} Trying again …" if failure else ""
            if now != said:
                print(now or "mictape: Connected.", file=sys.stderr, flush=True)
                said = now


class _Lines:
    """Puts finals out as text: live at once, of a recording when the engine has had the time for second thoughts."""

    def __init__(self, session: Session, settles: int, *, times: bool) -> None:
        """`settles`: a line is put out when another one ends so many samples later; 0 is at once."""
        self._times = times
        self._names = session.transcript.track_names
        self._settles = settles
        # Each track of a file is transcribed at its own pace: only at the end it is known what comes first.
        self._sorts = settles > 0 and len(session.tracks) > 1
        self._waiting: dict[int, LineRecord] = {}

    def add(self, line: LineRecord) -> None:
        """A new final, in the order of the tape."""
        self._waiting[line.id] = line
        if not self._sorts:
            self.put(line.end - self._settles)

    def revise(self, line: LineRecord) -> None:
        """A better text for a final; one that is out already stays as it is."""
        if line.id in self._waiting:
            self._waiting[line.id] = line

    def put(self, before: int | None = None) -> None:
        """Print the lines that end there or earlier, session time; without a time all of them."""
        for line in sorted(self._waiting.values(), key=lambda line: (line.start, line.id)):
            if before is None or line.end <= before:
                del self._waiting[line.id]
                time = clock(line.start) if self._times else ""
                print(plain(line, time=time, voice=self._names.get(line.track, "")), flush=True)


async def _show(recording: Recording, session: Session, job: Job) -> None:
    """Print what happens until the session is closed."""
    recording.tasks.start(_say_what_is_missing(session), "The output")
    names = session.transcript.track_names
    lines = _Lines(session, 0 if job.greeting else SETTLES, times=job.times)
    with progress_bar(session, shown=not job.greeting) as update:
        async for event in session.events():
            match event:
                case LineAdded(line) if job.format == "lines":
                    print(json_line(line, names.get(line.track)), flush=True)
                case LineAdded(line) if job.format == "txt" and job.target is None:
                    lines.add(line)
                case LineRevised(line):
                    lines.revise(line)
                case Trouble(failure):
                    output.say(failure)
                case SourceEnded(_, warning) if warning:
                    output.say(Failure(warning.rstrip(".")))
                case _:
                    pass
            update()
    lines.put()
    for track in session.tracks:
        if track.left_out:
            print(f"mictape: {track.left_out}.", file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress_bar(session: Session, *, shown: bool, what: str = "transcribing") -> Generator[Callable[[], None]]:
    """A progress bar on stderr, when that is a terminal: seconds of sound that are answered for, of all tracks."""
    if not (shown and sys.stderr.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)

        def update() -> None:
            all_s = sum(track.end for track in session.tracks) / RATE
            done_s = sum(track.coverage.reached(track.end) for track in session.tracks) / RATE
            bar.update(task, total=all_s, completed=done_s)

        yield update


@contextlib.contextmanager
def taking_signals(recording: Recording, *, live: bool) -> Generator[Signals]:
    """Take the signals as events of this loop, and put back what was there."""
    signals = Signals(recording, live)
    with watched(recording.where.log) as watch:
        watch.attach(asyncio.get_running_loop(), signals.on)
        yield signals
