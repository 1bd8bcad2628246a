"""When words are said."""

from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.local.recognizer.model import RecognizedWord
from mictape.engines.local.recognizer.word_times import LATE, guessed, onset, timed
from mictape.vad.silero import FRAME


def named(*texts: str) -> list[RecognizedWord]:
    return [RecognizedWord(text) for text in texts]


def spans(words: tuple[RecognizedWord, ...]) -> list[tuple[int, int]]:
    return [(word.start, word.end) for word in words if word.start is not None and word.end is not None]


def test_guessed_times_skip_the_pause() -> None:
    voiced = [*range(0, 5 * FRAME, FRAME), *range(30 * FRAME, 35 * FRAME, FRAME)]
    found = spans(guessed(named("one", "two", "three"), voiced, 0, 36 * FRAME))
    assert found[0][0] == 0
    assert found[-1][1] == 35 * FRAME
    assert not any(6 * FRAME < start < 30 * FRAME for start, _ in found)


def test_guessed_starts_are_as_much_earlier_as_they_would_be_late() -> None:
    voiced = range(0, 100 * FRAME, FRAME)
    (_, (start, _)) = spans(guessed(named("four", "four"), voiced, 0, 100 * FRAME))
    assert start == 50 * FRAME - LATE


@given(
    st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1, max_size=30),
    st.sets(st.integers(0, 200), max_size=120),
    st.integers(0, 3 * FRAME),
)
def test_words_are_in_order_within_their_line_and_none_ends_after_the_next_begins(
    texts: list[str], frames: set[int], start: int
) -> None:
    end = start + 201 * FRAME
    found = spans(guessed(named(*texts), [start + frame * FRAME for frame in sorted(frames)], start, end))
    edges = [edge for span in found for edge in span]
    assert edges == sorted(edges)
    assert len(found) == len(texts)
    assert start <= edges[0]
    assert edges[-1] <= end


def test_times_that_the_model_gives_are_kept() -> None:
    words = [RecognizedWord("one", start=100, end=900), RecognizedWord("two", start=800, end=2000)]
    assert spans(timed(words, [], 0, 1500)) == [(100, 800), (800, 1500)]


def test_a_word_found_shortly_before_a_pause_begins_behind_it() -> None:
    voiced = [*range(0, 20 * FRAME, FRAME), *range(40 * FRAME, 60 * FRAME, FRAME)]
    assert onset(18 * FRAME, 50 * FRAME, voiced) == 40 * FRAME, "the border is a little too early"
    assert onset(25 * FRAME, 50 * FRAME, voiced) == 40 * FRAME, "nobody speaks there"
    assert onset(8 * FRAME, 50 * FRAME, voiced) == 8 * FRAME, "a word that goes on across the pause"
    assert onset(18 * FRAME, 30 * FRAME, voiced) == 18 * FRAME, "a short word before the pause"
    assert onset(45 * FRAME, 50 * FRAME, voiced) == 45 * FRAME
    assert onset(18 * FRAME, 50 * FRAME, []) == 18 * FRAME
    closure = [*range(0, 20 * FRAME, FRAME), *range(22 * FRAME, 60 * FRAME, FRAME)]
    assert onset(18 * FRAME, 50 * FRAME, closure) == 18 * FRAME
