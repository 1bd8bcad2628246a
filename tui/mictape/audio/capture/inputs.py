"""What every input does alike: a device (`device_input`), a file or standard input (`file_input`).

Each opens itself, then puts `Block`s into an inbox from a thread of its own, and `Exhausted` when there is no more.
In the capture process only, which loads the one that it opens. Opening raises `InputError`.
"""

from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Protocol

import numpy as np

from mictape.audio.capture.recorder import Block
from mictape.audio.messages import Failed, TrueRate


class Exhausted(str):
    """The input has no more sound; a sentence when it was not whole, else empty."""

    __slots__ = ()


class InputError(Exception):
    """An input cannot be opened or has gone; carries the message for the app."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.what)
        self.failed = failed


Item = Block | TrueRate | Exhausted | InputError | str
"""What lies in the inbox: sound, what was found of its rate, its end, what ended it, or a command word."""


class Inbox:
    """A queue that one thread takes from; signal handlers may put into it, too.

    While sound is quiet, blocks are left without waking that thread, which then takes several as one: numpy's calls
    and the writes to the tape are what a block costs, not its samples.
    """

    def __init__(self) -> None:
        self.quiet = False
        """Whether quiet blocks may be left; the thread that takes decides."""
        self._items: deque[Item] = deque()
        self._calls: SimpleQueue[None] = SimpleQueue()
        """One for each item that was put; those whose items were taken with earlier ones are skipped."""
        self._taken: deque[Item] = deque()
        """What the thread that takes has of them."""

    def put(self, item: Item) -> None:
        """Put an item in and wake the thread that takes."""
        self._items.append(item)
        self._calls.put(None)

    def leave(self, item: Item) -> None:
        """Put an item in that can wait for the next one that is `put`."""
        self._items.append(item)

    def get(self, timeout: float | None = None) -> Item:
        """Take the oldest item; waits until one is put. Raises queue.Empty after `timeout` seconds."""
        while not self._taken:
            self._calls.get(timeout=timeout)
            while self._items:
                self._taken.append(self._items.popleft())
        return self._taken.popleft()

    def with_following(self, block: Block, rate: int) -> Block:
        """The block that was just taken and those that came with it, up to where sound was lost, as one.

        Args:
            block: What `get` returned.
            rate: Frames a second.
        """
        blocks, frames, began = [block.samples], len(block.samples), block.monotonic
        while self._taken and isinstance(following := self._taken[0], Block) and not following.overflow:
            self._taken.popleft()
            # A block can only be late, never early: the earliest shows when the first frame was captured.
            began = min(began, following.monotonic - frames / rate)
            blocks.append(following.samples)
            frames += len(following.samples)
        return block if len(blocks) == 1 else Block(np.concatenate(blocks), began, block.overflow)


class Input(Protocol):
    """An open source of sound."""

    name: str
    rate: int
    channels: int
    live: bool
    """True: sound that is not taken now is lost."""
    twins: Sequence[str]
    """Other devices of the same name, by their targets."""

    def start(self, inbox: Inbox) -> None:
        """Begin to deliver."""
        ...

    def taken(self) -> None:
        """A block was taken out of the inbox."""
        ...

    def hold(self, held: bool) -> None:
        """Read on or not; a live input goes on in any case."""
        ...
