"""The local engine's process: `python -m tui.engines.moonshine`, Moonshine tiny-en behind a pair of pipes.

Orders come on stdin, reports leave on stdout (`tui.engines.wire`); stderr is the log. A process of its own
because of its 200 MB, because the library prints from C++ to whatever descriptors 1 and 2 are, because its voice
detector is one global state, and because a process can be killed. It ends when stdin closes.

How the library is driven, and why, was measured: updates are clocked by the time they take and not by the audio,
so on a busy machine partials get rarer and audio never waits behind them.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import BinaryIO, Final, NoReturn, Protocol, cast

from tui.engines import wire
from tui.engines.base import RATE
from tui.engines.turns import Line, Turns

FORCE_UPDATE: Final = 1
"""The library's flag: analyse all audio now."""

NEVER_S: Final = 1e9
"""The library's own updates, clocked by audio, are switched off."""

OPTIONS: Final[Mapping[str, str]] = {
    # The default hands all audio so far back as Python floats: an idle update takes 3.5 s after six minutes.
    "return_audio_data": "false",
    # An update analyses audio only when this many seconds are new.
    "transcription_interval": "0.1",
}

SHORTEST_UPDATE: Final = RATE // 2
"""Samples between two updates, at least."""

COST_FACTOR: Final = 1.5
"""An update may come when this many times the last one's duration has been heard: so updates cannot take more
than two thirds of the time, however slow the machine."""

SETTLE: Final = 2 * RATE
"""Samples of silence after which the voice detector has forgotten what it heard; they take 20 ms."""

QUEUED_ORDERS: Final = 1024
"""The app sends no more than two seconds ahead, so this is room enough for blocks of 2 ms."""

Say = Callable[[wire.Report], None]


class LibraryLine(Protocol):
    """What we read of the library's line; times in seconds since its stream began."""

    text: str
    start_time: float
    duration: float
    is_complete: bool


class LibraryTranscript(Protocol):
    """Every line since the stream began."""

    lines: Sequence[LibraryLine]


class LibraryStream(Protocol):
    """What we call of the library's stream. Everything raises `moonshine_voice.MoonshineError`."""

    def start(self) -> None:
        """Begin. Never twice on one stream: a ghost line would come out."""
        ...

    def stop(self) -> LibraryTranscript | None:
        """End, without analysing what has not been analysed."""
        ...

    def close(self) -> None:
        """Free it."""
        ...

    def add_audio(self, audio_data: list[float], sample_rate: int) -> None:
        """Take samples, full scale 1.0."""
        ...

    def update_transcription(self, flags: int) -> LibraryTranscript:
        """Analyse, in this thread."""
        ...


class Library(Protocol):
    """The loaded model."""

    def create_stream(self, update_interval: float) -> LibraryStream:
        """A new stream."""
        ...


def load(model: Path) -> Library:
    """Load the model in the folder `model` and decode once, so that the first words do not wait for it.

    Raises:
        ImportError, OSError: The library cannot be loaded on this machine.
        moonshine_voice.MoonshineError: It does not like the model; its reason is on stderr.
    """
    # Half the CPU for the same words in the same time. Read by the library when it loads the model.
    os.environ["MOONSHINE_ORT_SINGLE_THREAD"] = "1"
    from moonshine_voice.moonshine_api import ModelArch
    from moonshine_voice.transcriber import Transcriber

    begun = monotonic()
    transcriber = Transcriber(str(model), ModelArch.TINY, update_interval=NEVER_S, options=dict(OPTIONS))
    library = cast("Library", transcriber)
    settle(library)
    logging.info("model loaded in %.1f s", monotonic() - begun)
    return library


def settle(library: Library) -> None:
    """Let the voice detector forget what it heard: its state is one for all streams and is never reset.

    Silence does it, but for a hop or two (32 ms) in the times of lines: every connection begins with the words
    that it would have on a process of its own.
    """
    stream = open_stream(library)
    stream.add_audio([0.0] * SETTLE, RATE)
    flush(stream)


def open_stream(library: Library) -> LibraryStream:
    """A new stream, begun."""
    stream = library.create_stream(update_interval=NEVER_S)
    stream.start()
    return stream


def flush(stream: LibraryStream) -> LibraryTranscript:
    """End a stream without losing its last words, and return every line of it.

    Stopping alone drops what has not been analysed, and the end of a word needs something behind it.
    """
    stream.add_audio([0.0] * RATE, RATE)
    transcript = stream.update_transcription(FORCE_UPDATE)
    try:
        transcript = stream.stop() or transcript
    except Exception:  # the library's own stale flags make this fail at times; all was said already
        logging.exception("the stream did not stop cleanly")
    stream.close()
    return transcript


def to_floats(pcm: bytes) -> list[float]:
    """16-bit PCM as the library wants it: finite, full scale 1.0.

    It takes unscaled numbers and bytes too, and hears noise or nothing.
    """
    return [sample / 32768 for sample in memoryview(pcm).cast("h")]


class Recogniser:
    """One connection: its samples go into the library, what is new about its lines goes out."""

    def __init__(self, library: Library, number: int, say: Say) -> None:
        """Begin the connection `number`, with a stream of its own."""
        self.number = number
        self._library = library
        self._say = say
        settle(library)
        self._stream = open_stream(library)
        self._turns = Turns(number)
        self._base = 0
        self._received = 0
        self._unseen = 0
        self._cost_s = 0.0

    def take(self, pcm: bytes) -> None:
        """Hand samples over; nothing is analysed yet."""
        samples = to_floats(pcm)
        self._stream.add_audio(samples, RATE)
        self._received += len(samples)
        self._unseen += len(samples)

    def report(self) -> None:
        """Say how much was taken."""
        self._say(wire.Received(self.number, self._received))

    def update(self) -> None:
        """Analyse, when enough is new to be worth it."""
        if self._unseen < max(SHORTEST_UPDATE, COST_FACTOR * self._cost_s * RATE):
            return
        begun = monotonic()
        transcript = self._stream.update_transcription(FORCE_UPDATE)
        self._cost_s = monotonic() - begun
        self._unseen = 0
        for news in self._turns.hear(self._lines(transcript), self._received):
            self._say(news)

    def end_utterance(self) -> None:
        """End the line that is open here, and go on with a new stream of the library."""
        self.finish()
        self._stream = open_stream(self._library)
        self._turns.restart()
        self._base = self._received
        self._unseen = 0

    def finish(self) -> None:
        """Say all there is to say."""
        transcript = flush(self._stream)
        for news in self._turns.finish(self._lines(transcript), self._received):
            self._say(news)

    def drop(self) -> None:
        """Forget the stream."""
        self._stream.close()

    def _lines(self, transcript: LibraryTranscript) -> list[Line]:
        return [
            Line(
                line.text,
                self._base + round(line.start_time * RATE),
                self._base + round((line.start_time + line.duration) * RATE),
                line.is_complete,
            )
            for line in transcript.lines
        ]


def serve(library: Library, orders: Queue[wire.Order], say: Say) -> NoReturn:
    """Carry out orders for ever: everything that is queued, then one update if it is due."""
    current: Recogniser | None = None
    while True:
        for order in _queued(orders):
            current = _carry_out(order, current, library, say)
        if current is not None:
            current.report()
            current.update()


def _queued(orders: Queue[wire.Order]) -> Iterator[wire.Order]:
    """Wait for one order, then take all that are there without waiting."""
    yield orders.get()
    try:
        while True:
            yield orders.get_nowait()
    except Empty:
        return


def _carry_out(order: wire.Order, current: Recogniser | None, library: Library, say: Say) -> Recogniser | None:
    """Carry out one order and return the connection that is open after it."""
    if current is not None and current.number != order.stream:
        current.drop()
        current = None
    match order:
        case wire.Audio(stream, pcm):
            current = current or Recogniser(library, stream, say)
            current.take(pcm)
            return current
        case wire.Endpoint():
            if current is not None:
                current.end_utterance()
            return current
        case wire.Finish(stream):
            if current is not None:
                current.report()
                current.finish()
            say(wire.Done(stream))
            return None
        case wire.Drop(stream):
            if current is not None:
                current.drop()
            say(wire.Done(stream))
            return None


def read_orders(pipe: BinaryIO, orders: Queue[wire.Order]) -> None:
    """Read orders into the queue until the pipe closes; then nobody is there any more, and the process ends.

    It ends even when the library hangs: that is why this has a thread of its own.
    """
    try:
        while head := pipe.read(wire.LENGTH.size):
            orders.put(wire.decode_order(pipe.read(wire.LENGTH.unpack(head)[0])))
    except Exception:
        logging.exception("the orders cannot be understood")
        leave(1)
    leave(0)


def leave(code: int) -> NoReturn:
    """End at once: no native destructors, no waiting for a thread that reads."""
    logging.shutdown()
    os._exit(code)


def take_stdout() -> BinaryIO:
    """Keep stdout for reports only: whatever prints, native code included, prints to the log from now on."""
    reports = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return reports


def main(model: Path) -> NoReturn:
    """Load the model, say so, and serve until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(asctime)s engine: %(message)s", level=logging.INFO)
    reports = take_stdout()

    def say(report: wire.Report) -> None:
        reports.write(wire.frame(report))
        reports.flush()

    orders: Queue[wire.Order] = Queue(QUEUED_ORDERS)
    Thread(target=read_orders, args=(sys.stdin.buffer, orders), daemon=True).start()
    try:
        library = load(model)
        say(wire.Ready())
        serve(library, orders, say)
    except BrokenPipeError:
        leave(0)
    except (ImportError, OSError) as error:
        logging.exception("stopped")
        say(wire.Broken(f"The local recogniser does not run on this machine: {error}", retry=False))
    except Exception:  # the library's errors have no words; the reason is in the log
        logging.exception("stopped")
        say(wire.Broken("The local recogniser failed", retry=True))
    leave(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
