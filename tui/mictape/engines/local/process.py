"""The local engine's process: `python -m mictape.engines.local.process`, a model behind a pair of pipes.

Orders come on stdin, reports leave on stdout (`mictape.engines.local.ipc`); stderr is the log. A process of its own
because of its memory, because native code prints to whatever descriptors 1 and 2 are, and because it can be killed.
It serves any number of connections at a time, in turns, and ends when stdin closes.

Finals are reported in the order of the sound, as soon as it is there; partials are clocked by the time they take and
not by the audio, so on a busy machine they get rarer and sound never waits behind them. What can wait is done in small
steps while nothing else is to be done.
"""

import argparse
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from queue import Empty, Queue
from threading import Thread
from typing import BinaryIO, Final, NoReturn

import numpy as np

from mictape.engines.local import ipc
from mictape.engines.local.ipc import SecondPass, WordTimes
from mictape.engines.local.recognizer.measuring import measuring
from mictape.engines.local.recognizer.model import SegmentModel
from mictape.engines.local.recognizer.segment_driver import Options, Report, SegmentDriver
from mictape.engines.local.recognizer.stream_driver import StreamDriver
from mictape.engines.local.recognizer.streaming import StreamModel
from mictape.engines.local.runtimes.loading import InBackground, load
from mictape.engines.local.spec import ModelSpec, from_text
from mictape.failure import MictapeError
from mictape.vad.onnx import Network
from mictape.vad.silero import SpeechDetector

QUEUED_ORDERS: Final = 1024
"""The app sends no more than two seconds ahead, so this is room enough for blocks of 2 ms."""

_OVER: Final = object()


class Recognizer:
    """The models, and the connections that they serve."""

    def __init__(
        self,
        model: SegmentModel,
        voice: Network,
        report: Report,
        options: Options,
    ) -> None:
        """Serve with loaded models; see `SegmentDriver` and `StreamDriver`."""
        self._report = report
        self._model = model
        self._voice = voice
        self._options = options
        self._drivers: dict[int, SegmentDriver] = {}
        self._measuring: deque[Generator[None, None, None]] = deque()
        self._free: list[StreamModel] = [model] if isinstance(model, StreamModel) else []
        """Copies of a streaming model, which serves one connection at a time."""

    @property
    def has_deferred(self) -> bool:
        """Whether there is work for when there are no orders."""
        return bool(self._measuring) or any(driver.has_deferred for driver in self._drivers.values())

    def carry_out(self, order: ipc.Order) -> None:
        """Carry out one order."""
        match order:
            case ipc.Audio(stream, pcm):
                self._driver(stream).feed(pcm)
            case ipc.KeyTerms(stream, terms):
                self._driver(stream).key_terms = terms
            case ipc.Endpoint(stream):
                self._driver(stream).end_utterance()
            case ipc.Finish(stream):
                if stream in self._drivers:
                    self._drivers[stream].finish()
                    self._drivers[stream].report_progress()
                self._forget(stream)
            case ipc.Drop(stream):
                self._forget(stream)
            case ipc.Measure(stream, pcm, words):
                self._measuring.append(self._measure(stream, pcm, words))

    def update(self) -> None:
        """After the orders: report how far every connection is, and the text of its open line so far."""
        open_lines = sum(driver.line_is_open for driver in self._drivers.values())
        for driver in self._drivers.values():
            driver.report_progress()
            driver.update_partial(open_lines)

    def step_deferred(self) -> None:
        """One step of the work that can wait, of each connection."""
        for driver in self._drivers.values():
            if driver.has_deferred:
                driver.step_deferred()
        if self._measuring and next(self._measuring[0], _OVER) is _OVER:
            self._measuring.popleft()

    def _measure(self, stream: int, pcm: bytes, words: Sequence[str]) -> Generator[None, None, None]:
        samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
        spans = yield from measuring(self._model, self._voice, samples, words)
        self._report(ipc.Measured(stream, spans))

    def _driver(self, stream: int) -> SegmentDriver:
        if stream not in self._drivers:
            if isinstance(self._model, StreamModel):
                model = self._free.pop() if self._free else self._model.another()
                self._drivers[stream] = StreamDriver(stream, model, self._voice, self._report, self._options)
            else:
                self._drivers[stream] = SegmentDriver(stream, self._model, self._voice, self._report, self._options)
        return self._drivers[stream]

    def _forget(self, stream: int) -> None:
        if (driver := self._drivers.pop(stream, None)) is not None:
            driver.close()
            if isinstance(driver, StreamDriver):
                self._free.append(driver.model)
        self._report(ipc.Done(stream))


def serve(recognizer: Recognizer, orders: Queue[ipc.Order]) -> NoReturn:
    """Carry out orders for ever: everything that is queued, then partials, then one step of what can wait."""
    while True:
        came = False
        for order in _queued(orders, wait=not recognizer.has_deferred):
            recognizer.carry_out(order)
            came = True
        if came:
            recognizer.update()
        recognizer.step_deferred()


def _queued(orders: Queue[ipc.Order], *, wait: bool) -> Iterator[ipc.Order]:
    """All orders that are there; the first one is waited for if `wait`."""
    try:
        if wait:
            yield orders.get()
        while True:
            yield orders.get_nowait()
    except Empty:
        return


def read_orders(pipe: BinaryIO, orders: Queue[ipc.Order]) -> None:
    """Read orders into the queue until the pipe closes, which ends the process.

    It ends even when the model hangs: that is why this has a thread of its own.
    """
    try:
        while head := pipe.read(ipc.LENGTH.size):
            orders.put(ipc.decode_order(pipe.read(ipc.LENGTH.unpack(head)[0])))
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


def main(model: ModelSpec, second: ModelSpec | None, second_pass: SecondPass, word_times: WordTimes) -> NoReturn:
    """Load the models, report that they are ready, and serve until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(asctime)s engine: %(message)s", level=logging.INFO)
    reports = take_stdout()

    def report(message: ipc.Report) -> None:
        reports.write(ipc.frame(message))
        if not isinstance(message, ipc.AnsweredReport):  # it leaves with what follows: each write wakes the app
            reports.flush()

    orders: Queue[ipc.Order] = Queue(QUEUED_ORDERS)
    Thread(target=read_orders, args=(sys.stdin.buffer, orders), daemon=True).start()
    try:
        voice = SpeechDetector.load()
        recognizer = Recognizer(
            load(model),
            voice,
            report,
            Options(second_pass, word_times, InBackground(load(second)) if second is not None else None),
        )
        report(ipc.Ready())
        serve(recognizer, orders)
    except BrokenPipeError:
        leave(0)
    except MictapeError as error:
        logging.exception("stopped")
        report(ipc.Broken(error.failure.what, retry=False, remedy=error.failure.remedy))
    except (ImportError, OSError) as error:
        logging.exception("stopped")
        report(ipc.Broken(f"The local recogniser does not run on this machine: {error}", retry=False))
    except Exception:  # the runtime's errors are for engineers; they are in the log
        logging.exception("stopped")
        report(ipc.Broken("The local recogniser failed", retry=True))
    leave(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=from_text, required=True)
    parser.add_argument("--second-model", type=from_text)
    parser.add_argument("--second-pass", default="live")
    parser.add_argument("--word-times", default="estimated")
    asked = parser.parse_args()
    main(asked.model, asked.second_model, asked.second_pass, asked.word_times)
