"""The driver of models that recognize whole pieces of speech: samples go in, what is new about the lines comes out.

The text of a line depends on the samples alone, not on how they are cut into blocks or how fast they come.
"""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter, thread_time
from typing import Final

import numpy as np

from mictape.engines.base import Word
from mictape.engines.local import ipc
from mictape.engines.local.ipc import SecondPass, WordTimes
from mictape.engines.local.recognizer import second_pass as second
from mictape.engines.local.recognizer.audio_buffer import AudioBuffer
from mictape.engines.local.recognizer.drafts import Drafts
from mictape.engines.local.recognizer.key_terms import bare, respelled
from mictape.engines.local.recognizer.lines import Line, bordered, decapitalized, text_of
from mictape.engines.local.recognizer.model import (
    NOTHING,
    Decoded,
    Decoder,
    RecognizedWord,
    SegmentModel,
    completed,
    gives_times,
    mean_log_prob,
)
from mictape.engines.local.recognizer.numbers import written
from mictape.engines.local.recognizer.segmenter import Segment, Segmenter
from mictape.engines.local.recognizer.stability import agreed
from mictape.engines.local.recognizer.word_times import located, shifted, timed
from mictape.units import RATE
from mictape.vad.onnx import Array, Network, Samples
from mictape.vad.silero import FRAME, SpeechDetector, loud_enough

Report = Callable[[ipc.Report], None]

WAITING: Final = 4
"""Pieces of deferred work; when there are more, sound comes faster than it is spoken, and the oldest is done first."""
AFFORDABLE: Final = 0.5
"""No deferred work is taken on where the finals alone take more CPU than this share of the time that was received. CPU,
and not time on the clock: what else the machine is doing must not change the text."""
UNSURE: Final = -1.2
"""The mean log-probability under which a whole line is doubtful: two thirds of the words in such lines are wrong, and
another language than the model's is below it."""

AROUND_CUT: Final = 2 * RATE
"""How much on either side of a cut is recognized in one piece where both lines have the word at it."""

Deferred = Generator[None, None, None]
"""Work that can wait, in steps of some milliseconds."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a driver works."""

    second_pass: SecondPass = "live"
    """When neighbouring lines are recognized again together."""
    word_times: WordTimes = "estimated"
    """Whether the times of words are guessed, or measured once there is time."""
    second_model: Decoder | None = None
    """Recognizes lines again in the second pass, single ones too; None: the same model."""
    clock: Callable[[], float] = perf_counter
    """Seconds; partials are timed by it, and get rarer when they take long."""


class SegmentDriver:
    """Finds the lines of one connection and reports what is in them."""

    def __init__(
        self,
        number: int,
        model: SegmentModel,
        voice: Network,
        report: Report,
        options: Options,
    ) -> None:
        """Begin the connection `number`.

        Args:
            number: Stands in every report.
            model: Recognizes pieces of speech.
            voice: The speech detector's network.
            report: Called with everything that is new.
            options: How it works.
        """
        self.number = number
        self.key_terms: tuple[str, ...] = ()
        """Words to favour from the next decode on."""
        self._model = model
        self._detector = SpeechDetector(voice)
        self._report = report
        self._options = options
        self._segmenter = Segmenter(model.rules)
        self._audio = AudioBuffer()
        self._voiced: deque[int] = deque()
        self._probability = 0.0
        """Of speech in the last frame."""
        self._turn = 0
        self._busy_s = 0.0
        self._prepared: tuple[Segment, Decoded] | None = None
        """The text of the open line if the pause that has begun, or a likely cut, ends it."""
        self._drafts = Drafts(model, options.clock)
        self._partial = Decoded()
        """The last partial of the open line."""
        self._shown = ""
        self._cut_off: Line | None = None
        """The last line, with its full stop, while the open one goes on behind a cut."""
        self._cut_word = ""
        """Its last word, as the model wrote it."""
        self._group: list[Line] = []
        self._deferred: deque[Deferred] = deque()
        self._answered = 0

    @property
    def has_deferred(self) -> bool:
        """Whether there is work for when there is nothing else to do."""
        return bool(self._deferred) and self._options.second_pass != "after"

    @property
    def line_is_open(self) -> bool:
        """Whether there is speech that no final has answered yet."""
        return self._segmenter.start is not None

    def feed(self, pcm: bytes) -> None:
        """Take samples; lines that end in them are reported at once."""
        self._audio.append(pcm)
        while self._audio.end - self._segmenter.position >= FRAME:
            at = self._segmenter.position
            self._feed_frame(self._audio.piece(at, at + FRAME))
        self._end_group_after_pause()
        self._drop_audio()

    def report_progress(self) -> None:
        """Report what is answered for good, and how much was taken."""
        self._answer(self._segmenter.settled)
        self._report(ipc.ReceivedReport(self.number, self._audio.end))

    def update_partial(self, open_lines: int = 1) -> None:
        """Report the open line's text so far, when enough is new to be worth it.

        Args:
            open_lines: On how many connections a line is open: they share the time that partials may take.
        """
        segmenter = self._segmenter
        if segmenter.start is None:
            return
        if segmenter.pausing:
            segment = Segment(segmenter.start, segmenter.end_of_speech())
            if self._prepared is None or self._prepared[0] != segment:
                self._prepared = segment, self._decode(segment)
                self._drafts.until = segmenter.position
                self._drafts.settle(segmenter, self._prepared[1])
                self._show(self._prepared[1])
            return
        cut = segmenter.likely_cut
        if cut is not None and (self._prepared is None or self._prepared[0] != cut):
            # In place of a partial: else the final would begin to be decoded a second after its last word.
            if self._drafts.affordable(segmenter, open_lines):
                self._prepared = cut, self._drafts.timed(lambda: self._decode(cut), segmenter.position)
        elif self._drafts.due(segmenter, open_lines):
            self._show(self._drafts.next(segmenter, self._loud_enough, self._voiced))

    def step_deferred(self) -> None:
        """Do one step of the work that can wait."""
        try:
            next(self._deferred[0])
        except StopIteration:
            self._deferred.popleft()

    def end_utterance(self) -> None:
        """End the open line here: no line goes on across this moment."""
        rest = self._audio.end - self._segmenter.position
        if rest:  # the last frame is not whole
            frame = np.zeros(FRAME, np.float32)
            frame[:rest] = self._audio.piece(self._segmenter.position, self._audio.end)
            self._feed_frame(frame)
        if (segment := self._segmenter.close()) is not None:
            self._end_line(segment)
        self._withdraw_partial()
        self._restore_stop()
        self._segmenter.skip_to(self._audio.end)
        self._end_group()
        self._answer(self._audio.end)

    def close(self) -> None:
        """Let go of what a model keeps for this connection."""

    def finish(self) -> None:
        """Report all there is."""
        self.end_utterance()
        while self._deferred:
            self.step_deferred()

    # Lines.

    def _feed_frame(self, frame: Samples) -> None:
        probability = self._probability = self._detector.probability(frame)
        if probability >= self._segmenter.rules.holds_at:
            self._voiced.append(self._segmenter.position)
        if (segment := self._segmenter.feed(probability, self._detector.level_db)) is not None:
            self._end_line(segment)
        if self._segmenter.start is None:
            self._withdraw_partial()
            self._restore_stop()

    def _end_line(self, segment: Segment) -> None:
        """A segment is over: report its text for good."""
        segment = replace(segment, end=min(segment.end, self._audio.end))
        prepared, self._prepared = self._prepared, None
        begun_s = thread_time()
        decoded = prepared[1] if prepared and prepared[0] == segment else self._decode(segment)
        if self._repeats_word(decoded.words) and not self._said_twice(segment):
            decoded = Decoded(decoded.words[1:])
        self._busy_s += thread_time() - begun_s
        self._drafts.until = segment.end
        if decoded.words:
            words = self._formed(decoded)
            self._cut_word = decoded.words[-1].text
            line = self._line(words, segment.start, segment.end, cut=segment.cut)
            self._cut_off = line if line.cut else None
            line = bordered(line)
            self._report_line(line, final=True)
            self._turn += 1
            self._remember(line)
            self._shown = ""
        else:
            self._report_nothing(segment)
        self._withdraw_partial()
        self._answer(segment.end)

    def _repeats_word(self, words: Sequence[RecognizedWord]) -> bool:
        """Whether a line goes on behind a cut with the word that stands before it.

        Half of the word may lie on each side: a model makes a whole one of both.
        """
        return self._cut_off is not None and bool(words) and bare(words[0].text) == bare(self._cut_word)

    def _said_twice(self, segment: Segment) -> bool:
        """Whether the word before the cut at which a segment begins is said twice there."""
        cut, word = segment.start, bare(self._cut_word)
        around = self._recognize(max(self._audio.begin, cut - AROUND_CUT), min(cut + AROUND_CUT, segment.end))
        return (word, word) in pairwise(bare(each.text) for each in around.words)

    def _report_nothing(self, segment: Segment) -> None:
        """A segment is over, and no word is in it."""

    def _withdraw_partial(self) -> None:
        """No line comes of what was shown: take it back."""
        self._partial = Decoded()
        self._drafts.forget()
        if self._shown:
            until = self._drafts.until
            self._report(ipc.TurnReport(self.number, self._turn, "", until, until, False))
        self._shown = ""

    def _restore_stop(self) -> None:
        """No speech follows the cut: the line before it ends its sentence after all."""
        whole, self._cut_off = self._cut_off, None
        if whole is None:
            return
        whole = bordered(replace(whole, cut=False))
        if self._group and self._group[-1].turn == whole.turn:
            self._group[-1] = whole
        self._report_line(whole, final=True)

    def _show(self, decoded: Decoded) -> None:
        start, end = self._segmenter.start, self._segmenter.position
        assert start is not None
        stable = self._stable(decoded)
        self._partial = decoded
        # Whether a word is said on both sides of a cut shows when the line ends.
        repeated = int(self._repeats_word(decoded.words))
        line = self._line(respelled(decoded.words[repeated:], self.key_terms), start, end)
        line = replace(line, words=decapitalized(line.words) if line.continues else line.words)
        if line.text != self._shown:
            self._report_line(line, stable=len(text_of(line.words[: max(0, stable - repeated)])), final=False)
            self._shown = line.text

    def _formed(self, decoded: Decoded) -> tuple[RecognizedWord, ...]:
        """The words as a final shows them."""
        words = written(decoded.words) if self._model.language == "en" else decoded.words
        return respelled(words, self.key_terms)

    def _stable(self, decoded: Decoded) -> int:
        """How many words at the front of a partial are likely to stay."""
        return agreed(self._partial.words, decoded.words)

    def _line(self, words: Sequence[RecognizedWord], start: int, end: int, *, cut: bool = False) -> Line:
        voiced = tuple(at for at in self._voiced if start <= at < end)
        return Line(
            self._turn,
            start,
            end,
            timed(shifted(words, start), voiced, start, end),
            voiced,
            continues=self._cut_off is not None,
            cut=cut,
            measured=gives_times(words),
        )

    def _report_line(self, line: Line, *, final: bool, stable: int = 0) -> None:
        # In a doubtful line no word is surer than the line.
        mean = mean_log_prob(line.words)
        most = float(np.exp(mean)) if mean < UNSURE else 1.0
        words = tuple(
            Word(
                word.text,
                word.start or 0,
                word.end or 0,
                None if word.confidence is None else min(word.confidence, most),
                estimated=not line.measured,
            )
            for word in line.words
        )
        self._report(ipc.TurnReport(self.number, line.turn, line.text, line.start, line.end, final, words, stable))

    def _answer(self, until: int) -> None:
        if until > self._answered:
            self._answered = until
            self._report(ipc.AnsweredReport(self.number, until))

    # Sound.

    def _decode(self, segment: Segment) -> Decoded:
        return self._recognize(segment.start, segment.end, self._partial)

    def _recognize(self, start: int, end: int, draft: Decoded = NOTHING) -> Decoded:
        return completed(self._model.decoding(self._loud_enough(start, end), self.key_terms, draft))

    def _loud_enough(self, start: int, end: int) -> Samples:
        """A piece of the sound, raised for the model when it is quiet."""
        return loud_enough(self._audio.piece(start, end))

    def _drop_audio(self) -> None:
        settled = self._segmenter.settled
        group = self._group[0].start if self._group else settled
        cut = settled if self._cut_off is None else self._cut_off.end - AROUND_CUT
        self._audio.drop(min(settled, group, cut))
        while self._voiced and self._voiced[0] < self._audio.begin:
            self._voiced.popleft()

    # What can wait.

    def _remember(self, line: Line) -> None:
        if self._group and not second.belongs(self._group[0].start, self._group[-1].end, line.start, line.end):
            self._end_group()
        self._group.append(line)

    def _end_group_after_pause(self) -> None:
        if self._group and self._segmenter.settled - self._group[-1].end >= second.APART:
            self._end_group()

    def _end_group(self) -> None:
        group, self._group = self._group, []
        if not group or self._busy_s > AFFORDABLE * self._audio.end / RATE:
            return
        joins = (len(group) > 1 or self._options.second_model is not None) and self._options.second_pass != "off"
        if joins or self._options.word_times == "measured":
            # As integers: with "after" all speech of a session waits here, 115 MB an hour.
            sound = np.round(self._loud_enough(group[0].start, group[-1].end) * 32767).astype(np.int16)
            self._deferred.append(self._improve(group, sound, joins=joins))
        while len(self._deferred) > WAITING and self._options.second_pass != "after":
            self.step_deferred()

    def _improve(self, group: Sequence[Line], kept: Array, *, joins: bool) -> Deferred:
        """Recognize lines again as one piece of sound, and measure when their words are said."""
        sound = kept.astype(np.float32) / np.float32(32767)
        first, lines = group[0].start, group
        if joins:
            joined = yield from (self._options.second_model or self._model).decoding(sound, self.key_terms)
            lines = second.revised(group, shifted(self._formed(joined), first))
            for line, before in zip(lines, group, strict=True):
                if line.text != before.text:
                    self._report_line(replace(line, measured=gives_times(joined.words)), final=True)
        for line in lines if self._options.word_times == "measured" else ():
            words = yield from self._located(sound[line.start - first : line.end - first], line)
            if words is not None:
                self._report_line(replace(line, words=words, measured=True), final=True)

    def _located(self, sound: Samples, line: Line) -> Generator[None, None, tuple[RecognizedWord, ...] | None]:
        if len(sound) < self._model.shortest or (locating := self._model.locating(sound, line.words)) is None:
            return None
        begins = yield from locating
        return located(line.words, [line.start + at for at in begins], line.voiced, line.end)
