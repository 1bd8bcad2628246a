"""The local engine's process: `python -m mictape.engines.local.process`, Moonshine tiny-en behind a pair of pipes.

Orders come on stdin, reports leave on stdout (`mictape.engines.local.ipc`); stderr is the log. A process of its own
because of its 200 MB, because native code prints to whatever descriptors 1 and 2 are, and because it can be killed.
It serves any number of connections at a time, in turns, and ends when stdin closes.

Finals are said in the order of the sound, as soon as it is there; partials are clocked by the time they take and not
by the audio, so on a busy machine they get rarer and sound never waits behind them. What can wait is done in small
steps when nothing else is to be done.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import BinaryIO, Final, NoReturn

from mictape.engines.local import ipc as wire
from mictape.engines.local.ipc import SecondPass, WordTimes
from mictape.engines.local.recognizer.listener import Listener, Say
from mictape.engines.local.recognizer.model import Moonshine
from mictape.units import RATE
from mictape.vad.onnx import Network
from mictape.vad.silero import SpeechDetector

QUEUED_ORDERS: Final = 1024
"""The app sends no more than two seconds ahead, so this is room enough for blocks of 2 ms."""


class Recogniser:
    """The models, and the connections that they serve."""

    def __init__(self, model: Moonshine, voice: Network, say: Say, second_pass: SecondPass, times: WordTimes) -> None:
        """Serve with loaded models; everything is told to `say`."""
        self._model = model
        self._voice = voice
        self._say = say
        self._second_pass: SecondPass = second_pass
        self._times: WordTimes = times
        self._listeners: dict[int, Listener] = {}

    @property
    def has_later(self) -> bool:
        """Whether there is work for when there are no orders."""
        return any(listener.has_later for listener in self._listeners.values())

    def carry_out(self, order: wire.Order) -> None:
        """Carry out one order."""
        listener = self._listeners.get(order.stream)
        match order:
            case wire.Audio(stream, pcm):
                if listener is None:
                    listener = self._listeners[stream] = self._open(stream)
                listener.take(pcm)
            case wire.Endpoint():
                if listener is not None:
                    listener.end_utterance()
            case wire.Finish(stream):
                if listener is not None:
                    listener.finish()
                    listener.report()
                self._listeners.pop(stream, None)
                self._say(wire.Done(stream))
            case wire.Drop(stream):
                self._listeners.pop(stream, None)
                self._say(wire.Done(stream))

    def update(self) -> None:
        """After the orders: tell every connection how far it is, and what its open line sounds like."""
        speaking = sum(listener.speaking for listener in self._listeners.values())
        for listener in self._listeners.values():
            listener.report()
            listener.update(speaking)

    def do_later(self) -> None:
        """One step of the work that can wait, of each connection."""
        for listener in self._listeners.values():
            if listener.has_later:
                listener.do_later()

    def _open(self, stream: int) -> Listener:
        return Listener(
            stream, self._model, self._voice, self._say, second_pass=self._second_pass, word_times=self._times
        )


def load(folder: Path) -> tuple[Moonshine, Network]:
    """Load the models and decode once, so that the first words do not wait for it.

    Raises:
        ImportError, OSError: They do not run on this machine.
        Exception: What ONNX Runtime thinks of the files.
    """
    import numpy as np

    begun_s = monotonic()
    model, voice = Moonshine(folder), SpeechDetector.load()
    model.decode(np.zeros(RATE, np.float32))
    logging.info("model loaded in %.1f s", monotonic() - begun_s)
    return model, voice


def serve(recogniser: Recogniser, orders: Queue[wire.Order]) -> NoReturn:
    """Carry out orders for ever: everything that is queued, then partials, then one step of what can wait."""
    while True:
        came = False
        for order in _queued(orders, wait=not recogniser.has_later):
            recogniser.carry_out(order)
            came = True
        if came:
            recogniser.update()
        recogniser.do_later()


def _queued(orders: Queue[wire.Order], *, wait: bool) -> Iterator[wire.Order]:
    """All orders that are there; the first one is waited for if `wait`."""
    try:
        if wait:
            yield orders.get()
        while True:
            yield orders.get_nowait()
    except Empty:
        return


def read_orders(pipe: BinaryIO, orders: Queue[wire.Order]) -> None:
    """Read orders into the queue until the pipe closes; then nobody is there any more, and the process ends.

    It ends even when the model hangs: that is why this has a thread of its own.
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


def main(folder: Path, second_pass: SecondPass, times: WordTimes) -> NoReturn:
    """Load the models, say so, and serve until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(format="%(asctime)s engine: %(message)s", level=logging.INFO)
    reports = take_stdout()

    def say(report: wire.Report) -> None:
        reports.write(wire.frame(report))
        reports.flush()

    orders: Queue[wire.Order] = Queue(QUEUED_ORDERS)
    Thread(target=read_orders, args=(sys.stdin.buffer, orders), daemon=True).start()
    try:
        model, voice = load(folder)
        say(wire.Ready())
        serve(Recogniser(model, voice, say, second_pass, times), orders)
    except BrokenPipeError:
        leave(0)
    except (ImportError, OSError) as error:
        logging.exception("stopped")
        say(wire.Broken(f"The local recogniser does not run on this machine: {error}", retry=False))
    except Exception:  # the runtime's errors are for engineers; they are in the log
        logging.exception("stopped")
        say(wire.Broken("The local recogniser failed", retry=True))
    leave(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--second-pass", default="live")
    parser.add_argument("--word-times", default="estimated")
    asked = parser.parse_args()
    main(asked.folder, asked.second_pass, asked.word_times)
