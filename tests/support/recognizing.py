"""The embedded recogniser in this process, without pipes: for its tests and its benchmark."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from mictape import bundled
from mictape.engines.local import ipc
from mictape.engines.local.recognizer.moonshine import Moonshine
from mictape.engines.local.recognizer.segment_driver import Options, SegmentDriver
from mictape.units import RATE
from mictape.vad.onnx import Network, Samples
from mictape.vad.silero import FRAME, SpeechDetector

BLOCK = RATE // 10


@dataclass
class Recognized:
    """What was said about a recording."""

    reports: list[ipc.Report]

    @property
    def turns(self) -> list[ipc.TurnReport]:
        """The lines as they stand in the end."""
        final = [said for said in self.reports if isinstance(said, ipc.TurnReport) and said.final]
        return list({turn.turn: turn for turn in final}.values())

    @property
    def text(self) -> str:
        return " ".join(turn.text for turn in self.turns)


def times(turn: ipc.TurnReport) -> list[tuple[int, int]]:
    """Where each word of a line begins and ends; the embedded engine knows it of all of them, or guesses."""
    found = [(word.start, word.end) for word in turn.words if word.start is not None and word.end is not None]
    assert len(found) == len(turn.words)
    return found


@cache
def models() -> tuple[Moonshine, Network]:
    return Moonshine(bundled.FOLDER / bundled.MOONSHINE), SpeechDetector.load()


def pcm_of(samples: Samples) -> bytes:
    return np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def floats_of(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)


def recognize(
    sound: bytes | Samples,
    *,
    partials: bool = False,
    second_pass: ipc.SecondPass = "off",
    word_times: ipc.WordTimes = "estimated",
    key_terms: tuple[str, ...] = (),
) -> Recognized:
    """Everything said about a recording, block after block."""
    reports: list[ipc.Report] = []
    model, voice = models()
    driver = SegmentDriver(1, model, voice, reports.append, Options(second_pass=second_pass, word_times=word_times))
    driver.key_terms = key_terms
    pcm = sound if isinstance(sound, bytes) else pcm_of(sound)
    for at in range(0, len(pcm), 2 * BLOCK):
        driver.feed(pcm[at : at + 2 * BLOCK])
        driver.report_progress()
        if partials:
            driver.update_partial()
    driver.finish()
    driver.report_progress()
    return Recognized(reports)


def without_pauses(sound: Samples) -> Samples:
    """Speech with its pauses cut down to 60 ms, where it is neither loud nor likely speech: soft consonants stay."""
    detector, quiet, kept = SpeechDetector(models()[1]), 0, list[Samples]()
    for at in range(0, len(sound) - FRAME, FRAME):
        frame = sound[at : at + FRAME]
        silent = detector.probability(frame) < 0.5 and detector.level_db < -45
        quiet = quiet + 1 if silent else 0
        if quiet <= 2:
            kept.append(frame)
    return np.concatenate(kept)
