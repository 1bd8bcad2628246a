"""The app's side of the capture process: start, commands, watchdog, restart.

Needs neither numpy nor PortAudio. What was captured is told to the tape; everything else is an event. Whether
the tape has ended is not for a source to say: another one may go on with it.
"""

import asyncio
import logging
import os
import re
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final, Literal

import msgspec

from mictape import subprocesses as children
from mictape.audio.devices import Device
from mictape.audio.messages import (
    Backend,
    ChannelsCancel,
    ChannelsDiffer,
    ClocksJumped,
    Ended,
    Failed,
    Hole,
    Message,
    Oddity,
    Opened,
    Paused,
    Progress,
    TrueRate,
)
from mictape.audio.tape import Tape, TapeError, count_samples
from mictape.failure import Failure, MictapeError
from mictape.plain_text import one_line
from mictape.units import clock

OPEN_S: Final = 15.0
"""A device that is not open after this long will not be; a busy machine needs 2 s to start the process."""
FIRST_STARTS: Final = 4
"""A source is given up that ends so many capture processes in a row before it is open."""
CLOSE_S: Final = 2.0
"""A capture process that has not closed after this long is killed; its tape is whole in any case."""
STALL_S: Final = 1.0
"""Without a new sample for this long the source is stalled."""
GIVE_UP_S: Final = 3.0
"""A stalled process is replaced after this long: one that only waits for the machine may still have the sound."""
WATCH_S: Final = 0.25
BACK_OFF_S: Final = (0.0, 0.5, 1.0, 2.0)
"""Waiting times before the first, second, … restart in a row; the last one repeats."""
STEADY_S: Final = 10.0
"""A process that has lived this long starts a new row."""
MOST_FAILURES: Final = 4
"""A file is given up at which so many processes in a row stood still or never got so far as to be open, without a new
sample; one that dies while it reads counts twice."""

_DESCRIPTOR: Final = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")

SourceState = Literal["opening", "open", "stalled", "lost", "disk full", "ended"]
"""How it stands with the sound, in the session's words; that it has ended is an event of its own."""


@dataclass(frozen=True, slots=True)
class DeviceSource:
    """A microphone, or the computer's own sound."""

    device: Device
    backend: Backend = "sounddevice"
    """The way to it that is wanted; see `backends.open_device`."""
    channel: int | None = None
    """The one that is recorded, counted from 1; None: the mean of all."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A sound file, as if it were live or as fast as it goes."""

    path: Path
    pace: Literal["real", "fast"] = "real"
    channel: int | None = None
    """The one that is recorded, counted from 1, while others of the file go onto other tracks; None: the mean of all.

    Such tracks have the file's time in common and no moments of their own.
    """

    @property
    def name(self) -> str:
        """The file's name, as text that UTF-8 can hold and no terminal obeys."""
        return one_line(os.fsencode(self.path.name).decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class StdinSource:
    """A sound file on standard input. It writes from the start and can neither be paused nor restarted."""


SourceSpec = DeviceSource | FileSource | StdinSource


def source_of(name: str, pace: Literal["real", "fast"] = "fast") -> FileSource | StdinSource:
    """What a person means by the name of a file; `-` and the paths of standard input are that."""
    return StdinSource() if name in _STDIN else FileSource(Path(name), pace)


_STDIN: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """How it stands with the sound is different now."""

    state: SourceState
    failure: Failure | None = None
    """Why, and what to do; of an open one only what is odd about it."""


Event = Progress | Hole | Paused | SourceChanged | Ended
"""What a source tells. The counts of `Progress` are since the source was opened, over all restarts."""


class _SourceError(Exception):
    """The capture process cannot go on, or could not begin."""

    def __init__(self, state: SourceState, failure: Failure, *, restart: bool = True, died: bool = False) -> None:
        super().__init__(str(failure))
        self.state: SourceState = state
        self.failure = failure
        self.restart = restart
        self.died = died
        """Whether the process ended without a word."""


_DECODER: Final = msgspec.json.Decoder(Message)


class _Stuck:
    """Counts the processes that got no further than the one before."""

    def __init__(self) -> None:
        self._samples = -1
        self._failures = 0

    def at(self, samples: int, weight: int) -> bool:
        """One ended when the tape was so long; whether another one would get no further, either."""
        if samples != self._samples:
            self._samples, self._failures = samples, 0
        self._failures += weight
        return self._failures >= MOST_FAILURES


class Source:
    """One track's source: opens it, keeps it open, and feeds the tape's told length.

    Iterate over it for its events, of which `Ended` is the last one. Close it in any case.
    """

    def __init__(self, spec: SourceSpec, folder: Path, track: int, tape: Tape, *, log: Path | None = None) -> None:
        self.spec = spec
        self._folder = folder
        self._track = track
        self._tape = tape
        self._log = log
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._reported = SourceChanged("opening")
        self._writes = isinstance(spec, StdinSource)
        self._once = isinstance(spec, StdinSource) or (isinstance(spec, FileSource) and is_pipe(spec.path))
        """What is read from it is gone: it can wait long for more, and cannot be read again."""
        self._stuck = _Stuck()
        self._opened = False
        """Whether the process has opened the source."""
        self._twins: tuple[str, ...] = ()
        """Other devices of the same name, by their targets: none of them is ours come back."""
        self._paused = False
        self._closing = asyncio.Event()
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._earlier = Progress(0)
        """The counts of the processes before this one."""
        self._latest = Progress(0)
        self._broken_at: int | None = None
        """How long the tape was when it could not be written; None when it can."""
        self._ended: Ended | None = None

    async def open(self) -> Opened:
        """Start the capture process; returns when the source delivers. Nothing is written before `go`.

        Raises MictapeError when it cannot be opened.
        """
        try:
            opened = await self._first_start()
        except _SourceError as trouble:
            self._finish("closed")
            raise MictapeError(trouble.failure) from trouble
        if isinstance(self.spec, DeviceSource):
            self._twins = opened.twins
        self._report("open")
        self._keeper = asyncio.create_task(self._keep(), name=f"source of track {self._track}")
        return opened

    def go(self) -> None:
        """Begin to write, unless it is paused."""
        self._writes = True
        if not self._paused:
            self._command("go")

    def pause(self) -> None:
        """Write nothing from here on; levels go on. Answered by `Paused`."""
        self._paused = True
        self._command("pause")

    def resume(self) -> None:
        """Write again."""
        self._paused = False
        if self._writes:
            self._command("resume")

    async def close(self) -> Ended:
        """Close the tape and end the process, in about two seconds at most; says where the tape ends."""
        self._closing.set()
        if self._keeper is not None:
            if isinstance(self.spec, StdinSource):
                self._terminate()
            self._command("close")
            _, late = await asyncio.wait({self._keeper}, timeout=CLOSE_S)
            if late:
                self._kill()
                await asyncio.wait({self._keeper}, timeout=CLOSE_S)
                self._keeper.cancel()
        return self._finish("closed")

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events, up to and with `Ended`."""
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)  # whoever asks again sees the end again

    # The keeper: one process after the other.

    async def _keep(self) -> None:
        """Listen to the process, and start another one when it dies, until the source ends."""
        restarts = 0
        while True:
            began_s = asyncio.get_running_loop().time()
            trouble = await self._listen()
            if trouble is None:
                return
            if asyncio.get_running_loop().time() - began_s > STEADY_S:
                restarts = 0
            while trouble is not None:
                if not await self._wait_to_restart(trouble, restarts):
                    if self._closing.is_set():
                        self._finish("closed")
                    else:
                        self._finish("exhausted", trouble.failure.what)
                    return
                restarts += 1
                trouble = await self._restart()

    async def _wait_to_restart(self, trouble: _SourceError, restarts: int) -> bool:
        """Tell the trouble and wait as long as the back-off says; False when there is to be no restart."""
        self._report(trouble.state, trouble.failure)
        if trouble.restart and not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), BACK_OFF_S[min(restarts, len(BACK_OFF_S) - 1)])
        return trouble.restart and not self._closing.is_set()

    async def _restart(self) -> _SourceError | None:
        """Start the next process; what is in its way, or None."""
        self._earlier = self._in_all(self._latest)
        self._latest = Progress(0)
        try:
            await self._start()
        except _SourceError as trouble:
            return trouble
        if self._broken_at is None:  # else a device that opens proves nothing: only a tape that grows does
            self._report("open")
        return None

    async def _first_start(self) -> Opened:
        """Start a process, and another one if it is killed before it is open. Raises _SourceError."""
        starts = 1
        while True:
            try:
                return await self._start()
            except _SourceError as trouble:
                if not (trouble.died and trouble.restart) or starts == FIRST_STARTS:
                    raise
            starts += 1

    async def _start(self) -> Opened:
        """Start a process and let it write if it is to. Raises _SourceError when the source cannot be opened."""
        self._opened = False
        process = self._process = await self._spawn()
        try:
            # A file may have to be decoded up to where the tape ends, and a pipe waits for its writer.
            limit_s = OPEN_S if isinstance(self.spec, DeviceSource) else None
            message = await asyncio.wait_for(_receive(process), limit_s)
        except TimeoutError:
            message = Failed("The source did not open in time", "Plug it in again or choose another device", "device")
        except BaseException:
            self._kill()
            raise
        if isinstance(message, Opened):
            self._opened = True
            if self._writes and not self._paused:
                self._command("go")
            return message
        self._kill()
        await process.wait()
        raise self._trouble(message if isinstance(message, Failed) else None)

    async def _listen(self) -> _SourceError | None:
        """Take in what the process says, until it ends; None when the source has ended with it."""
        process = self._process
        assert process is not None
        failed: Failed | None = None
        watch = None if self._once else asyncio.create_task(self._watch(process))
        try:
            while (message := await _receive(process)) is not None:
                if isinstance(message, Ended):
                    self._tape.report(message.samples)
                    self._finish(message.why, message.warning)
                elif isinstance(message, Failed):
                    failed = message
                elif not isinstance(message, Opened):
                    self._take(message)
        finally:
            if watch is not None:
                watch.cancel()
        await self._reap(process)
        if self._ended is not None:
            return None
        with suppress(TapeError):
            self._tape.report(count_samples(self._folder, self._track))
        return self._trouble(failed)

    def _take(self, message: Progress | Hole | Paused | Oddity) -> None:
        if isinstance(message, Progress):
            self._latest = message
            self._tape.report(message.samples)
            message = self._in_all(message)
        elif isinstance(message, Paused):
            self._tape.report(message.samples)
        elif isinstance(message, Oddity):
            self._events.put_nowait(SourceChanged("open", _oddity(message)))
            return
        self._events.put_nowait(message)

    def _in_all(self, progress: Progress) -> Progress:
        """The same with the counts of the processes before this one."""
        earlier = self._earlier
        return msgspec.structs.replace(
            progress,
            lost=earlier.lost + progress.lost,
            missing=earlier.missing + progress.missing,
            overflows=earlier.overflows + progress.overflows,
        )

    async def _watch(self, process: Process) -> None:
        """Tell when no sample comes, and end a process that stays so.

        Counts its own looks instead of seconds: when the app itself was held up, nothing is wrong with the sound.
        """
        looks = samples = 0
        while True:
            await asyncio.sleep(WATCH_S)
            if self._paused or not self._writes or self._latest.samples != samples:
                looks, samples = 0, self._latest.samples
                if self._broken_at is None or samples > self._broken_at:
                    self._broken_at = None
                    self._report("open")
                continue
            looks += 1
            if looks * WATCH_S >= GIVE_UP_S:
                process.kill()
                return
            if looks * WATCH_S >= STALL_S and self._broken_at is None:  # else it is known why nothing comes
                remedy = "Wait a moment, plug it in again or choose another device"
                self._report("stalled", Failure("No sound arrives any more", remedy, action="choose_device"))

    def _trouble(self, failed: Failed | None) -> _SourceError:
        """What is wrong after the process has said `failed`, or has ended without a word."""
        if failed is None:
            return self._ended_without_a_word()
        failure = Failure(failed.what, failed.remedy, action="choose_device" if failed.kind == "device" else None)
        restart = failed.kind in {"device", "disk"} and not self._once
        if failed.kind == "disk":
            self._broken_at = self._tape.samples
            return _SourceError("disk full", failure, restart=restart)
        return _SourceError("lost", failure, restart=restart)

    def _ended_without_a_word(self) -> _SourceError:
        """It crashed or was killed; by this source itself, when it stood still."""
        stalled = self._reported.state in {"stalled", "disk full"} and self._reported.failure is not None
        if isinstance(self.spec, FileSource) and self._writes and not self._paused:
            weight = 2 if self._opened and not stalled else 1
            if self._stuck.at(self._tape.samples, weight) and self._broken_at is None:
                where = f"{self.spec.name} cannot be read beyond {clock(self._tape.samples)}"
                failure = Failure(where, "Convert the file to another format, or choose another one")
                return _SourceError("lost", failure, restart=False)
        if stalled and self._reported.failure is not None:
            return _SourceError(self._reported.state, self._reported.failure)
        again = "Start again from the beginning" if self._once else "It is started again by itself"
        failure = Failure("The capture process ended unexpectedly", again)
        return _SourceError("lost", failure, restart=not self._once, died=True)

    def _report(self, state: SourceState, failure: Failure | None = None) -> None:
        changed = SourceChanged(state, failure)
        if changed != self._reported and self._ended is None:
            self._reported = changed
            self._events.put_nowait(changed)

    def _finish(self, why: Literal["exhausted", "closed"], warning: str = "") -> Ended:
        """The source has ended: tell it once."""
        if self._ended is None:
            self._ended = Ended(self._tape.samples, why, warning)
            self._events.put_nowait(self._ended)
            self._events.put_nowait(None)
        return self._ended

    # The process.

    async def _spawn(self) -> Process:
        with children.appending_to(self._log) as stderr:
            return await asyncio.create_subprocess_exec(
                *children.command(
                    "mictape.audio.capture.process",
                    *("--folder", str(self._folder), "--track", str(self._track), "--after", self._after()),
                    *_options(self.spec),
                    *(f"--twin={target}" for target in self._twins),
                ),
                stdin=None if isinstance(self.spec, StdinSource) else PIPE,
                stdout=PIPE,
                stderr=stderr,
                env=children.environment(_variables(self.spec)),
                pass_fds=_descriptors(self.spec),
                start_new_session=True,
                creationflags=children.CREATION_FLAGS,
            )

    def _after(self) -> Literal["start", "pause", "hole"]:
        """What lies between the last sample on the tape and the next process's first."""
        if not self._writes or self._keeper is None:
            return "start"
        return "pause" if self._paused else "hole"

    def _command(self, word: str) -> None:
        pipe = self._process.stdin if self._process else None
        if pipe is not None and not pipe.is_closing():
            pipe.write(f"{word}\n".encode())

    def _terminate(self) -> None:
        with suppress(ProcessLookupError):
            if self._process is not None:
                self._process.terminate()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            if self._process is not None:
                self._process.kill()

    async def _reap(self, process: Process) -> None:
        """Wait for a process that has nothing more to say."""
        try:
            await asyncio.wait_for(process.wait(), CLOSE_S)
        except TimeoutError:
            self._kill()
            await process.wait()


async def _receive(process: Process) -> Message | None:
    """The next message; None when there will be none. A process that cannot be understood is ended."""
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        return _DECODER.decode(line) if line.endswith(b"\n") else None
    except ValueError:  # no message (msgspec), or no line (asyncio: longer than 64 KiB)
        logging.getLogger(__name__).exception("the capture process cannot be understood")
        process.kill()
        return None


def _oddity(message: Oddity) -> Failure:
    """What is odd about a source that is open."""
    match message:
        case TrueRate(claimed, measured):
            what = f"The device claims {claimed} samples a second and delivers {measured}, which is corrected"
            return Failure(what, "A headset's own microphone lowers its quality; another microphone keeps it")
        case ChannelsCancel(channel):
            what = f"The channels cancel each other out, so channel {channel} alone is recorded"
            return Failure(what, "Check the wiring: one channel has its polarity reversed")
        case ChannelsDiffer():
            what = "The two channels take turns, as if each had a speaker of its own"
            return Failure(what, "Transcribe them apart: --tracks channels")
        case ClocksJumped(why, by_s):
            length = timedelta(seconds=round(abs(by_s)))
            if why == "suspend":
                return Failure(f"The machine slept for {length}; nothing was recorded meanwhile")
            way = "forward" if by_s > 0 else "back"
            what = f"The computer's clock was set {way} by {length}; the times of day jump here"
            return Failure(what, "The recording continues; its own time is not affected")


def _options(spec: SourceSpec) -> tuple[str, ...]:
    match spec:
        case DeviceSource(device, backend, channel):
            chosen = () if channel is None else ("--channel", str(channel))
            way = ("--backend", backend, *chosen)
            return ("--source", "device", "--device", msgspec.json.encode(device).decode(), *way)
        case FileSource(path, pace, channel):
            chosen = () if channel is None else ("--channel", str(channel))
            return ("--source", "file", f"--path={path}", "--pace", pace, *chosen)
        case StdinSource():
            return ("--source", "stdin")


def _descriptors(spec: SourceSpec) -> tuple[int, ...]:
    """The open file that a path such as /dev/fd/63 stands for: a shell's <(…) is one."""
    match = _DESCRIPTOR.fullmatch(str(spec.path)) if isinstance(spec, FileSource) else None
    return (int(match[1]),) if match else ()


def is_pipe(path: Path) -> bool:
    """Whether it is there and neither a file nor a folder: what is read from it is gone."""
    try:
        mode = path.stat().st_mode
    except OSError:  # the capture process will say why
        return False
    return not (S_ISREG(mode) or S_ISDIR(mode))


def _variables(spec: SourceSpec) -> dict[str, str]:
    """What leads the capture process to the chosen source."""
    variables = {"JACK_NO_START_SERVER": "1"}
    if isinstance(spec, DeviceSource) and spec.device.host_api in {"PulseAudio", "PipeWire"}:
        variables |= {"PULSE_SOURCE": spec.device.target, "PULSE_PROP": "application.name=Mictape"}
    return variables
