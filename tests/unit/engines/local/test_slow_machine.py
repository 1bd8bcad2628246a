"""The embedded recogniser on a slow machine: the real models, and a clock that their work moves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import cast

import pytest

from conftest import Speech
from mictape.engines.local import ipc
from mictape.engines.local.client import AHEAD
from mictape.engines.local.process import Recognizer
from mictape.engines.local.recognizer.model import Decoded, Decoding, SegmentModel
from mictape.engines.local.recognizer.segment_driver import Options
from mictape.engines.local.recognizer.segmenter import Rules
from mictape.session.state import BEHIND_S, Situation, State, state_of
from mictape.units import RATE
from mictape.vad.onnx import Samples
from support.local_engine import samples_of
from support.recognizing import BLOCK, floats_of, models, pcm_of, without_pauses

DECODING = 0.05
"""What decoding a second of sound takes on an ordinary machine, seconds."""
DRAFTING = 0.025
"""The same for a partial."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line, or what it sounds like so far, and how it stood then."""

    at_s: float
    turn: ipc.TurnReport
    state: State
    """What the state line says at that moment."""


@dataclass
class SlowMachine:
    """Live tracks, for one recogniser that decodes so many times as long as an ordinary machine."""

    times: float
    tracks: Sequence[bytes]
    now_s: float = 0.0
    said: list[Said] = field(default_factory=list[Said])
    received: list[int] = field(default_factory=list[int])
    """Of each track, samples."""
    language: str = "en"
    takes_key_terms: bool = True
    rules: Rules = field(default_factory=Rules)

    @property
    def shortest(self) -> int:
        """As the model's."""
        return models()[0].shortest

    def decoding(self, samples: Samples, key_terms: tuple[str, ...], draft: Decoded) -> Decoding:
        """As the model's, and it takes time."""
        self.now_s += self.times * DECODING * len(samples) / RATE
        return models()[0].decoding(samples, key_terms, draft)

    def draft(self, samples: Samples, previous: Decoded) -> Decoded:
        """As the model's, and it takes time."""
        self.now_s += self.times * DRAFTING * len(samples) / RATE
        return models()[0].draft(samples, previous)

    @property
    def behind_s(self) -> float:
        """As the follower counts it, of the track that is furthest behind."""
        return max(self._on_tape(track) - self.received[track] for track in range(len(self.tracks))) / RATE

    def run(self) -> "SlowMachine":
        """Hear all of the tracks."""
        model = cast("SegmentModel", self)
        options = Options(second_pass="off", clock=lambda: self.now_s)
        recognizer = Recognizer(model, models()[1], self._note, options)
        self.received = [0] * len(self.tracks)
        sent = [0] * len(self.tracks)
        while any(2 * at < len(pcm) for at, pcm in zip(sent, self.tracks, strict=True)):
            came = False
            for track, pcm in enumerate(self.tracks):
                while self._may_send(track, sent[track]):
                    piece = pcm[2 * sent[track] : 2 * (sent[track] + BLOCK)]
                    recognizer.carry_out(ipc.Audio(track, piece))
                    sent[track] += BLOCK
                    came = True
            if came:
                recognizer.update()
            else:
                self.now_s += BLOCK / RATE
        for track in range(len(self.tracks)):
            recognizer.carry_out(ipc.Finish(track))
        return self

    @property
    def finals(self) -> list[Said]:
        """The lines when they were said for good."""
        return [said for said in self.said if said.turn.final]

    @property
    def partials(self) -> int:
        """How often something was said of a line still open."""
        return len(self.said) - len(self.finals)

    @property
    def text(self) -> str:
        """All lines."""
        return " ".join(said.turn.text for said in self.finals)

    def _on_tape(self, track: int) -> int:
        return min(len(self.tracks[track]) // 2, int(self.now_s * RATE))

    def _may_send(self, track: int, sent: int) -> bool:
        end = len(self.tracks[track]) // 2
        waiting = min(sent + BLOCK, end) <= self._on_tape(track) and sent < end
        return waiting and sent + BLOCK - self.received[track] <= AHEAD

    def _note(self, report: ipc.Report) -> None:
        match report:
            case ipc.ReceivedReport(stream, until):
                self.received[stream] = until
            case ipc.TurnReport():
                state = state_of(Situation("open", "answering", behind_s=self.behind_s))
                self.said.append(Said(self.now_s, report, state))
            case _:
                pass


SILENCE = bytes(2 * 20 * RATE)
"""As long as the slowest one needs: the tape still grows when the last line is said."""


@pytest.fixture(scope="module")
def reading(speech: Speech) -> bytes:
    return samples_of(speech.two_cities)[: 2 * 14 * RATE] + SILENCE


@cache
def slowed(times: int, reading: bytes) -> SlowMachine:
    """What a machine so many times slower made of it; the same for every test, as it takes seconds."""
    return SlowMachine(times, [reading]).run()


@pytest.mark.proof
def test_on_a_slower_machine_partials_thin_out_and_finals_keep_up(reading: bytes) -> None:
    ordinary, slower, slow = (slowed(times, reading) for times in (1, 4, 8))
    assert ordinary.partials > slower.partials > slow.partials > 0
    assert ordinary.text == slower.text == slow.text
    assert {said.state for said in ordinary.said} == {State.LISTENING}
    assert {said.state for said in slower.finals} == {State.LISTENING}


@pytest.mark.parametrize("times", [8, pytest.param(16, marks=pytest.mark.proof)])
def test_finals_that_come_late_come_while_the_state_line_says_catching_up(times: int, reading: bytes) -> None:
    machine = slowed(times, reading)
    # A line is over when a silence has lasted; what comes within that and the rhythm of any engine is not late.
    silence = max(silence for _, silence in Rules().patience)
    late = [said for said in machine.finals if said.at_s - (said.turn.end + silence) / RATE > BEHIND_S]
    assert late
    assert {said.state for said in late} == {State.CATCHING_UP}


@pytest.mark.proof
def test_partials_of_two_tracks_share_the_time_of_one(reading: bytes) -> None:
    spoken = pcm_of(without_pauses(floats_of(reading)))[: 2 * 10 * RATE] + SILENCE
    alone = SlowMachine(3, [spoken]).run()
    both = SlowMachine(3, [spoken, spoken]).run()
    assert both.partials <= 1.5 * alone.partials, "not twice as many; those of a pause come once a pause in any case"
    assert both.text == f"{alone.text} {alone.text}"
