"""A track: a source, its tape and the engine that follows it, with what is known of each."""

import time
from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Final, Literal

from tui.audio.ballistics import Meter
from tui.audio.messages import GRID_MS, RATE, Progress
from tui.audio.signal import SignalWatch
from tui.audio.source import DeviceSource, FileSource, Source, SourceSpec, SourceState
from tui.audio.tape import Tape
from tui.engines.base import Word
from tui.failure import Failure
from tui.session.coverage import Coverage
from tui.session.follower import Follower
from tui.session.state import Situation, State, Status, state_of
from tui.transcript.kept import KeptTrack

MOMENTS: Final = 4_096
"""Some minutes of the tape's growth, at a message every 40 ms."""
MINUTE_S: Final = 60.0

HINTS: Final[Mapping[State, str]] = {
    State.DEVICE_LOST: "Looking for the device; press d to choose another.",
    State.DEVICE_STALLED: "Waiting for the device; press d to choose another.",
    State.NO_SIGNAL: "Only zeros arrive: unmute the microphone, or allow this terminal to use it in the system's "
    "privacy settings.",
    State.PAUSED: "Nothing is recorded; space resumes.",
    State.LOADING: "Sound is recorded already; the words come when the model is loaded.",
    State.CATCHING_UP: "The engine is behind; nothing is lost.",
    State.ENDED: "The file has ended; q leaves.",
}
"""What to do in a state that has no failure to tell of."""


class Track:
    """One source of a session, its tape, and how far it has come."""

    def __init__(self, number: int, spec: SourceSpec, source: Source, tape: Tape, coverage: Coverage) -> None:
        self.number = number
        self.spec = spec
        self.source = source
        self.tape = tape
        self.coverage = coverage
        self.follower: Follower | None = None
        self.meter = Meter()
        self.heard = 0
        """Sound that went into the meter, samples at 16 kHz; it goes on while the tape is paused."""
        self.source_state: SourceState = "opening"
        self.following = False
        """Whether `Session.follow` runs for it."""
        self._moments: deque[tuple[int, float]] = deque(maxlen=MOMENTS)
        """When the tape was so long: (session time, monotonic seconds)."""
        self._latencies: deque[tuple[float, float]] = deque(maxlen=MOMENTS)
        """When a word was seen, and how long after its end: monotonic seconds, seconds."""
        self._timed = 0
        self.capturing = False
        """Whether `Session.capture` runs for it."""
        self.failure: Failure | None = None
        """Why the source is not open."""
        self.lost = coverage.holes.total
        """Samples of the tape that are holes."""
        self._watch = SignalWatch(self._watched)

    @property
    def name(self) -> str:
        """The human name of the source."""
        match self.spec:
            case DeviceSource(device):
                return device.name
            case FileSource(path):
                return path.name
            case _:
                return "standard input"

    @property
    def _watched(self) -> Literal["microphone", "computer sound"]:
        # Only a live microphone's zeros mean that something is wrong with it.
        return self.spec.device.kind if isinstance(self.spec, DeviceSource) else "computer sound"

    def change_source(self, spec: SourceSpec, source: Source) -> None:
        """Go on with another source on the same tape."""
        self.spec = spec
        self.source = source
        self.source_state, self.failure = "opening", None
        self._watch = SignalWatch(self._watched)

    def feed(self, progress: Progress) -> None:
        """Take in how the tape has grown and how loud it was."""
        self._moments.append((self.tape.origin + progress.samples, time.monotonic()))
        for cell in progress.cells:
            self.heard += cell.steps * GRID_MS * RATE // 1000
            self.meter.feed(cell)
            self._watch.feed(cell)

    def time_words(self, words: tuple[Word, ...] | None) -> None:
        """Measure how long after its end on the tape the newest word was heard; words seen before count once."""
        end = words[-1].end if words else None
        if end is None or end <= self._timed or not self._moments or end < self._moments[0][0]:
            return
        self._timed = end
        spoken_s = next((at_s for samples, at_s in self._moments if samples >= end), None)
        if spoken_s is not None:
            now_s = time.monotonic()
            self._latencies.append((now_s, now_s - spoken_s))

    @property
    def latency_s(self) -> float | None:
        """The median of the last minute, from a word's end to its first appearance; None when nothing is known."""
        recent = [latency_s for at_s, latency_s in self._latencies if at_s > time.monotonic() - MINUTE_S]
        return median(recent) if recent else None

    @property
    def end(self) -> int:
        """Session time at the end of the tape."""
        return self.tape.origin + self.tape.samples

    @property
    def no_signal(self) -> bool:
        """Nothing but exact zeros arrives."""
        return self.source_state == "open" and self._watch.no_signal

    def status(self, engine: str, *, paused: bool) -> Status:
        """What the state line shows of this track."""
        follower = self.follower
        behind_s = follower.behind / RATE if follower else 0.0
        state = state_of(
            Situation(
                source=self.source_state,
                engine=follower.state if follower else "loading",
                paused=paused,
                no_signal=self.no_signal,
                behind_s=behind_s,
            )
        )
        return Status(
            state=state,
            device=self.name,
            engine=engine,
            position=self.end,
            behind_s=behind_s if follower and follower.state == "answering" else None,
            lost_ms=self.lost * 1000 // RATE,
            hint=self._hint(state),
            latency_s=self.latency_s,
            cost_usd=follower.cost_usd if follower else None,
            recording=self.source_state == "open" and not paused,
        )

    def _hint(self, state: State) -> str:
        """What to do next in this state; empty when there is nothing to do."""
        if state in (State.DISK_FULL, State.DEVICE_LOST, State.DEVICE_STALLED) and self.failure is not None:
            return str(self.failure)
        if state in (State.ENGINE_STOPPED, State.OFFLINE) and self.follower is not None and self.follower.failure:
            return f"{self.follower.failure} The recording goes on."
        return HINTS.get(state, "")

    def kept(self) -> KeptTrack:
        """The track as the library keeps it."""
        match self.spec:
            case DeviceSource(device):
                kind, host_api = device.kind, device.host_api
            case FileSource():
                kind, host_api = "file", ""
            case _:
                kind, host_api = "stdin", ""
        return KeptTrack(
            number=self.number,
            name="You",
            source=self.name,
            host_api=host_api,
            kind=kind,
            origin=self.tape.origin,
            samples=self.tape.samples,
            lost=self.lost,
        )
