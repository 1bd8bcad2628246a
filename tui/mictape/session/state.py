"""The state word: a pure function of the source, the engine and the person."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from mictape.failure import Advice

if TYPE_CHECKING:  # the state line needs neither sources nor engines
    from mictape.audio.source import SourceState
    from mictape.recognition.live import EngineState


class State(StrEnum):
    """What is true right now, the worst first; the worst that holds is shown."""

    DISK_FULL = "DISK FULL"
    CANNOT_WRITE = "CANNOT WRITE"
    """The sound cannot be kept: its folder has gone, or may not be written to."""
    CANNOT_READ = "CANNOT READ"
    """A file that is recorded from cannot be read."""
    NO_DEVICE = "NO DEVICE"
    """None is chosen yet, or there is none."""
    DEVICE_LOST = "DEVICE LOST"
    DEVICE_STALLED = "DEVICE STALLED"
    NO_SIGNAL = "NO SIGNAL"
    ENGINE_STOPPED = "ENGINE STOPPED"
    PAUSED = "PAUSED"
    LOADING = "LOADING"
    CONNECTING = "CONNECTING"
    OFFLINE = "OFFLINE"
    CATCHING_UP = "CATCHING UP"
    ENDED = "ENDED"
    """The file is read to its end and all of it is answered for."""
    LISTENING = "LISTENING"
    READING = "READING"
    """A finished session is open; nothing is recorded in it."""


class Situation(Struct, frozen=True):
    """All that the state word depends on."""

    source: "SourceState"
    engine: "EngineState"
    is_device: bool = True
    """Whether the source is a device; else a file."""
    paused: bool = False
    no_signal: bool = False
    """Exact zeros for as long as DESIGN §6 says, and not from a monitor."""
    behind_s: float = 0.0
    """Tape that is not answered for yet and that the engine could have answered, seconds."""


_ENGINE_TROUBLE: Final = (State.ENGINE_STOPPED, State.OFFLINE)

BEHIND_S: Final = 2.0
"""More tape than this waiting for the engine is CATCHING UP: less is the rhythm of any engine."""


def state_of(now: Situation) -> State:
    """The worst that holds: one word, and it is true."""
    return next(iter(_states_of(now)), State.LISTENING)


def engine_trouble_of(now: Situation) -> State | None:
    """What is wrong with the engine that the state word does not say; None when nothing is."""
    worst, *others = _states_of(now) or [State.LISTENING]
    return next((each for each in others if each in _ENGINE_TROUBLE), None) if worst not in _ENGINE_TROUBLE else None


def _states_of(now: Situation) -> list[State]:
    """Everything that holds, the worst first."""
    true = {
        State.DISK_FULL: now.source == "disk full",
        State.CANNOT_WRITE: now.source == "unwritable",
        State.CANNOT_READ: now.source == "lost" and not now.is_device,
        State.DEVICE_LOST: now.source == "lost",
        State.DEVICE_STALLED: now.source == "stalled",
        State.NO_SIGNAL: now.no_signal and not now.paused,
        State.ENGINE_STOPPED: now.engine == "stopped",
        State.PAUSED: now.paused,
        State.LOADING: now.engine == "loading" or now.source == "opening",
        State.CONNECTING: now.engine == "connecting",
        State.OFFLINE: now.engine == "offline",
        State.CATCHING_UP: now.behind_s > BEHIND_S,
        State.ENDED: now.source == "ended",
    }
    return [state for state in State if true.get(state)]


class Status(Struct, frozen=True):
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
    latency_s: float | None = None
    """Measured: seconds from a word's end on the tape to its first appearance; None where words have no times."""
    cost_usd: float | None = None
    """What a billed engine has cost so far by its public price, US dollars; None where there is no price."""
    lost_ms: int = 0
    """Milliseconds of tape that are holes."""
    hint: Advice | None = None
    """What to do next: about the state, or about sound that is too loud, too quiet or no speech."""
    recording: bool = False
    """Whether sound is being written to the tape right now."""
    track: str = ""
    """What the track is called that the state is true of; empty where it need not be said."""
    title: str = ""
    """The session's, if the person gave it one."""
    also: State | None = None
    """What is wrong with the engine beside that."""
    kept: bool = True
    """Whether the recording is there when Mictape has ended."""


def worst_of(tracks: Sequence[Status]) -> Status:
    """What the state line shows of several tracks, the first one first; at least one.

    The worst state and its hint, named where it is not that of all; a track that has ended does not count while
    another one goes on. The clock is the first track's; delays are the longest, lost sound and cost are sums.
    """
    if len(tracks) == 1:
        return replace(tracks[0], track="")
    going_on = [each for each in tracks if each.state is not State.ENDED] or tracks
    worst = min(going_on, key=lambda each: list(State).index(each.state))
    shared = all(each.state is worst.state for each in going_on)
    return Status(
        state=worst.state,
        device=" + ".join(each.device for each in going_on),
        engine=worst.engine,
        position=tracks[0].position,
        behind_s=max((each.behind_s for each in tracks if each.behind_s is not None), default=None),
        latency_s=max((each.latency_s for each in tracks if each.latency_s is not None), default=None),
        cost_usd=sum(costs) if (costs := [each.cost_usd for each in tracks if each.cost_usd is not None]) else None,
        lost_ms=sum(each.lost_ms for each in tracks),
        hint=worst.hint,
        recording=any(each.recording for each in tracks),
        track="" if shared else worst.track,
        also=worst.also,
    )
