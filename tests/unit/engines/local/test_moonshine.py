"""The decoding steps of the embedded model, with its real weights."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from conftest import Speech
from mictape.engines.local.recognizer.model import NOTHING, completed
from mictape.engines.local.recognizer.moonshine import _DecoderState
from mictape.engines.local.recognizer.tokens import BEGIN
from mictape.units import RATE
from mictape.vad.onnx import Array
from support.local_engine import samples_of
from support.recognizing import floats_of, models, recognize


@pytest.fixture(scope="module")
def hidden(speech: Speech) -> Array:
    return models()[0].encode(floats_of(samples_of(speech.beckett))[: 2 * RATE])


def test_the_keys_of_the_sound_count_for_every_hypothesis_without_being_repeated(hidden: Array) -> None:
    """A runtime that does not broadcast them fails here. Alone, a hypothesis would be rounded otherwise, in 8 bits."""
    once, repeated = (_DecoderState(models()[0]._decoder, hidden, [BEGIN]) for _ in range(2))
    for parents, tokens in (([0, 0, 0], [100, 200, 300]), ([2, 0, 0, 1], [400, 500, 600, 700]), ([3, 1], [800, 900])):
        inputs = repeated._inputs
        repeated._inputs = {
            **inputs,
            **{name: np.repeat(inputs[name][:1], len(parents), 0) for name in inputs if "encoder" in name},
        }
        np.testing.assert_allclose(once.advance(parents, tokens), repeated.advance(parents, tokens), atol=0.1)


class Steps:
    """Counts the steps of decoders."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._count, advance = 0, _DecoderState.advance

        def counted(state: _DecoderState, parents: Sequence[int], tokens: Sequence[int]) -> Array:
            self._count += 1
            return advance(state, parents, tokens)

        monkeypatch.setattr(_DecoderState, "advance", counted)

    def new(self) -> int:
        """Those since the last question."""
        count, self._count = self._count, 0
        return count


def test_a_draft_takes_no_step_behind_a_sentence_and_the_next_one_goes_on_there(
    speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, sound, steps = models()[0], floats_of(samples_of(speech.two_cities)), Steps(monkeypatch)
    line = recognize(samples_of(speech.two_cities)).turns[0]
    piece = sound[line.start : line.end]
    assert line.text.count(".") == 2, "two sentences in one breath"
    steps.new()
    draft, lengths, stops, taken = NOTHING, [0], list[int](), list[int]()
    for _ in range(3):
        draft = model.draft(piece, draft)
        lengths.append(sum(len(word.tokens) for word in draft.words))
        stops.append(sum(word.text.count(".") for word in draft.words))
        taken.append(steps.new())
    assert stops == [1, 2, 2]
    assert taken[:2] == [longer - shorter - 1 for shorter, longer in pairwise(lengths[:3])]
    assert taken[2] == 0, "the first pass shows that the text is over"


def test_a_draft_saves_steps_and_changes_no_word(speech: Speech, monkeypatch: pytest.MonkeyPatch) -> None:
    model, sound, steps = models()[0], floats_of(samples_of(speech.beckett)), Steps(monkeypatch)
    saved = list[int]()
    for line in recognize(samples_of(speech.beckett)).turns[2:6]:  # the model is sure of two of them
        piece = sound[line.start : line.end]
        draft, other = model.draft(piece, NOTHING), model.draft(sound[: 3 * RATE], NOTHING)
        steps.new()
        without, alone = completed(model.decoding(piece)), steps.new()
        drafted, beside = completed(model.decoding(piece, draft=draft)), steps.new()
        assert [word.text for word in drafted.words] == [word.text for word in without.words]
        assert drafted.mean_log_prob == pytest.approx(without.mean_log_prob, abs=0.1)
        misled = completed(model.decoding(piece, draft=other))
        assert [word.text for word in misled.words] == [word.text for word in without.words]
        if not saved:
            terms, beside_them = (
                completed(model.decoding(piece, ("Molloy",), draft=each)) for each in (NOTHING, draft)
            )
            assert terms.words == beside_them.words, "with key terms nothing is known of other texts"
        saved.append(alone - beside)
        assert saved[-1] > 0 or drafted == without, "where the draft does not do, nothing of it is left"
    assert sorted(saved)[:2] == [-1, -1], "one step in place of a first pass"
    assert sorted(saved)[2] > 1


def test_a_draft_that_does_not_do_leaves_nothing_behind(hidden: Array) -> None:
    """The search begins with the very numbers that it would have without a draft."""
    fresh, used = (_DecoderState(models()[0]._decoder, hidden, tokens) for tokens in ([BEGIN], [BEGIN, 500, 600]))
    used.shorten(0)
    assert np.array_equal(used.advance([0], [BEGIN]), fresh.logits)
    assert np.array_equal(used.advance([0, 0], [700, 800]), fresh.advance([0, 0], [700, 800]))
