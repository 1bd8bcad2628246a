"""The embedded recogniser beside the library's own streaming, on real speech, clean and harmed."""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, get_args

import jiwer
import numpy as np
import soxr

from bench.aligned import starts_of
from bench.clips import Clip, clips_of_the_folder, clips_of_the_wheel
from bench.library import words
from bench.local import Listened
from bench.report import Part, Report, percentile
from mictape import bundled
from mictape.engines.base import EngineEvent, FinalTurn, Partial
from mictape.engines.local import ipc
from mictape.engines.local.client import event_of
from mictape.engines.local.recognizer.segment_driver import Options, SegmentDriver
from mictape.recognition.speech_activity import SpeechActivity
from mictape.units import RATE
from mictape.vad.onnx import Samples
from mictape.vad.silero import SpeechFinder
from support.faster_whisper import FasterWhisper
from support.noises import clatter, hum, music
from support.recognizing import BLOCK, floats_of, models, pcm_of, without_pauses
from support.references import normal, spelled

OFFSETS: Final = tuple(range(0, 1310, 131))
DRIVERS: Final = ("library", "first pass", "second pass")
NOISE_S: Final = 30
DISTRACTORS: Final = 100
"""Rare words of other clips and of other text in a list of key terms, as in Le et al., Interspeech 2021."""
KEY_TERMS: Final = (
    ("none", False, False),
    ("said, and others", True, True),
    ("others only", False, True),
)
NEAR_MS: Final = 200
"""So far off, the start of a word is still good enough to play it from there."""


@dataclass
class Score:
    """What a driver made of some recordings."""

    wrong: int = 0
    words: int = 0
    cpu_s: float = 0.0
    seconds: float = 0.0
    first_partials_s: list[float] = field(default_factory=list[float])
    finals_s: list[float] = field(default_factory=list[float])
    taken_back: int = 0
    confidences: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    """Of each word, and whether it is right."""

    def add(self, clip: Clip, listened: Listened, cpu_s: float) -> None:
        """Take in one recording."""
        compared = jiwer.process_words(normal(clip.reference), normal(listened.text))
        self.wrong += compared.substitutions + compared.deletions + compared.insertions
        self.words += len(compared.references[0])
        self.cpu_s += cpu_s
        self.seconds += listened.seconds
        partials, finals = listened.delays()
        self.first_partials_s += partials
        self.finals_s += finals
        self.taken_back += _taken_back(listened.events)
        self._note_confidences(compared, listened)

    def _note_confidences(self, compared: jiwer.WordOutput, listened: Listened) -> None:
        lines = {news.turn: news for _, news in listened.events if isinstance(news, FinalTurn)}
        sure = [
            (word.confidence, part)
            for line in lines.values()
            for word in line.words or ()
            for part in _parts(word.text)
        ]
        right = {
            at
            for chunk in compared.alignments[0]
            if chunk.type == "equal"
            for at in range(chunk.hyp_start_idx, chunk.hyp_end_idx)
        }
        self.confidences += [(c, at in right) for at, (c, _) in enumerate(sure) if c is not None]

    @property
    def roc_area(self) -> float:
        """How often a right word is surer than a wrong one."""
        right = [c for c, ok in self.confidences if ok]
        wrong = [c for c, ok in self.confidences if not ok]
        pairs = [(a > b) + (a == b) / 2 for a in right for b in wrong]
        return sum(pairs) / len(pairs) if pairs else float("nan")


def _parts(text: str) -> list[str]:
    return normal(text).split()


def _taken_back(events: Sequence[tuple[float, EngineEvent]]) -> int:
    """Words shown and then replaced or left out, partials and lines counted alike."""
    shown: dict[int, list[str]] = {}
    count = 0
    for _, news in events:
        if isinstance(news, Partial | FinalTurn):
            words, before = _parts(news.text), shown.get(news.turn, [])
            same = next((at for at, pair in enumerate(zip(before, words, strict=False)) if pair[0] != pair[1]), None)
            count += len(before) - (min(len(before), len(words)) if same is None else same)
            shown[news.turn] = words
    return count


def driven(
    pcm: bytes,
    second_pass: ipc.SecondPass,
    word_times: ipc.WordTimes = "estimated",
    key_terms: tuple[str, ...] = (),
) -> tuple[Listened, float]:
    """Our driver on a virtual clock: blocks of 100 ms arrive, and the CPU time of the work moves the clock."""
    model, voice = models()
    events: list[tuple[float, EngineEvent]] = []
    clock_s = busy_s = begun_s = 0.0

    def report(message: ipc.Report) -> None:
        if isinstance(message, ipc.TurnReport):
            events.append((clock_s + time.process_time() - begun_s, event_of(message)))

    # Partials are spaced by the same clock: on a busy machine they would get rarer by that of the wall.
    driver = SegmentDriver(
        1, model, voice, report, Options(second_pass=second_pass, word_times=word_times, clock=time.process_time)
    )
    driver.key_terms = key_terms
    for at in range(0, len(pcm), 2 * BLOCK):
        spoken_s = (at // 2 + BLOCK) / RATE
        while driver.has_deferred and clock_s < spoken_s:
            begun_s = time.process_time()
            driver.step_deferred()
            clock_s, busy_s = clock_s + time.process_time() - begun_s, busy_s + time.process_time() - begun_s
        clock_s = max(clock_s, spoken_s)
        begun_s = time.process_time()
        driver.feed(pcm[at : at + 2 * BLOCK])
        driver.update_partial()
        clock_s, busy_s = clock_s + time.process_time() - begun_s, busy_s + time.process_time() - begun_s
    begun_s = time.process_time()
    driver.finish()
    return Listened(pcm, events), busy_s + time.process_time() - begun_s


def library(pcm: bytes) -> tuple[Listened, float]:
    """The library's streaming, on the same clock, in a process of its own."""
    command = [sys.executable, "-m", "bench.stock", str(bundled.FOLDER / bundled.MOONSHINE)]
    done = subprocess.run(command, input=pcm, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    reported = json.loads(done.stdout)
    events: list[tuple[float, EngineEvent]] = [
        (at_s, FinalTurn(turn, text, start=start, end=end) if final else Partial(turn, text, start=start))
        for at_s, turn, text, start, end, final in reported["said"]
    ]
    return Listened(pcm, events), reported["cpu_s"]


def score(clips: Sequence[Clip], driver: str, harm: Callable[[Samples], Samples] | None = None) -> Score:
    """What a driver writes for the clips."""
    result = Score()
    for clip in clips:
        pcm = clip.pcm() if harm is None else pcm_of(harm(floats_of(clip.pcm())))
        made = library(pcm) if driver == "library" else driven(pcm, "live" if driver == "second pass" else "off")
        result.add(clip, *made)
    return result


def _noisy(sound: Samples) -> Samples:
    """White noise 10 dB below the speech."""
    noise = np.random.default_rng(1).normal(size=len(sound)).astype(np.float32)
    return (sound + noise * np.sqrt(np.mean(sound**2) / 10)).astype(np.float32)


def _at(db: float) -> Callable[[Samples], Samples]:
    return lambda sound: sound * np.float32(10 ** (db / 20) / np.sqrt(np.mean(sound**2)))


def _telephone(sound: Samples) -> Samples:
    return soxr.resample(soxr.resample(sound, RATE, 7000), 7000, RATE).astype(np.float32)


HARMS: Final = (
    ("pauses cut out", without_pauses),
    ("noise at 10 dB", _noisy),
    ("-35 dBFS", _at(-35)),
    ("-45 dBFS", _at(-45)),
    ("-60 dBFS", _at(-60)),
    ("telephone band", _telephone),
)


def _clips(report: Report) -> list[Clip]:
    clips = [*clips_of_the_wheel(), *clips_of_the_folder()]
    if not clips:
        report.add("not on this platform", 0, "", "moonshine-voice 0.1.0 has no wheel for it")
    return clips


def _add_wer(report: Report, name: str, result: Score) -> None:
    note = f"{result.wrong} of {result.words} words"
    report.add(f"WER, {name}", 100 * result.wrong / max(1, result.words), "%", note)


def measure_clean(report: Report) -> None:
    """Everything about the recordings as they are."""
    for driver in DRIVERS if (clips := _clips(report)) else ():
        result = score(clips, driver)
        _add_wer(report, driver, result)
        report.add(
            f"CPU per second of sound, {driver}", result.cpu_s / result.seconds, "s/s", f"{result.seconds:.0f} s"
        )
        for name, delays in (("onset → first partial", result.first_partials_s), ("end → final", result.finals_s)):
            report.add(f"{name}, {driver}, p50", 1000 * percentile(delays, 50), "ms", f"n = {len(delays)}")
            report.add(f"{name}, {driver}, p90", 1000 * percentile(delays, 90), "ms")
        report.add(f"words taken back per word, {driver}", result.taken_back / max(1, result.words), "")
        if result.confidences:
            wrong = sum(not right for _, right in result.confidences)
            report.add(f"confidence, ROC area, {driver}", result.roc_area, "", f"{wrong} wrong words")


def measure_whisper(report: Report) -> None:
    """Whisper base on whole clips, which is no live recognition: what is left to gain."""
    clips, result = _clips(report), Score()
    with tempfile.TemporaryDirectory() as folder:
        try:
            whisper = FasterWhisper.install(Path(folder))
        except subprocess.CalledProcessError:
            report.add("Whisper base", 0, "", "not measured: its packages cannot be installed here")
            return
        texts = whisper.transcribe([(clip.path, "en") for clip in clips], beam_size=5)
    for clip, (text, cpu_s) in zip(clips, texts, strict=True):
        result.add(clip, Listened(clip.pcm(), [(0.0, FinalTurn(0, text))]), cpu_s)
    _add_wer(report, "Whisper base, whole clips", result)
    report.add("CPU per second of sound, Whisper base", result.cpu_s / result.seconds, "s/s", f"{result.seconds:.0f} s")


def measure_offsets(report: Report) -> None:
    """The wheel's own from ten first samples: which words a small model gets right hangs on less than that."""
    clips = clips_of_the_wheel()
    for driver in DRIVERS if clips else ():
        rates: list[float] = []
        for offset in OFFSETS:
            result = score(clips, driver, lambda sound, offset=offset: sound[offset:])
            rates.append(100 * result.wrong / result.words)
        note = f"from {min(rates):.1f} to {max(rates):.1f} %"
        report.add(f"WER, mean of {len(rates)} offsets, {driver}", sum(rates) / len(rates), "%", note)


def measure_harmed(report: Report) -> None:
    """Pauses cut out, noise, quiet, telephone."""
    for name, harm in HARMS if (clips := _clips(report)) else ():
        for driver in DRIVERS:
            _add_wer(report, f"{name}, {driver}", score(clips, driver, harm))


def measure_key_terms(report: Report) -> None:
    """What a list of key terms gains where its words are said, and what it harms where they are not."""
    clips = _clips(report)
    rare = [_rare(_parts(clip.reference)) for clip in clips]
    spare = sorted(_rare(words())) if clips else []
    for sound, harm in (("clean", None), ("noise at 10 dB", _noisy)):
        for name, said, others in KEY_TERMS if clips else ():
            result, wrong, invented = Score(), 0, 0
            for at, clip in enumerate(clips):
                other = sorted(set().union(*rare) - rare[at])
                other += random.Random(at).sample(spare, DISTRACTORS - len(other))
                terms = (*(sorted(rare[at]) if said else ()), *(other if others else ()))
                pcm = clip.pcm() if harm is None else pcm_of(harm(floats_of(clip.pcm())))
                listened, cpu_s = driven(pcm, "live", key_terms=terms)
                result.add(clip, listened, cpu_s)
                text = set(_parts(listened.text))
                wrong += len(rare[at] - text)
                invented += len((set(terms) & text) - set(_parts(clip.reference)))
            _add_wer(report, f"{sound}, key terms: {name}", result)
            note = f"of {sum(map(len, rare))}; {invented} of the list that nobody said"
            report.add(f"{sound}, rare words wrong: {name}", wrong, "words", note)


def _rare(words: Iterable[str]) -> set[str]:
    """The words that the model has no token of its own for, which stand for names and terms."""
    encode = models()[0].tokens.encode
    return {word for word in words if word.islower() and len(encode(word)) > 1 < len(encode(word.capitalize()))}


def measure_times(report: Report) -> None:
    """Where words begin, guessed and measured, beside another recogniser that was given the text."""
    clips = _clips(report)
    try:
        known = {clip.name: starts_of(clip.pcm(), spelled(clip.reference).split()) for clip in clips}
    except subprocess.CalledProcessError:
        report.add("word start", 0, "", "not measured: PocketSphinx cannot be installed here")
        return
    for word_times in get_args(ipc.WordTimes) if clips else ():
        errors_ms: list[float] = []
        cpu_s = 0.0
        for clip in clips:
            listened, clip_s = driven(clip.pcm(), "live", word_times)
            cpu_s += clip_s
            errors_ms += [1000 * abs(off) / RATE for off in _start_errors(clip, listened, known[clip.name])]
        near = sum(off <= NEAR_MS for off in errors_ms) / max(1, len(errors_ms))
        report.add(f"word start, {word_times}, error, p50", percentile(errors_ms, 50), "ms", f"{len(errors_ms)} words")
        report.add(f"word start, {word_times}, error, p90", percentile(errors_ms, 90), "ms")
        report.add(f"word start, {word_times}, within {NEAR_MS} ms", 100 * near, "%", f"{cpu_s:.0f} s of CPU")


def _start_errors(clip: Clip, listened: Listened, starts: Sequence[int]) -> list[int]:
    """By how many samples the words that were recognised begin too late; none of numbers that are digits."""
    if not starts:
        return []
    lines = {news.turn: news for _, news in listened.events if isinstance(news, FinalTurn)}
    timed = [
        (part, word.start)
        for line in lines.values()
        for word in line.words or ()
        for part in spelled(word.text).split()
    ]
    compared = jiwer.process_words(spelled(clip.reference), " ".join(part for part, _ in timed))
    return [
        said - starts[chunk.ref_start_idx + at]
        for chunk in compared.alignments[0]
        if chunk.type == "equal"
        for at, (_, said) in enumerate(timed[chunk.hyp_start_idx : chunk.hyp_end_idx])
        if said is not None
    ]


def measure_speech(report: Report) -> None:
    """What the session takes for speech: from levels alone, and as the detector says."""
    clips = _clips(report)
    for name, harm in (("clean", None), ("noise at 10 dB", _noisy), ("-45 dBFS", _at(-45))) if clips else ():
        missed, spoken = {"levels": 0, "detector": 0}, 0
        for clip in clips:
            clean = np.pad(floats_of(clip.pcm()), RATE)
            speech = SpeechFinder(models()[1]).feed(pcm_of(clean))
            gates = _gates(pcm_of(clean if harm is None else harm(clean)))
            spoken += sum(end - start for start, end in speech)
            for way, gate in gates.items():
                missed[way] += sum(end - start - gate.speaks(start, end) for start, end in speech)
        for way, samples in missed.items():
            report.add(f"speech missed, {name}, {way}", 100 * samples / spoken, "%", f"{spoken / RATE:.0f} s of speech")
    for noise in (hum, clatter, music) if clips else ():
        for way, gate in _gates(pcm_of(noise(NOISE_S))).items():
            taken_s = gate.speaks(0, NOISE_S * RATE) / RATE
            report.add(f"taken for speech, {noise.__name__}, {way}", 100 * taken_s / NOISE_S, "%", f"{NOISE_S} s")
    if clips:
        finder, begun_s = SpeechFinder(models()[1]), time.process_time()
        finder.feed(pcm_of(clatter(NOISE_S)))  # of silence it looks at the level alone
        report.add("CPU per second of sound, detector", (time.process_time() - begun_s) / NOISE_S, "s/s")


def _gates(pcm: bytes) -> dict[str, SpeechActivity]:
    levels, detector = SpeechActivity(), SpeechActivity()
    levels.feed(pcm)
    detector.feed(pcm, SpeechFinder(models()[1]).feed(pcm))
    return {"levels": levels, "detector": detector}


PARTS: Final = (
    Part("Recordings as they are", measure_clean),
    Part("Whisper base beside it", measure_whisper),
    Part("Ten first samples", measure_offsets),
    Part("Harmed", measure_harmed),
    Part("Key terms", measure_key_terms),
    Part("Word starts", measure_times),
    Part("Is there speech", measure_speech),
)
