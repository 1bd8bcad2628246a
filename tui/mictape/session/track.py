"""A track: a source, its tape and the engine that follows it, with what is known of each."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from itertools import chain, count
from typing import Final, Literal

from msgspec.structs import replace

from mictape.audio.ballistics import Meter
from mictape.audio.diagnostics import SignalWatch, no_signal_hint
from mictape.audio.messages import GRID_MS, Progress
from mictape.audio.ports import SourcePort
from mictape.audio.source import SourceState
from mictape.audio.source_spec import DeviceSource, FileSource, SourceSpec
from mictape.audio.tape import Tape
from mictape.engines.base import Word
from mictape.failure import Advice, Failure
from mictape.library.records import TrackKind, TrackRecord
from mictape.recognition.coverage import Coverage
from mictape.recognition.follower import Follower
from mictape.recognition.speakers import SpeakerRegistry
from mictape.session.latency import Latency
from mictape.session.state import BEHIND_S, Situation, State, Status, engine_trouble_of, state_of
from mictape.session.track_clock import FIRST, TrackClock
from mictape.units import RATE, clock

SPEAKS: Final = RATE * 3 // 2
"""Speech is taken to go on for so long after new text: engines write a word or two a second."""

HINTS: Final[Mapping[State, Advice]] = {
    State.DEVICE_LOST: Advice("Looking for the device", "Wait, or choose another one", action="choose_device"),
    State.DEVICE_STALLED: Advice("Waiting for the device", "Wait, or choose another one", action="choose_device"),
    State.NO_SIGNAL: no_signal_hint(),
    State.PAUSED: Advice("Nothing is recorded", "Resume", action="pause"),
    State.LOADING: Advice("Sound is recorded already; the words come when the engine is ready"),
    State.CATCHING_UP: Advice("The engine is behind; it catches up by itself"),
    State.ENDED: Advice("The file has ended", "Quit", action="stop"),
}
"""What to do in a state that has no failure."""

_SOURCE_FAILED: Final = {
    State.DISK_FULL,
    State.CANNOT_WRITE,
    State.CANNOT_READ,
    State.DEVICE_LOST,
    State.DEVICE_STALLED,
}
"""The states whose failure is the source's."""

_NAMES: Final = {"microphone": "You", "computer sound": "Computer", "file": "File", "stdin": "Input"}
"""What a track is called by the kind of its first source, until the person renames it."""


def name_for(spec: SourceSpec, taken: Collection[str]) -> str:
    """A name for a track with this source, different from those that are `taken`: `You`, `You 2`."""
    if isinstance(spec, FileSource) and spec.channel is not None:
        return f"Channel {spec.channel}"
    name = _NAMES[kind_of(spec)]
    others = (f"{name} {number}" for number in count(2))
    return next(each for each in chain([name], others) if each not in taken)


def kind_of(spec: SourceSpec) -> TrackKind:
    """What is recorded."""
    match spec:
        case DeviceSource(device):
            return device.kind
        case FileSource():
            return "file"
        case _:
            return "stdin"


class Track:
    """One source of a session, its tape, and how far it has come.

    Its tape, coverage and follower count in the track's own time, `origin` + tape position; `session_time` and
    `own_time` convert.
    """

    def __init__(
        self,
        number: int,
        spec: SourceSpec,
        source: SourcePort,
        tape: Tape,
        coverage: Coverage,
        *,
        name: str,
        clock: TrackClock | None = None,
    ) -> None:
        """Join them.

        Args:
            number: Counted from 1.
            spec: What is recorded.
            source: Who records it.
            tape: What it is recorded on.
            coverage: What of the tape is answered for.
            name: What the person calls it.
            clock: Converts between its own time and session time; None for the first track, whose time that is.
        """
        self.number = number
        self.name = name
        self.spec = spec
        self.source = source
        self.tape = tape
        self.coverage = coverage
        self.follower: Follower | None = None
        self.speakers = SpeakerRegistry()
        """Its speakers, across engines."""
        self.on_source: Callable[[], object] = lambda: None
        """Called when its source has reported something."""
        self.meter = Meter()
        self.metered = 0
        """Sound that went into the meter, samples at 16 kHz; it goes on while the tape is paused."""
        self.source_state: SourceState = "opening"
        self.following = False
        """Whether `Session.follow` runs for it."""
        self._latency = Latency()
        self._spoke_at: int | None = None
        """What `metered` was when the engine last wrote something."""
        self.capturing = False
        """Whether `Session.capture` runs for it."""
        self.failure: Failure | None = None
        """Why the source is not open."""
        self.was_gone = False
        """Whether its device was gone, and the sound that was lost meanwhile is not reported yet."""
        self.removed = False
        """Whether its device was removed while others went on."""
        self.lost = coverage.holes.total
        """Samples of the tape that are holes."""
        self._clock = clock
        self._watch = SignalWatch(self._watched)

    @property
    def renamed(self) -> bool:
        """Whether the person gave it its name."""
        return self.name.rstrip(" 0123456789") not in _NAMES.values()

    def begin_at(self, origin: int) -> None:
        """Say where in session time its tape begins, before anything is on it."""
        self.tape.origin = self.coverage.origin = origin
        if self._clock is not None:
            self._clock.origin = origin

    def session_time(self, at: int, *, end: bool = False) -> int:
        """The session time of a sample in the track's own time; `end`: as `TrackClock.session_time`."""
        return at if self._clock is None else self._clock.session_time(at, end=end)

    def own_time(self, at: int) -> int:
        """The track's own time at a session time."""
        return at if self._clock is None else self._clock.own_time(at)

    @property
    def device(self) -> str:
        """The human name of the source."""
        match self.spec:
            case DeviceSource(device):
                return device.name
            case FileSource():
                return self.spec.name
            case _:
                return "standard input"

    @property
    def _watched(self) -> Literal["microphone", "computer sound"]:
        # Only a live microphone's zeros mean that something is wrong with it.
        return self.spec.device.kind if isinstance(self.spec, DeviceSource) else "computer sound"

    def go_on(self, spec: SourceSpec, source: SourcePort, tape: Tape) -> None:
        """Record it again after it has ended: the tape is the same one, at its end."""
        self.tape = tape
        self.change_source(spec, source)

    def change_source(self, spec: SourceSpec, source: SourcePort) -> None:
        """Go on with another source on the same tape."""
        self.spec = spec
        self.source = source
        self.source_state, self.failure, self.was_gone = "opening", None, False
        self._watch = SignalWatch(self._watched)

    def feed(self, progress: Progress) -> None:
        """Take in how the tape has grown and how loud it was."""
        end = self.tape.origin + progress.samples
        before = self._latency.tape_end
        speech = self._speech() if before is not None and end > before else None  # None: paused
        self._latency.note_tape(end)
        for cell in progress.cells:
            self.metered += cell.steps * GRID_MS * RATE // 1000
            self.meter.feed(cell)
            self._watch.feed(cell, speech=speech)

    def _speech(self) -> bool | None:
        """Whether there is speech now: as the speech detector says, else as what the engine writes shows.

        None while neither knows.
        """
        if self.follower is not None and (speech := self.follower.speech) is not None:
            return speech
        if self._spoke_at is not None and self.metered - self._spoke_at <= SPEAKS:
            return True
        follower = self.follower
        answers = follower is not None and follower.state == "answering" and follower.behind <= BEHIND_S * RATE
        return False if answers else None

    def time_words(self, words: tuple[Word, ...] | None) -> None:
        """Take in that the engine has written: when, and how long after the end of the newest word."""
        if words is None or words:
            self._spoke_at = self.metered
        if words and (end := words[-1].end) is not None:
            self._latency.measure(end)

    @property
    def end(self) -> int:
        """The end of the tape, in the track's own time."""
        return self.tape.origin + self.tape.samples

    @property
    def no_signal(self) -> bool:
        """Nothing but exact zeros arrives."""
        return self.source_state == "open" and self._watch.no_signal

    def status(self, engine: str, *, paused: bool) -> Status:
        """What the state line shows of this track."""
        follower = self.follower
        behind_s = follower.behind / RATE if follower else 0.0
        # An engine that is chosen when all is answered for has nothing to connect for.
        engine_state = follower.state if follower else "loading"
        if engine_state in ("loading", "connecting") and self.source_state == "ended":
            engine_state = engine_state if self.coverage.open(self.end) else "answering"
        now = Situation(
            source=self.source_state,
            engine=engine_state,
            is_device=isinstance(self.spec, DeviceSource),
            paused=paused,
            no_signal=self.no_signal,
            behind_s=behind_s,
        )
        state, also = state_of(now), engine_trouble_of(now)
        return Status(
            state=state,
            also=also,
            device=self.device,
            engine=engine,
            track=self.name,
            position=self.end,
            behind_s=behind_s if follower and follower.state in ("answering", "offline", "stopped") else None,
            lost_ms=self.lost * 1000 // RATE,
            hint=self._hint_with_engine(state) if also is not None else self._hint(state),
            latency_s=self._latency.median_s,
            cost_usd=follower.cost_usd if follower else None,
            recording=self.source_state == "open" and not paused,
        )

    @property
    def without_text(self) -> dict[str, str]:
        """What of the tape has no text, for people, by the reason."""
        totals = Counter[str]()
        for gap in self.coverage.gaps:
            totals[gap.why] += gap.end - gap.start
        return {why: f"{clock(total)} of {clock(self.end)} has no text: {why}" for why, total in totals.items()}

    @property
    def left_out(self) -> str:
        """What of the tape was not sent to the engine, for people; empty when it was less than a second."""
        silent = self.coverage.left_out.total
        return f"{clock(silent)} of {clock(self.end)} was silence and was not sent" if silent >= RATE else ""

    def _hint_with_engine(self, state: State) -> Advice | None:
        """What to do next in this state, and what is wrong with the engine beside it."""
        hint, failure = self._hint(state), self.follower.failure if self.follower is not None else None
        if hint is None or failure is None:
            return hint or failure
        return Advice(f"{failure.what}. {hint.what}", hint.remedy, action=hint.action)

    def _hint(self, state: State) -> Advice | None:
        """What to do next in this state; None when there is nothing to do."""
        if state in _SOURCE_FAILED and self.failure is not None:
            if state is State.DEVICE_LOST and self.number != FIRST:
                return Advice(self.failure.what, "Plug it in again, or remove it", action="remove_device")
            return self.failure
        if state in (State.ENGINE_STOPPED, State.OFFLINE) and self.follower is not None and self.follower.failure:
            failure = self.follower.failure
            return Advice(f"The recording goes on. {failure.what}", failure.remedy, action=failure.action)
        opening = state is State.LOADING and self.source_state == "opening"
        hint = Advice(f"{self.device} is being opened; nothing is recorded yet") if opening else HINTS.get(state)
        if hint is not None and state is State.ENDED and self.left_out:
            return replace(hint, what=f"{hint.what}. {self.left_out}")
        if state is State.PAUSED or self.source_state != "open":
            return hint
        trouble = self._watch.trouble
        return hint or (trouble.value if trouble is not None else None)

    def record(self) -> TrackRecord:
        """The track as the library stores it."""
        return TrackRecord(
            number=self.number,
            name=self.name,
            source=self.device,
            host_api=self.spec.device.host_api if isinstance(self.spec, DeviceSource) else "",
            kind=kind_of(self.spec),
            origin=self.tape.origin,
            samples=self.tape.samples,
            lost=self.lost,
        )
