"""Loops are found, and what people say twice or three times is not one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.local.recognizer.loops import LONGEST, SHORT, TIMES, TIMES_SHORT, loop_start, repetitive

BEFORE = [101, 102, 103]


@pytest.mark.parametrize("length", range(1, LONGEST + 1))
def test_a_phrase_that_comes_often_enough_is_a_loop_and_is_kept_once(length: int) -> None:
    phrase = list(range(length))
    times = TIMES_SHORT if length <= SHORT else TIMES
    for count in range(1, times):
        assert loop_start([*BEFORE, *phrase * count]) is None
    assert loop_start([*BEFORE, *phrase * times]) == len(BEFORE) + length


def test_a_phrase_longer_than_a_sentence_is_no_loop() -> None:
    assert loop_start([*range(LONGEST + 1)] * TIMES) is None


@given(st.lists(st.integers(0, 3), max_size=80))
def test_what_is_kept_of_a_loop_begins_like_the_loop_and_has_none_itself(tokens: list[int]) -> None:
    kept: list[int] = []
    for token in tokens:  # as a decoder does: it looks after each token, and ends at a loop
        kept.append(token)
        if (length := loop_start(kept)) is not None:
            assert kept[:length] == tokens[:length]
            assert loop_start(kept[:length]) is None
            break


def test_the_text_of_a_loop_is_repetitive_and_prose_is_not() -> None:
    assert repetitive("the same as " * 36)
    assert not repetitive("No, no, no, no, no.")
    assert not repetitive(
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, "
        "it was the epoch of belief, it was the epoch of incredulity, it was the season of light"
    )
