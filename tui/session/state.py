"""The state word: a pure function of the source, the engine and the person."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class State(StrEnum):
    """What is true right now, the worst first; the worst that holds is shown."""

    DISK_FULL = "DISK FULL"
    DEVICE_LOST = "DEVICE LOST"
    DEVICE_STALLED = "DEVICE STALLED"
    NO_SIGNAL = "NO SIGNAL"
    ENGINE_STOPPED = "ENGINE STOPPED"
    PAUSED = "PAUSED"
    LOADING = "LOADING"
    CONNECTING = "CONNECTING"
    OFFLINE = "OFFLINE"
    CATCHING_UP = "CATCHING UP"
    LISTENING = "LISTENING"


SourceState = Literal["opening", "open", "stalled", "lost", "disk full", "ended"]
"""How it stands with the sound."""

EngineState = Literal["loading", "connecting", "offline", "answering", "stopped"]
"""How it stands with the recogniser; silent while nobody speaks is answering."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the state word depends on."""

    source: SourceState
    engine: EngineState
    paused: bool = False
    no_signal: bool = False
    """Exact zeros for as long as DESIGN §6 says, and not from a monitor."""
    behind_s: float = 0.0
    """Tape that is not answered for yet and that the engine could have answered, seconds."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the state line shows, as values."""

    state: State
    device: str
    """The human name of the source."""
    engine: str
    """The engine's title: `local · moonshine tiny-en · English`."""
    position: int
    """Session time, samples at 16 kHz."""
    behind_s: float | None = None
    """Seconds of tape not answered for yet; None while nothing can be said."""
    lost_ms: int = 0
    """Milliseconds of tape that are holes."""
    hint: str = ""
    """What to do next, when the state is not LISTENING; one sentence."""
