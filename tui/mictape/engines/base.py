"""The protocol every recogniser is behind: a connection that is sent samples and reports what it recognized.

An adapter knows its wire and nothing else: no tape, no retry, no clock. Pace, retry, seams and clocks are the
follower's, driven by `Capabilities`. All times are samples at 16 kHz since the first one sent on the
connection.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from mictape.failure import Failure
from mictape.plain_text import one_line


class Word(msgspec.Struct, array_like=True, frozen=True):
    """One word of a turn, as far as the engine reports it. The library stores it as a MessagePack array."""

    text: str
    start: int | None = None
    end: int | None = None
    confidence: float | None = None
    """0 to 1; None when the engine has none. Nothing invents it."""
    speaker: str | None = None
    estimated: bool = False
    """Whether `start` and `end` are a guess, good enough to find the place and not to cut sound there."""


@dataclass(frozen=True, slots=True)
class Partial:
    """What the turn sounds like so far. It replaces the partial before it in the same turn."""

    turn: int
    """Counted by the adapter in the order of speech, from 0 on each connection."""
    text: str
    words: tuple[Word, ...] | None = None
    stable: int = 0
    """Characters at the front of `text` that will not change, as far as the engine knows."""
    start: int | None = None


@dataclass(frozen=True, slots=True)
class FinalTurn:
    """A turn that is over. A second one for the same turn replaces its text; the line stays."""

    turn: int
    text: str
    words: tuple[Word, ...] | None = None
    start: int | None = None
    end: int | None = None
    speaker: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who spoke in turns already final, revised."""

    turns: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Received:
    """The engine has taken samples before `until`. Feeds the watchdog and the latency only."""

    until: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The engine will say nothing more about samples before `until`. Only this covers tape."""

    until: int


@dataclass(frozen=True, slots=True)
class Unrecognized:
    """There is speech in `[start, end)`, and nothing was recognised in it; comes before what answers for it.

    It becomes a gap, so that it is seen and another engine can try.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the engine wants the person to know."""

    text: str

    def __post_init__(self) -> None:
        """Services write what they like."""
        object.__setattr__(self, "text", one_line(self.text))


EngineEvent = Partial | FinalTurn | Speakers | Received | Answered | Unrecognized | Notice
"""Everything a connection can say."""


class Lost(Exception):  # noqa: N818 (named like the events: a past fact)
    """The connection ended before `finish()`: raised by its iterator, its `send` and its `connect`."""

    def __init__(self, cause: Failure, *, retry: bool = True, after: float = 0.0, reached: bool = True) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.retry = retry
        """False: trying again would fail the same way (bad key, no funds, bad request, no platform)."""
        self.after = after
        """Seconds the engine asks to wait before the next attempt."""
        self.reached = reached
        """Whether the attempt reached the service, which counts it then; with no network it did not."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do and what it wants, stated truthfully; the follower obeys it."""

    block_ms: tuple[int, int] = (20, 1000)
    """Shortest and longest block that `send` takes."""
    fastest_pace: float | None = None
    """Seconds of audio per second of clock it may be sent; None: as fast as `send` returns."""
    longest_s: float | None = None
    """The longest a connection may last."""
    connections_per_minute: int | None = None
    """How often one may be opened, those included that the service refuses; None: without a limit."""
    rate: int = 16_000
    keep_alive: Literal["none", "message", "silence"] = "none"
    endpointing: Literal["engine", "follower"] = "engine"
    partials: bool = True
    word_times: bool = False
    confidence: bool = False
    speakers: bool = False
    languages: tuple[str, ...] = ()
    """Language codes; empty when the engine does not say."""
    takes_language: bool = False
    """Whether the language of a `Request` reaches the engine; a model with one language needs none."""
    takes_key_terms: bool = False
    """Whether the key terms of a `Request` reach the engine; where they do not, that is reported."""
    billed: bool = False
    usd_per_hour: float | None = None
    """The vendor's list price of an hour in US dollars, with its source in the adapter; None: there is none known."""
    price_counts: Literal["connection", "sound"] = "connection"
    """What an hour of that is: how long a connection is open, or how much sound is sent."""
    price_as_of: str = ""
    """The month of that price list: `2026-08`."""
    offline: bool = False
    """True when no sound leaves the machine."""
    loads: bool = False
    """True when to connect may mean to load a model first: that is waiting, and not being offline."""
    retired: bool = False
    """True when the service has ended: it can only say so."""
    patience_s: float = 5.0
    """How long the engine may be busy with speech before it is taken for dead; the follower waits some seconds more."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an engine for one connection."""

    language: str | None = None
    key_terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """What can be changed while a connection lives; None leaves a thing as it is."""

    key_terms: tuple[str, ...] | None = None


class Connection(Protocol):
    """One conversation with an engine. Times: samples at 16 kHz since the first one sent on it."""

    async def send(self, pcm: bytes) -> None:
        """Send 16-bit little-endian mono PCM; returns when the next may come. Raises `Lost`."""
        ...

    async def endpoint(self) -> None:
        """End the utterance here."""
        ...

    async def update(self, changes: Changes) -> None:
        """Change what can be changed on a living connection."""
        ...

    async def keep_alive(self) -> None:
        """Say that more will come."""
        ...

    def __aiter__(self) -> AsyncIterator[EngineEvent]:
        """The events; ends only after `finish()`, any other end raises `Lost`."""
        ...

    async def finish(self) -> None:
        """No more samples come: flush. The iterator ends when all is said."""
        ...

    async def close(self) -> None:
        """Let go at once; what was not answered stays unanswered."""
        ...


class Engine(Protocol):
    """A recogniser: says whether it can work here and opens connections."""

    @property
    def name(self) -> str:
        """The name it is chosen by."""
        ...

    @property
    def title(self) -> str:
        """What the state line says of it: `local · moonshine tiny-en · English`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do and what it wants."""
        ...

    async def check(self, request: Request) -> Failure | None:
        """What is wrong whatever the service answers (key, platform, settings), or None; nothing is connected."""
        ...

    async def connect(self, request: Request) -> Connection:
        """Open a connection. Raises `Lost`."""
        ...

    async def close(self) -> None:
        """End the model's process, if there is one."""
        ...
