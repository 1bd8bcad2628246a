"""What is left out and what is taken as answered: only silence, by the levels and by the detector."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from mictape.engines.base import Capabilities
from mictape.intervals import Interval
from mictape.recognition.live import Plan
from mictape.units import RATE
from mictape.vad.client import Listening
from support import virtual_time
from support.follower_harness import REMOTE, FollowerHarness, said
from support.scripted import SLOT, ScriptedEngine, spoken

WORDS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]


class Detector:
    """Finds speech in these stretches of the tape, whatever is there."""

    def __init__(self, *speech: Interval) -> None:
        self._speech = speech
        self._at = 0

    def stream(self) -> "Detector":
        return self

    async def find(self, pcm: bytes) -> list[Interval]:
        first, self._at = self._at, self._at + len(pcm) // 2
        pieces = ((max(first, start), min(self._at, end)) for start, end in self._speech)
        return [(start, end) for start, end in pieces if start < end]

    def close(self) -> None:
        pass


def followed(
    folder: Path, words: Sequence[int], engine: ScriptedEngine, *speech: Interval, plan: Plan | None = None
) -> FollowerHarness:
    """A finished tape with these words on it, followed with a detector that finds speech there only."""
    detector = cast("Listening", Detector(*speech))
    harness = FollowerHarness(folder, engine, plan=plan or Plan(), listening=detector)
    harness.write(spoken(words))
    harness.end()
    virtual_time.run(harness.follow())
    return harness


def test_sound_that_the_detector_takes_for_no_speech_is_sent(tmp_path: Path) -> None:
    # Singing, a child, whispering near the microphone: loud, and no speech to the detector.
    script = [*[0] * 20, *WORDS, *[0] * 40, *WORDS, *[0] * 20]
    harness = followed(tmp_path, script, ScriptedEngine(REMOTE))
    assert harness.words == said(script)
    assert 2 * RATE < harness.coverage.left_out.total < 80 * SLOT, "silence is still left out"
    assert harness.settled()


def test_speech_that_the_levels_take_for_silence_is_sent(tmp_path: Path) -> None:
    script = [*[0] * 100, *WORDS]
    everything = followed(tmp_path, script, ScriptedEngine(REMOTE), (0, 100 * SLOT))
    assert everything.coverage.left_out.total == 0


def test_everything_is_sent_when_asked_for(tmp_path: Path) -> None:
    script = [*WORDS, *[0] * 100, *WORDS]
    harness = followed(tmp_path, script, ScriptedEngine(REMOTE), plan=Plan(send_all=True))
    assert harness.words == said(script)
    assert harness.coverage.left_out.total == 0


def test_a_billed_connection_stays_open_during_sound_that_is_no_speech(tmp_path: Path) -> None:
    billed = Capabilities(fastest_pace=1.0, word_times=True, billed=True)
    script = [*WORDS * 12, *[0] * 10]
    engine = ScriptedEngine(billed)
    harness = followed(tmp_path, script, engine, plan=Plan(idle_s=5.0))
    assert harness.words == said(script)
    assert engine.opened == 1


@pytest.mark.parametrize("blank", [1, 2, 9])
def test_certain_speech_that_is_answered_with_nothing_is_tried_once_more_and_then_a_gap(
    blank: int, tmp_path: Path
) -> None:
    engine = ScriptedEngine(Capabilities(endpointing="follower"), turn_words=1000, blank=blank)
    script = [*WORDS, *[0] * 10, *WORDS, *[0] * 10]
    speech = (0, len(WORDS) * SLOT)
    second = (20 * SLOT, 30 * SLOT)
    harness = followed(tmp_path, script, engine, speech, second)
    gaps = harness.coverage.gaps
    if blank == 1:
        assert harness.words == said(script), "a second connection had it"
        assert gaps == ()
    elif blank == 2:
        assert harness.words == said(WORDS), "the second utterance has text, the first one is a gap"
        assert [gap.why for gap in gaps] == ["The engine wrote nothing for 2 s of speech"]
        assert gaps[0].start == 0
        assert 9 * SLOT <= gaps[0].end <= 20 * SLOT
    else:
        assert harness.words == []
        assert {gap.why for gap in gaps} == {"The engine wrote nothing for 2 s of speech"}
    assert engine.opened == {1: 2, 2: 3, 9: 5}[blank]
    assert harness.settled()


def test_nothing_is_missed_where_nobody_surely_speaks(tmp_path: Path) -> None:
    engine = ScriptedEngine(Capabilities(endpointing="follower"), turn_words=1000, blank=9)
    harness = followed(tmp_path, [*WORDS, *[0] * 10], engine)
    assert engine.opened == 1
    assert harness.coverage.gaps == ()
    assert harness.settled()


def test_a_dead_server_s_silence_about_certain_speech_is_a_gap(tmp_path: Path) -> None:
    engine = ScriptedEngine(REMOTE, mute=True)
    script = WORDS * 10
    harness = followed(tmp_path, script, engine, (0, len(script) * SLOT))
    assert harness.coverage.gaps
    assert harness.settled()


def test_a_server_of_one_s_own_may_be_busy_for_longer(tmp_path: Path) -> None:
    hasty, patient = (
        ScriptedEngine(Capabilities(fastest_pace=1.0, patience_s=patience_s), mute=True) for patience_s in (5.0, 60.0)
    )
    script = [*WORDS * 15]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    followed(tmp_path / "a", script, hasty, (0, len(script) * SLOT))
    followed(tmp_path / "b", script, patient, (0, len(script) * SLOT))
    assert hasty.opened > 1
    assert patient.opened == 1
