"""One connection to the recogniser: samples go in, what is new about its lines comes out."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter
from typing import Final

import numpy as np

from mictape.engines.local import ipc as wire
from mictape.engines.local.ipc import SecondPass, WordTimes
from mictape.engines.local.recognizer import second_pass as second
from mictape.engines.local.recognizer.audio_buffer import Sound
from mictape.engines.local.recognizer.model import SHORTEST, Decoded, Moonshine
from mictape.engines.local.recognizer.segments import Segment, Segmenter
from mictape.engines.local.recognizer.words import HeardWord, estimated, measuring, text_of, words_of
from mictape.units import RATE
from mictape.vad.onnx import Network, Samples
from mictape.vad.silero import FRAME, SILENCE_DB, SpeechDetector, raised

Say = Callable[[wire.Report], None]

SHORTEST_UPDATE: Final = RATE // 2
"""Samples between two partials, at least."""
COST_FACTOR: Final = 1.5
"""A partial may come when this many times the last one's duration has been heard: so partials cannot take more than two
thirds of the time, however slow the machine and however many speak."""
WAITING: Final = 4
"""Pieces of later work; when there are more, sound comes faster than it is spoken, and the oldest is done first."""
AFFORDABLE: Final = 0.5
"""No later work is taken on where the finals alone take more than this share of the time that was heard."""

Work = Generator[None, None, None]
"""Something that can wait, in steps of some milliseconds."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was said, as far as it may be revised."""

    turn: int
    start: int
    end: int
    words: tuple[HeardWord, ...]
    voiced: tuple[int, ...]
    log_prob: float


class Listener:
    """Finds the lines of one connection and says what is in them."""

    def __init__(
        self,
        number: int,
        model: Moonshine,
        voice: Network,
        say: Say,
        *,
        second_pass: SecondPass = "live",
        word_times: WordTimes = "estimated",
    ) -> None:
        """Begin the connection `number`; everything about it is told to `say`."""
        self.number = number
        self._model = model
        self._detector = SpeechDetector(voice)
        self._say = say
        self._second_pass = second_pass
        self._word_times = word_times
        self._segmenter = Segmenter()
        self._sound = Sound()
        self._voiced: deque[int] = deque()
        self._turn = 0
        self._shown = ""
        self._heard_until = 0
        """Where the last partial ended."""
        self._cost_s = 0.0
        self._busy_s = 0.0
        self._early: tuple[int, Decoded] | None = None
        """The text up to a pause, worked out in it, and where speech ended then."""
        self._group: list[Line] = []
        self._later: deque[Work] = deque()
        self._answered = 0

    @property
    def has_later(self) -> bool:
        """Whether there is work for when there is nothing else to do."""
        return bool(self._later) and self._second_pass != "after"

    def take(self, pcm: bytes) -> None:
        """Hear samples; lines that end in them are said at once."""
        self._sound.append(pcm)
        self._look()

    def report(self) -> None:
        """Say how much was taken, and what nothing more will be said about."""
        self._say(wire.Received(self.number, self._sound.end))
        self._answer(self._segmenter.settled)

    @property
    def speaking(self) -> bool:
        """Whether a line is open."""
        return self._segmenter.start is not None

    def update(self, speaking: int = 1) -> None:
        """Say what the open line sounds like so far, when enough is new to be worth it.

        Args:
            speaking: On how many connections a line is open: they share the time that partials may take.
        """
        segmenter = self._segmenter
        if segmenter.start is None:
            return
        if segmenter.pausing:
            if self._early is None or self._early[0] != segmenter.last_speech:
                decoded = self._decode(segmenter.start, segmenter.end_of_speech())
                self._early = segmenter.last_speech, decoded
                self._show(decoded)
            return
        heard = segmenter.position - max(self._heard_until, segmenter.start)
        if heard < max(SHORTEST_UPDATE, COST_FACTOR * speaking * self._cost_s * RATE):
            return
        begun_s = perf_counter()
        self._show(self._decode(segmenter.start, segmenter.position))
        self._cost_s = perf_counter() - begun_s

    def do_later(self) -> None:
        """One step of the work that can wait."""
        try:
            next(self._later[0])
        except StopIteration:
            self._later.popleft()

    def end_utterance(self) -> None:
        """End the line that is open here: nobody speaks across this moment."""
        rest = self._sound.end - self._segmenter.position
        if rest:  # the last frame is not whole
            frame = np.zeros(FRAME, np.float32)
            frame[:rest] = self._sound.piece(self._segmenter.position, self._sound.end)
            self._look_at(frame)
        if (segment := self._segmenter.close()) is not None:
            self._end(segment)
        self._segmenter.skip_to(self._sound.end)
        self._end_group()
        self._answer(self._sound.end)

    def finish(self) -> None:
        """Say all there is to say."""
        self.end_utterance()
        while self._later:
            self.do_later()

    # Lines.

    def _look(self) -> None:
        while self._sound.end - self._segmenter.position >= FRAME:
            at = self._segmenter.position
            self._look_at(self._sound.piece(at, at + FRAME))
        quiet_since = self._group[-1].end if self._group else None
        if quiet_since is not None and self._segmenter.settled - quiet_since >= second.APART:
            self._end_group()
        needed = self._group[0].start if self._group else self._segmenter.settled
        self._sound.forget(min(needed, self._segmenter.settled))
        while self._voiced and self._voiced[0] < self._sound.begin:
            self._voiced.popleft()

    def _look_at(self, frame: Samples) -> None:
        probability = self._detector.probability(frame)
        if probability >= self._segmenter.rules.holds_at:
            self._voiced.append(self._segmenter.position)
        if (segment := self._segmenter.feed(probability, self._detector.level_db)) is not None:
            self._end(segment)

    def _end(self, segment: Segment) -> None:
        """A segment is over: say its text for good."""
        start, end = segment.start, min(segment.end, self._sound.end)
        early, self._early = self._early, None
        begun_s = perf_counter()
        if early is not None and early[0] == self._segmenter.last_speech and self._segmenter.start is None:
            decoded = early[1]
        else:
            decoded = self._decode(start, end)
        self._busy_s += perf_counter() - begun_s
        words, voiced = self._timed(decoded, start, end)
        if words:
            line = Line(self._turn, start, end, words, voiced, decoded.mean_log_prob)
            self._say_line(line, final=True)
            self._turn += 1
            self._remember(line)
        elif self._shown:
            self._say(wire.Turn(self.number, self._turn, "", start, end, False))
        self._shown = ""
        self._heard_until = end
        self._answer(end)

    def _show(self, decoded: Decoded) -> None:
        start, end = self._segmenter.start, self._segmenter.position
        assert start is not None
        self._heard_until = end
        words, voiced = self._timed(decoded, start, end)
        if (text := text_of(words)) != self._shown:
            self._say_line(Line(self._turn, start, end, words, voiced, decoded.mean_log_prob), final=False)
            self._shown = text

    def _say_line(self, line: Line, *, final: bool, measured: bool = False) -> None:
        words = [wire.Word(word.text, word.start, word.end, word.confidence) for word in line.words]
        text = text_of(line.words)
        self._say(wire.Turn(self.number, line.turn, text, line.start, line.end, final, words, measured))

    def _answer(self, until: int) -> None:
        if until > self._answered:
            self._answered = until
            self._say(wire.Answered(self.number, until))

    # Sound to words.

    def _decode(self, start: int, end: int) -> Decoded:
        return self._model.decode(self._clear(start, end))

    def _clear(self, start: int, end: int) -> Samples:
        """A piece of the sound, loud enough for the model."""
        samples = self._sound.piece(start, end)
        if len(samples) < SHORTEST:
            return samples
        whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
        loudest = float(np.mean(whole**2, axis=1).max())
        return raised(samples, 10 * float(np.log10(loudest)) if loudest > 0 else SILENCE_DB)

    def _timed(self, decoded: Decoded, start: int, end: int) -> tuple[tuple[HeardWord, ...], tuple[int, ...]]:
        """The words with guessed times, and where there is speech."""
        voiced = tuple(at for at in self._voiced if start <= at < end)
        return estimated(words_of(self._model, decoded), voiced, start, end), voiced

    # What can wait.

    def _remember(self, line: Line) -> None:
        if self._group and not second.belongs(self._group[0].start, self._group[-1].end, line.start, line.end):
            self._end_group()
        self._group.append(line)

    def _end_group(self) -> None:
        group, self._group = self._group, []
        if not group or self._busy_s > AFFORDABLE * self._sound.end / RATE:
            return
        joins = len(group) > 1 and self._second_pass != "off"
        if joins or self._word_times == "measured":
            # As integers: with "after" all speech of a session waits here, 115 MB an hour.
            sound = np.round(self._clear(group[0].start, group[-1].end) * 32767).astype(np.int16)
            self._later.append(self._look_again(group, sound, joins=joins))
        while len(self._later) > WAITING and self._second_pass != "after":
            self.do_later()

    def _look_again(self, group: list[Line], kept: np.ndarray[tuple[int], np.dtype[np.int16]], *, joins: bool) -> Work:
        sound = kept.astype(np.float32) / np.float32(32767)
        first = group[0].start
        lines: Sequence[Line] = group
        if joins:
            joined = yield from self._model.decoding(sound)
            lines = revised(group, joined, words_of(self._model, joined))
            for line, before in zip(lines, group, strict=True):
                if text_of(line.words) != text_of(before.words):
                    self._say_line(line, final=True)
        if self._word_times == "measured":
            for line in lines:
                piece = sound[line.start - first : line.end - first]
                if len(piece) < SHORTEST:
                    continue
                words = yield from measuring(self._model, piece, line.words, line.voiced, line.start)
                self._say_line(replace(line, words=words), final=True, measured=True)


def revised(group: Sequence[Line], joined: Decoded, words: Sequence[HeardWord]) -> list[Line]:
    """The lines with the words of the joined text; as they were when that cannot be trusted."""
    said = [[word.text for word in line.words] for line in group]
    before = sum(len(line) for line in said)
    sureness = sum(line.log_prob * len(line.words) for line in group) / max(1, before)
    borders = second.split(said, [word.text for word in words])
    if borders is None or not second.trusted(before, len(words), sureness, joined.mean_log_prob):
        return list(group)
    spans = zip(group, pairwise(borders), strict=True)
    return [
        replace(line, words=estimated(words[first:last], line.voiced, line.start, line.end))
        for line, (first, last) in spans
    ]
