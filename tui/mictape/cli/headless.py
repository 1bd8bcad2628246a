"""`listen`, `transcribe` and `sessions complete`: a recording shown as plain lines."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from msgspec import structs

from mictape.audio.devices import Device, recorded_already
from mictape.audio.diagnostics import no_signal_hint
from mictape.audio.ports import SoundSystem
from mictape.audio.source_spec import SourceSpec
from mictape.cli import output
from mictape.cli.export import STDOUT, folder_for, format_for, style_of
from mictape.cli.line_command import LineCommand
from mictape.cli.no_signal import NoSignal
from mictape.cli.printing import Printer, printer_for
from mictape.cli.several import each_of
from mictape.cli.unblocked import Streams, unblocked
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.library.export import FORMATS, Format, FormatName, Style, check, json_line, write
from mictape.paths import Places, is_folder, named_path, writable
from mictape.recognition.live import EngineState
from mictape.recognition.stretches import NOT_RECOGNIZED
from mictape.recording import Policy, Recording
from mictape.recording.devices import chosen_device, default_device, devices_named, source_for
from mictape.recording.files import files_in, specs_of
from mictape.recording.recorded_devices import same_device
from mictape.session.events import LineAdded, SoundLost, SourceBack, SourceEnded, Trouble
from mictape.session.session import STOPPED, Session
from mictape.settings import Settings
from mictape.signals import watched
from mictape.terminal import set_up_log
from mictape.units import RATE, clock

LOOK_S: Final = 0.25
STDIN: Final = "-"

BY_SIGNAL: Final = 128
"""Exit codes from here on are of a process that was ended by a signal."""

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
    style: Style = field(default_factory=Style)
    """What is shown beside the text."""
    partials: bool = False
    """Whether unfinished text is printed."""
    command: str | None = None
    """A shell command to run for each final line."""
    heading: str = ""
    """Printed before the text, and after it a blank line; for one file of several."""
    target: Path | None = None
    """The file that gets the document; None: it is printed."""
    over: bool = False
    """Whether a file that is there is replaced."""
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
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once nothing more is to be waited for."""

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
        self.left.set()
        self.recording.leave()
        return True


def run(arguments: argparse.Namespace, where: Places, settings: Settings) -> int:
    """Carry out `listen`, `transcribe` or `sessions complete`; the exit code. Raises MictapeError."""
    keeps = {"listen": settings.keep, "transcribe": getattr(arguments, "keep", True)}.get(arguments.command, True)
    with writable(where, keeps=keeps) as there:
        set_up_log(there.log)
        return asyncio.run(_run(arguments, there, settings))


async def _run(arguments: argparse.Namespace, where: Places, settings: Settings) -> int:
    match arguments.command:
        case "transcribe":
            jobs = _transcriptions(arguments)
            return await each_of(jobs, lambda job: _do(job, where, settings))
        case "sessions":
            return await _do(Job((), _give_up(arguments), True, "txt", session=arguments.session), where, settings)
        case _:
            job = await _live(arguments, where, settings)
            with unblocked() as streams:
                try:
                    code = await _do(job, where, settings, streams)
                except MictapeError as error:
                    code = output.say(error.failure)
                if code < BY_SIGNAL:
                    await streams.written()
                return code


async def _do(job: "Job | _File", where: Places, settings: Settings, streams: Streams | None = None) -> int:
    """Do one job; the exit code. When `streams` are gone it ends. Raises MictapeError."""
    if isinstance(job, _File):
        if job.job.target is not None:
            check(job.job.target, over=job.job.over)  # before the work, not after it
        job = replace(job.job, specs=await specs_of(job.name, job.pace, apart=job.apart))
    recording = Recording(where, structs.replace(settings, keep=job.keep), job.policy)
    try:
        return await _record(recording, job, streams)
    finally:
        if job.greeting and recording.saved is not None:
            output.note(f"mictape: {recording.saved}")


async def _record(recording: Recording, job: Job, streams: Streams | None) -> int:
    """Do one job with a recording, see `_do`; the exit code. Raises MictapeError."""
    async with recording:
        await recording.engines.check()
        if job.specs:
            session = await recording.begin(*job.specs, also=job.also)
        else:
            session = await recording.complete(job.session)
            if not any(track.coverage.open(track.end) for track in session.tracks):
                output.note(f"There is nothing to complete: all of session {session.folder.session} is transcribed.")
        if job.greeting:
            output.note(job.greeting)
        if streams is not None:
            recording.tasks.start(streams.when_gone(recording.leave), "The output")
        with taking_signals(recording, live=bool(job.greeting)) as signals:
            await recording.run(_show(recording, session, job, signals.left))
        if recording.failure is not None:
            raise MictapeError(recording.failure)
        if (job.target is not None or job.format not in ("txt", "lines")) and signals.code == ExitCode.DONE:
            await _write_document(session, job)
        code = _say_what_has_no_text(session, job)
        return signals.code or code


@dataclass(frozen=True, slots=True)
class _File:
    """A file to transcribe; what its tracks are is looked up when it is its turn."""

    name: str
    pace: Literal["real", "fast"]
    apart: bool
    job: Job


def _transcriptions(arguments: argparse.Namespace) -> list[_File]:
    """The jobs of `transcribe`, one a file. Raises MictapeError."""
    names: list[str] = arguments.files
    if STDIN not in names:
        names = [str(path) for path in files_in(names)]
    elif len(names) > 1:
        raise MictapeError(Failure("Standard input is one file", "Give - alone", ExitCode.USAGE))
    style, policy = style_of(arguments), _give_up(arguments)
    output = None if arguments.output == STDOUT else named_path(arguments.output)
    several = len(names) > 1 or any(is_folder(named_path(name)) for name in arguments.files)
    folder = None if output is None else folder_for(arguments.output, several=several)
    format = format_for(output if folder is None else None, arguments.format)
    if output is None and len(names) > 1 and format.name != "txt":
        what = f"Several files cannot be printed as {format.name}"
        raise MictapeError(Failure(what, "Add -o FOLDER", ExitCode.USAGE))
    targets = [output] * len(names) if folder is None else _targets(folder, names, format)
    job = Job((), policy, arguments.keep, format.name, style, over=arguments.force)
    headings = [f"==> {name} <==" if output is None and len(names) > 1 else "" for name in names]
    return [
        _File(name, arguments.pace, arguments.tracks == "channels", replace(job, target=target, heading=heading))
        for name, target, heading in zip(names, targets, headings, strict=True)
    ]


def _targets(folder: Path, names: Sequence[str], format: Format) -> list[Path]:
    """A file in the folder for each: as much of its path as makes it the only one of that name."""
    paths = [Path(name) for name in names]
    called = [path.stem for path in paths]
    for longer in ([path.name for path in paths], [f"{path.resolve().parent.name} {path.name}" for path in paths]):
        counts = Counter(called)
        called = [long if counts[short] > 1 else short for short, long in zip(called, longer, strict=True)]
    targets = [folder / f"{name}{format.endings[0]}" for name in called]
    if len(set(targets)) < len(targets):
        what = "Two of the files have the same name"
        raise MictapeError(Failure(what, "Transcribe them into different folders", ExitCode.USAGE))
    return targets


async def _live(arguments: argparse.Namespace, where: Places, settings: Settings) -> Job:
    if arguments.partials and not arguments.json and not (sys.stdout.isatty() and os.environ.get("TERM") != "dumb"):
        what = "Partial text cannot be taken back where the output is no terminal"
        raise MictapeError(Failure(what, "Add --json, or leave --partials out", ExitCode.USAGE))
    sound = SoundSystem(where.log)
    device = await chosen_device(sound, settings) or await default_device(sound)
    also = tuple(await devices_named(sound, settings.also))
    for at, each in enumerate(also):
        if same_device(each, (device, *also[:at])):
            raise MictapeError(recorded_already(each))
    names = " and ".join(each.name for each in (device, *also))
    return Job(
        [source_for(device, settings)],
        Policy(unattended=True, drain_s=DRAIN_S),
        settings.keep,
        "lines" if arguments.json else "txt",
        style_of(arguments),
        arguments.partials,
        arguments.exec,
        also=also,
        greeting=f"Listening to {names}. Ctrl-C ends it.",
    )


def _give_up(arguments: argparse.Namespace) -> Policy:
    return Policy(unattended=True, give_up_s=arguments.give_up)


def _say_what_has_no_text(session: Session, job: Job) -> int:
    """Say on stderr which sound has no text, and why; the exit code.

    Of a file that an engine was lost over that is a failure. What an engine finds no words in may have none, and a
    live recording that was ended has done what it could.
    """
    code = int(ExitCode.DONE)
    complete = f"Try once more: mictape sessions complete {session.folder.session}"
    remedy = complete if job.keep else "Transcribe it again, or with another engine"
    for track in session.tracks:
        for why, what in track.without_text.items():
            if why == STOPPED:  # by the person, who knows
                continue
            said = output.say(Failure(what, remedy, ExitCode.ENGINE))
            if why != NOT_RECOGNIZED and not job.greeting:
                code = said
    return code


async def _write_document(session: Session, job: Job) -> None:
    """Write all of it at once. Raises MictapeError when the file cannot be written."""
    document = await session.document(job.style)
    document = document if job.keep else replace(document, session=None)
    text = FORMATS["json" if job.format == "lines" else job.format].write(document)
    if job.target is None:
        sys.stdout.writelines(text)
    else:
        await asyncio.to_thread(write, text, job.target, over=job.over)


async def _say_what_is_missing(session: Session, printer: Printer) -> None:
    """A line on stderr whenever the engine cannot be reached or a microphone gives nothing, and when it does again."""
    said: Failure | None = None
    signals = defaultdict[int, NoSignal](NoSignal)
    while True:
        await asyncio.sleep(LOOK_S)
        for track in session.tracks:
            nothing = signals[track.number].look(track.no_signal, time.monotonic())
            if nothing is not None:
                printer.clear()
                what = output.explained(no_signal_hint()) if nothing else "There is a signal again."
                output.note(f"mictape: {track.device}: {what}")
        followers = [track.follower for track in session.tracks if track.follower is not None]
        now = missing_engine(said, [(follower.state, follower.failure) for follower in followers])
        if now != said:
            printer.clear()
            output.note(f"mictape: {output.explained(now)} Trying again …" if now else "mictape: Connected.")
            said = now


def missing_engine(said: Failure | None, states: Sequence[tuple[EngineState, Failure | None]]) -> Failure | None:
    """Why an engine cannot be reached; None when all can.

    Args:
        said: What it was before. It is so until every engine answers: one that is tried again is not there yet.
        states: The state of each track's engine, with the failure that belongs to it.
    """
    offline = [failure for state, failure in states if state == "offline" and failure is not None]
    if offline:
        return said if said in offline else offline[0]
    return None if all(state == "answering" for state, _ in states) else said


async def _show(recording: Recording, session: Session, job: Job, left: asyncio.Event) -> None:
    """Print what happens until the session is closed; once `left` is set no command is waited for."""
    format = job.format if job.target is None or job.format != "txt" else ""
    printer = printer_for(session, format, job.style, live=bool(job.greeting), partials=job.partials)
    recording.tasks.start(_say_what_is_missing(session, printer), "The output")

    def say(failure: Failure) -> None:
        printer.clear()
        output.say(failure)

    of_file = f"{Path(session.tracks[0].device).name}: " if job.target is not None or job.heading else ""
    command = LineCommand(job.command, say, to_stderr=job.format == "lines") if job.command else None
    if job.heading:
        print(job.heading, flush=True)
    async with command.running(left) if command else contextlib.nullcontext():
        with progress_bar(session, shown=not job.greeting) as update:
            async for event in session.events():
                match event:
                    case LineAdded(line) if command is not None:
                        command.add(json_line(line, session.transcript.track_names.get(line.track)))
                    case Trouble(failure):
                        say(structs.replace(failure, what=f"{of_file}{failure.what}"))
                    case SourceEnded(_, warning) if warning:
                        say(Failure(warning.rstrip(".")))
                    case SourceBack() | SoundLost():
                        printer.clear()
                        output.note(f"mictape: {_news_of(event, session)}")
                    case _:
                        pass
                printer.show(event)
                update()
        printer.finish()
    if job.heading:
        print(flush=True)
    for track in session.tracks:
        if track.left_out:
            output.note(f"mictape: {track.left_out}.")


def _news_of(event: SourceBack | SoundLost, session: Session) -> str:
    """What has happened to a device, as a sentence; where several are recorded, lost sound is said with whose it is."""
    if isinstance(event, SourceBack):
        return f"{event.device} is back."
    whose = f"{session.tracks[event.track - 1].device}: " if len(session.tracks) > 1 else ""
    return f"{whose}{clock(event.start)}  {event.text}."


@contextlib.contextmanager
def progress_bar(session: Session, *, shown: bool, what: str = "transcribing") -> Generator[Callable[[], None]]:
    """A progress bar on stderr, when that is a terminal: seconds of sound that are answered for, of all tracks."""
    if not (shown and output.shows_progress()):
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
