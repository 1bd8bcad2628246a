"""When the open line is decoded for a partial, and how much of it; a model that notes what it is asked for."""

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from conftest import Speech
from mictape.engines.local import ipc
from mictape.engines.local.recognizer.drafts import SHORTEST, Drafts
from mictape.engines.local.recognizer.model import NOTHING, Decoded, Decoding, RecognizedWord, SegmentModel
from mictape.engines.local.recognizer.segment_driver import Options, SegmentDriver
from mictape.engines.local.recognizer.segmenter import WINDOWED, Rules, Segmenter
from mictape.units import RATE
from mictape.vad.onnx import Samples
from mictape.vad.silero import FRAME
from support.local_engine import samples_of
from support.recognizing import BLOCK, models
from support.references import TWO_CITIES, words_in_order

SECOND = RATE // FRAME
"""Frames of about a second."""


@dataclass
class Noting:
    """A word for each second of a piece, and the time that the piece takes."""

    cost: float = 0.0
    """Seconds for a second of sound."""
    now_s: float = 0.0
    lengths: list[int] = field(default_factory=list[int])
    whole: list[int] = field(default_factory=list[int])
    """The lengths that were decoded as finals are."""

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = (), draft: Decoded = NOTHING) -> Decoding:
        """Note it."""
        self.whole.append(len(samples))
        return self.draft(samples, draft)
        yield

    def draft(self, samples: Samples, previous: Decoded) -> Decoded:
        """Note it."""
        del previous
        self.lengths.append(len(samples))
        self.now_s += self.cost * len(samples) / RATE
        return Decoded(tuple(RecognizedWord(f"W{at}.") for at in range(max(1, len(samples) // RATE))))


@dataclass
class Line:
    """A line that is spoken, with the drafts of it."""

    model: Noting = field(default_factory=Noting)
    rules: Rules = field(default_factory=Rules)
    open_lines: int = 1
    texts: list[str] = field(default_factory=list[str])
    drafted: list[int] = field(default_factory=list[int])
    """Where each draft ended."""

    def __post_init__(self) -> None:
        """Open it."""
        self.segmenter = Segmenter(self.rules)
        self.drafts = Drafts(cast("SegmentModel", self.model), lambda: self.model.now_s)
        self.voiced: list[int] = []

    def speak(self, *frames: int) -> "Line":
        """Speech of so many frames, a pause of so many, and so on."""
        for at, count in enumerate(frames):
            for _ in range(count):
                if at % 2 == 0:
                    self.voiced.append(self.segmenter.position)
                self.segmenter.feed(1.0 - at % 2, -20.0)
                if self.segmenter.start is not None and self.drafts.due(self.segmenter, self.open_lines):
                    decoded = self.drafts.next(self.segmenter, self._sound, self.voiced)
                    self.texts.append(" ".join(word.text for word in decoded.words))
                    self.drafted.append(self.segmenter.position)
        return self

    def _sound(self, start: int, end: int) -> Samples:
        return np.zeros(end - start, np.float32)


def test_nothing_is_drafted_in_a_pause_however_short() -> None:
    speech, pause = SHORTEST // FRAME - 1, 6  # half a second is there in the second frame of the pause
    line = Line().speak(speech, pause, 4)
    assert line.drafted == [(speech + pause + 1) * FRAME]


def test_what_lies_before_a_short_pause_is_decoded_once_and_stays() -> None:
    line = Line().speak(4 * SECOND, 3, 3 * SECOND)
    began = line.segmenter.start or 0
    pause = 4 * SECOND * FRAME + 3 * FRAME // 2
    behind = [at for at in line.drafted if at > pause]
    assert behind
    assert line.model.lengths[-len(behind) :] == [at - pause for at in behind]
    assert line.model.lengths[-len(behind) - 1] == pause - began, "once more, up to the pause"
    assert line.model.whole == [pause - began], "a draft may end before the text does, and this text stays"
    assert line.texts[-1] == "W0. W1. W2. W3 W0. W1.", "no full stop where the sentence goes on"


@pytest.mark.parametrize(("rules", "first"), [(Rules(), SECOND), (WINDOWED, 4 * SECOND)])
def test_the_whole_line_is_decoded_where_that_is_short_or_costs_the_same(rules: Rules, first: int) -> None:
    line = Line(rules=rules).speak(first, 3, 2 * SECOND)
    assert line.model.lengths == [at - (line.segmenter.start or 0) for at in line.drafted]


def test_a_pause_whose_text_was_prepared_is_not_decoded_again() -> None:
    line = Line().speak(3 * SECOND, 7)
    line.drafts.settle(line.segmenter, Decoded((RecognizedWord("Prepared."),)))
    before = len(line.model.lengths)
    pause = line.segmenter.position - 7 * FRAME // 2
    line.speak(2 * SECOND)
    assert line.model.lengths[before:] == [at - pause for at in line.drafted[-len(line.model.lengths[before:]) :]]
    assert line.texts[-1] == "Prepared W0."


def test_words_keep_their_times_when_a_part_of_the_line_is_decoded() -> None:
    """Where a model gives times, they count from the beginning of the piece."""
    line = Line()
    word = RecognizedWord("word", start=FRAME, end=2 * FRAME)
    line.model.draft = lambda samples, previous: Decoded((word,))
    line.speak(3 * SECOND, 3)
    line.speak(SECOND)
    decoded = line.drafts.next(line.segmenter, line._sound, line.voiced)
    begins = [each.start for each in decoded.words]
    pause = (3 * SECOND * FRAME + 3 * FRAME // 2) - (line.segmenter.start or 0)
    assert begins == [FRAME, pause + FRAME]


def test_a_new_line_is_drafted_at_once_whatever_the_last_one_cost() -> None:
    line = Line(Noting(cost=0.05)).speak(6 * SECOND, SECOND)
    line.drafts.forget()
    assert line.segmenter.start is None
    before = len(line.drafted)
    line.speak(SECOND)
    assert line.drafted[before] - (line.segmenter.start or 0) < SHORTEST + FRAME


def per_second(model: Noting, open_lines: int = 1) -> float:
    return len(Line(model, open_lines=open_lines).speak(9 * SECOND).drafted) / 9


def test_drafts_get_rarer_as_they_cost_more() -> None:
    cheap, usual, dear = (Noting(cost) for cost in (0.0, 0.05, 0.5))
    assert per_second(cheap) == pytest.approx(RATE / SHORTEST, abs=0.15)
    assert 1.0 < per_second(usual) < 1.6
    assert per_second(Noting(0.05), open_lines=4) < 0.7 * per_second(usual)
    assert per_second(dear) < 0.6
    busy_s = dear.now_s - dear.cost * dear.lengths[-1] / RATE  # what the last one takes is paid for later
    assert busy_s < 2 / 3 * 9, "they never take more than two thirds of the time"


def test_partials_of_real_speech_decode_a_part_of_it_and_have_its_words(speech: Speech) -> None:
    model, voice = models()
    lengths, partials = list[int](), list[ipc.TurnReport]()

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(model, name)

        def draft(self, samples: Samples, previous: Decoded) -> Decoded:
            lengths.append(len(samples))
            return model.draft(samples, previous)

    def report(message: ipc.Report) -> None:
        if isinstance(message, ipc.TurnReport) and not message.final and message.text:
            partials.append(message)

    options = Options(second_pass="off", clock=lambda: 0.0)
    driver = SegmentDriver(1, cast("SegmentModel", Counting()), voice, report, options)
    pcm = samples_of(speech.two_cities)[: 2 * 9 * RATE]
    for at in range(0, len(pcm), 2 * BLOCK):
        driver.feed(pcm[at : at + 2 * BLOCK])
        driver.update_partial()
    assert len({partial.turn for partial in partials}) == 1
    assert words_in_order(TWO_CITIES, partials[-1].text) >= 20
    assert sum(lengths) < 0.7 * sum(partial.end - partial.start for partial in partials)
