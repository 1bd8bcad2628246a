"""One track's source while it is recorded: starts capture processes, watches them and replaces them.

Needs neither numpy nor PortAudio. The length of the recording goes to the tape; everything else is an event. Whether
the tape has ended is not the source's decision: another source may go on with it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from mictape.audio.capture_process import CLOSE_S, CaptureProcess
from mictape.audio.messages import Ended, Failed, Hole, Oddity, Opened, Paused, Progress
from mictape.audio.oddities import explained
from mictape.audio.source_spec import DeviceSource, FileSource, SourceSpec, StdinSource, is_pipe
from mictape.audio.tape import Tape, TapeError, count_samples
from mictape.failure import Failure, MictapeError
from mictape.units import clock

OPEN_S: Final = 15.0
"""A device that is not open after this long will not be; a busy machine needs 2 s to start the process."""
FIRST_STARTS: Final = 4
"""A source is given up that ends so many capture processes in a row before it is open."""
STALL_S: Final = 1.0
"""Without a new sample for this long the source is stalled."""
GIVE_UP_S: Final = 3.0
"""A stalled process is replaced after this long: one that only waits for the machine may still have the sound."""
WATCH_S: Final = 0.5
BACK_OFF_S: Final = (0.0, 0.5, 1.0, 2.0)
"""Waiting times before the first, second, … restart in a row; the last one repeats."""
STEADY_S: Final = 10.0
"""A process that has lived this long starts a new row."""
MOST_FAILURES: Final = 4
"""A file is given up at which so many processes in a row stood still or never got so far as to be open, without a new
sample; one that dies while it reads counts twice."""

SourceState = Literal["opening", "open", "stalled", "lost", "disk full", "unwritable", "ended"]
"""The state of a source. That it has ended is an event of its own, too."""

UNKEPT: Final[Mapping[str, SourceState]] = {"disk": "unwritable", "disk full": "disk full"}
"""The states in which the sound is lost, by the kind of the failure to write the tape."""


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """The state of the source has changed."""

    state: SourceState
    failure: Failure | None = None
    """Why, and what to do; of an open one only what is odd about it."""


Event = Progress | Hole | Paused | SourceChanged | Ended
"""What a source reports. The counts of `Progress` are since the source was opened, over all restarts."""


class _SourceError(Exception):
    """The capture process cannot go on, or could not begin."""

    def __init__(self, state: SourceState, failure: Failure, *, restart: bool = True, died: bool = False) -> None:
        super().__init__(str(failure))
        self.state: SourceState = state
        self.failure = failure
        self.restart = restart
        self.died = died
        """Whether the process ended without a word."""


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
    """One track's source: opens it, keeps it open, and reports the tape's length to its readers.

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
        self._process: CaptureProcess | None = None
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
            if isinstance(self.spec, StdinSource) and self._process is not None:
                self._process.terminate()
            self._command("close")
            _, late = await asyncio.wait({self._keeper}, timeout=CLOSE_S)
            if late:
                if self._process is not None:
                    self._process.kill()
                await asyncio.wait({self._keeper}, timeout=CLOSE_S)
                self._keeper.cancel()
        return self._finish("closed")

    async def __aiter__(self) -> AsyncIterator[Event]:
        """The events, up to and with `Ended`."""
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)  # so that iterating again ends at once, too

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
        """Report the trouble and wait as long as the back-off says; False when there is to be no restart."""
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
        process = self._process = await CaptureProcess.start(
            self.spec, self._folder, self._track, after=self._after(), twins=self._twins, log=self._log
        )
        try:
            # A file may have to be decoded up to where the tape ends, and a pipe waits for its writer.
            limit_s = OPEN_S if isinstance(self.spec, DeviceSource) else None
            message = await asyncio.wait_for(process.receive(), limit_s)
        except TimeoutError:
            message = Failed("The source did not open in time", "Plug it in again or choose another device", "device")
        except BaseException:
            process.kill()
            raise
        if isinstance(message, Opened):
            self._opened = True
            if self._writes and not self._paused:
                self._command("go")
            return message
        process.kill()
        await process.reap()
        raise self._trouble(message if isinstance(message, Failed) else None)

    async def _listen(self) -> _SourceError | None:
        """Take in what the process says, until it ends; None when the source has ended with it."""
        process = self._process
        assert process is not None
        failed: Failed | None = None
        watch = None if self._once else asyncio.create_task(self._watch(process))
        try:
            while (message := await process.receive()) is not None:
                if isinstance(message, Ended):
                    self._tape.report(message.samples)
                    if message.why == "exhausted" or self._closing.is_set():  # else something else has ended it
                        self._finish(message.why, message.warning)
                elif isinstance(message, Failed):
                    failed = message
                elif not isinstance(message, Opened):
                    self._take(message)
        finally:
            if watch is not None:
                watch.cancel()
        await process.reap()
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
            self._events.put_nowait(SourceChanged("open", explained(message)))
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

    async def _watch(self, process: CaptureProcess) -> None:
        """Report when no sample comes, and end a process from which none comes for `GIVE_UP_S`.

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
        if failed.kind in UNKEPT:
            self._broken_at = self._tape.samples
        state: SourceState = UNKEPT.get(failed.kind, "lost")
        return _SourceError(state, failure, restart=failed.kind in {"device", *UNKEPT} and not self._once)

    def _ended_without_a_word(self) -> _SourceError:
        """It crashed or was killed; by this source itself, when it stood still."""
        stalled = self._reported.state in {"stalled", *UNKEPT.values()} and self._reported.failure is not None
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
        """Report once that the source has ended."""
        if self._ended is None:
            self._ended = Ended(self._tape.samples, why, warning)
            self._events.put_nowait(self._ended)
            self._events.put_nowait(None)
        return self._ended

    def _after(self) -> Literal["start", "pause", "hole"]:
        """What lies between the last sample on the tape and the next process's first."""
        if not self._writes or self._keeper is None:
            return "start"
        return "pause" if self._paused else "hole"

    def _command(self, word: Literal["go", "pause", "resume", "close"]) -> None:
        if self._process is not None:
            self._process.command(word)
