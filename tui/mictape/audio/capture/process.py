"""The capture process: a device, a file or standard input onto the tape, levels and status to the app.

Started by `source.py` as `python -m mictape.audio.capture.process`; `messages.py` is what it says and obeys. It writes
nothing before the command `go` and ends when its command pipe closes, since the app has ended then.
With `--source stdin` it inherits the real standard input, takes no commands and goes at once; it ends when
its status is not read.

A process of its own: a Python callback loses sound whenever its interpreter is held up, native libraries
scribble on file descriptors 1 and 2, and a driver that hangs can be killed.
"""

import argparse
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from queue import Empty
from typing import Final, get_args

import msgspec

from mictape.audio.capture.inputs import Exhausted, Inbox, Input, InputError, Item
from mictape.audio.capture.levels import QUIET_PEAK, merge
from mictape.audio.capture.recorder import Block, Recorder
from mictape.audio.devices import Device
from mictape.audio.messages import Backend, Ended, Failed, LevelCell, Message, Opened, Paused, Progress, TrueRate
from mictape.audio.tape import DiskFullError, TapeError, TapeWriter, count_samples

STATUS_S: Final = 0.03
"""Status leaves at most this often, since every message wakes the app; a device's blocks come less often."""
QUIET_AFTER_S: Final = 4.0
"""A source is quiet when its sound has been so for this long: by then the meter's bar has fallen to its end."""
HEARTBEAT_S: Final = 1.0
"""Status leaves at least this often: only by writing is a reader that has gone noticed."""
SYNC_S: Final = 5.0
"""Sound may be lost for this long when the power fails."""
FIRST_BLOCK_S: Final = 3.0
"""A device that is open and gives nothing for this long does not work."""
_MOST_CELLS: Final = 50
_LAST_WORD_S: Final = 1.0

_GO: Final = "go"
_PAUSE: Final = "pause"
_RESUME: Final = "resume"
_CLOSE: Final = "close"


class Status:
    """Says messages on a pipe from a thread of its own; what could not be said yet is merged.

    When they are not read any more it closes the tape; before the source is open, when its driver or a pipe without a
    writer may hold the process up, it ends it.
    """

    def __init__(self, fd: int, inbox: Inbox) -> None:
        self._fd = fd
        self._inbox = inbox
        self._news = threading.Condition()
        self._messages: list[Message] = []
        self._progress = Progress(0)
        self._cells: list[LevelCell] = []
        self._changed = False
        self._opened = False
        self._last = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._thread.start()

    def say(self, message: Message) -> None:
        """Say this, as soon as the pipe takes it, and before any progress that is newer."""
        with self._news:
            self._messages.append(message)
            self._opened = self._opened or isinstance(message, Opened)
            self._news.notify()

    def progress(self, progress: Progress) -> None:
        """Say where the tape is; its cells are added to the ones that wait."""
        with self._news:
            self._cells.extend(progress.cells)
            if len(self._cells) > _MOST_CELLS:
                self._cells = [merge(self._cells)]
            self._progress = progress
            self._changed = True
            self._news.notify()

    def finish(self, message: Message) -> None:
        """Say the last word; waits for it as long as a reader may take, but not for one that sleeps."""
        with self._news:
            self._messages.append(message)
            self._last.set()
            self._news.notify()
        self._thread.join(_LAST_WORD_S)

    def leave(self) -> None:
        """The app has ended: close, or end at once when there is nothing to close."""
        if not self._opened:
            os._exit(0)
        self._inbox.put(_CLOSE)

    def _run(self) -> None:
        encoder = msgspec.json.Encoder()
        said_at = float("-inf")
        while True:
            with self._news:
                if not self._messages and not self._changed and not self._last.is_set():
                    self._news.wait(HEARTBEAT_S)
            if (early_s := said_at + STATUS_S - time.monotonic()) > 0:
                self._last.wait(early_s)
            said_at = time.monotonic()
            with self._news:
                finished = self._last.is_set()  # known only now: the last word may have come meanwhile
                messages, self._messages = self._messages, []
                opened = self._opened
                last = [messages.pop()] if finished and messages else []
                if opened:
                    messages.append(msgspec.structs.replace(self._progress, cells=tuple(self._cells)))
                    self._cells.clear()
                self._changed = False
            try:
                _write_all(self._fd, b"".join(encoder.encode(message) + b"\n" for message in (*messages, *last)))
                if not opened and not _is_read(self._fd):
                    raise BrokenPipeError
            except OSError:  # the app has ended
                self.leave()
                return
            if last:
                return


class Capture:
    """Takes what comes into the inbox, in its order, until the source is exhausted or `close` comes."""

    def __init__(self, source: Input, recorder: Recorder, writer: TapeWriter, status: Status) -> None:
        self._source = source
        self._recorder = recorder
        self._writer = writer
        self._status = status
        self._quiet_s = 0.0
        """For how long the sound has been quiet."""
        self._held: deque[Block | Exhausted] = deque()
        """What a source that is not live gave during a pause: it is not lost, only later."""

    def run(self, inbox: Inbox) -> Ended:
        """Record until the end. Raises TapeError and InputError."""
        first = self._open(inbox)
        while True:
            running = self._recorder.running
            if first is not None:  # in its place: a block that came later than it did would shift the device's time
                item, first = first, None
            else:
                item = self._held.popleft() if running and self._held else self._next(inbox)
            if isinstance(item, Block | Exhausted) and not running and not self._source.live:
                self._held.append(item)
            elif isinstance(item, Block):
                self._take(item, inbox)
            elif isinstance(item, Exhausted):
                return self._end(Ended(0, "exhausted", str(item)))
            elif isinstance(item, TrueRate):
                self._status.say(item)
            elif isinstance(item, InputError):
                raise item
            elif item == _CLOSE:
                return self._end(Ended(0, "closed"))
            else:
                self._obey(item)

    def _open(self, inbox: Inbox) -> Item | None:
        """Start the source; it is open when it delivers. What a live one delivers first."""
        first: Item | None = None
        self._source.start(inbox)
        if self._source.live:
            try:
                first = inbox.get(timeout=FIRST_BLOCK_S)
            except Empty:
                what = f"{self._source.name} is open but delivers no sound"
                raise InputError(Failed(what, "Plug it in again or choose another device", "device")) from None
            if isinstance(first, InputError):
                raise first
        source = self._source
        self._status.say(Opened(source.rate, source.channels, source.name, tuple(source.twins)))
        return first

    def _next(self, inbox: Inbox) -> Item:
        """What came next: of a live source all the sound that lies there."""
        item = inbox.get()
        if isinstance(item, Block) and self._source.live:
            return inbox.with_following(item, self._source.rate)
        return item

    def _take(self, block: Block, inbox: Inbox) -> None:
        cells = self._recorder.take(block)
        self._source.taken()
        recorder = self._recorder
        loud = not self._source.live or any(cell.peak >= QUIET_PEAK for cell in cells)
        self._quiet_s = 0.0 if loud else self._quiet_s + len(block.samples) / self._source.rate
        inbox.quiet = self._quiet_s >= QUIET_AFTER_S
        self._status.progress(
            Progress(
                self._writer.samples,
                lost=recorder.lost,
                missing=recorder.missing,
                expected=recorder.expected,
                overflows=recorder.overflows,
                cells=tuple(cells),
            )
        )

    def _obey(self, word: str) -> None:
        if word in {_GO, _RESUME}:
            self._recorder.running = True
            self._source.hold(False)
        elif word == _PAUSE:
            self._source.hold(True)
            self._recorder.pause()
            self._status.say(Paused(self._writer.samples))

    def _end(self, ended: Ended) -> Ended:
        self._recorder.pause()
        self._writer.close()
        return msgspec.structs.replace(ended, samples=self._writer.samples)


def main(arguments: Sequence[str]) -> None:
    """Run the capture process. Does not return."""
    options = parse(arguments)
    inbox = Inbox()
    signal.signal(signal.SIGTERM, lambda _number, _frame: inbox.put(_CLOSE))
    status = Status(_take_stdout(), inbox)
    if options.source != "stdin":
        threading.Thread(target=_read_words, args=(inbox, status), name="commands", daemon=True).start()
    status.finish(record(options, inbox, status))
    # Not through the interpreter's end: PortAudio would close the device there, and a lost one may hang.
    os._exit(0)


def record(options: argparse.Namespace, inbox: Inbox, status: Status) -> Message:
    """Open what the options of the command line name, and record it to the end; the last word about it."""
    try:
        return _record(options, inbox, status)
    except InputError as error:
        return error.failed
    except TapeError as error:
        kind = "disk full" if isinstance(error, DiskFullError) else "disk"
        return Failed(error.failure.what, error.failure.remedy, kind)


def _record(options: argparse.Namespace, inbox: Inbox, status: Status) -> Ended:
    """Open source and tape, and record to the end. Raises InputError and TapeError."""
    folder = Path(options.folder)
    written = count_samples(folder, options.track)
    source = _open_source(options, written)
    writer = TapeWriter(folder, options.track)
    status.progress(Progress(writer.samples))
    recorder = Recorder(
        writer,
        rate=source.rate,
        channels=source.channels,
        after=options.after,
        live=source.live,
        timed=source.live or (options.channel is None and options.pace == "real"),
        say=status.say,
    )
    recorder.running = options.source == "stdin"
    ended = threading.Event()
    threading.Thread(target=_keep_synced, args=(writer, ended), name="sync", daemon=True).start()
    try:
        return Capture(source, recorder, writer, status).run(inbox)
    finally:
        writer.close()
        ended.set()


def _open_source(options: argparse.Namespace, written: int) -> Input:
    """Open the source; a file goes on behind what the tape has of it. Raises InputError."""
    if options.source == "device":
        from mictape.audio.capture.backends import open_device

        device = msgspec.json.decode(options.device, type=Device)
        return open_device(device, options.backend, options.channel, twins=options.twin)
    from mictape.audio.capture.file_input import open_file, open_stdin

    if options.source == "file":
        skip = 0 if options.after == "start" else written
        return open_file(Path(options.path), options.pace, Path(options.folder), skip=skip, channel=options.channel)
    return open_stdin(Path(options.folder))


def _keep_synced(writer: TapeWriter, ended: threading.Event) -> None:
    """Sync now and then, on a thread of its own: a slow disk may take seconds."""
    while not ended.wait(SYNC_S):
        try:
            writer.sync()
        except TapeError:  # the next append meets it too, and reports it
            return


def _read_words(inbox: Inbox, status: Status) -> None:
    for line in sys.stdin:
        inbox.put(line.strip())
    status.leave()


def _is_read(fd: int) -> bool:
    """Whether the other end of a pipe is open; it is only known where pipes can be polled."""
    if not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(fd, 0)
    return not poll.poll(0)


def _take_stdout() -> int:
    """Keep the status pipe to ourselves: what native libraries print goes to the log instead."""
    fd = os.dup(1)
    os.dup2(2, 1)
    return fd


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="mictape.audio.capture.process", description=__doc__)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--track", type=int, required=True)
    parser.add_argument("--source", choices=("device", "file", "stdin"), required=True)
    parser.add_argument("--device", help="the device as JSON")
    parser.add_argument("--backend", choices=get_args(Backend), default="sounddevice")
    parser.add_argument("--channel", type=int, help="the one to record, counted from 1; without it the mean of all")
    parser.add_argument("--twin", action="append", default=[], help="the target of another device of that name")
    parser.add_argument("--path")
    parser.add_argument("--pace", choices=("real", "fast"), default="real")
    parser.add_argument("--after", choices=("start", "pause", "hole"), default="start")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
