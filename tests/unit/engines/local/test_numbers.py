"""One written form for numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.local.recognizer.model import RecognizedWord
from mictape.engines.local.recognizer.numbers import written


def form(text: str) -> str:
    return " ".join(word.text for word in written([RecognizedWord(word) for word in text.split()]))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        # Years
        ("in nineteen seventy.", "in 1970."),
        ("Eighteen twenty eight was", "1828 was"),
        ("in nineteen oh five,", "in 1905,"),
        ("the nineteen seventies", "the 1970s"),
        ("the nineteen seventy S..", "the 1970s.."),
        ("twenty twenty-six", "2026"),
        ("In 1828 and 1970s", "In 1828 and 1970s"),
        ("two thousand and five", "2005"),
        ("eighteen hundred", "1800"),
        # Strings of digits
        ("dial five, zero, zero.", "dial 500."),
        ("four two four two", "4242"),
        ("eight five, zero, zero", "8500"),
        ("5, 0, 0", "500"),
        ("error four oh four", "error 404"),
        # What counts or enumerates stays
        ("one two three", "one two three"),
        ("five, four, three", "five, four, three"),
        ("two, three times", "two, three times"),
        ("eight, nine, ten", "eight, nine, ten"),
        ("eight, nine, ten, eleven", "eight, nine, ten, eleven"),
        ("platforms one and three", "platforms one and three"),
        ("twenty-four seven", "twenty-four seven"),
        ("twenty first", "twenty first"),
        # Single digits are words
        ("press one", "press one"),
        ("press 1, or 8 to exit.", "press one, or eight to exit."),
        ("8 people. 2 left", "Eight people. Two left"),
        ("$5 and 5% and #3", "$5 and 5% and #3"),
        # Cardinals
        ("twelve men and forty-two women", "12 men and 42 women"),
        ("twenty five", "25"),
        ("one hundred and twenty", "120"),
        ("nine hundred and ninety nine thousand and one", "999001"),
        ("one hundred and they left", "100 and they left"),
        ("twenty five million", "25 million"),
        ("three million", "three million"),
        ("three point one four", "3.14"),
        ("at this point five", "at this point five"),
        ("a hundred, twenty", "a hundred, 20"),
        # Names
        ("Ocean's Eleven", "Ocean's Eleven"),
        ("No one", "No one"),
        ("the one I want", "the one I want"),
        ("(ten)", "(10)"),
        ("-", "-"),
    ],
)
def test_numbers_have_one_form(said: str, shown: str) -> None:
    assert form(said) == shown
    assert form(shown) == shown, "and keep it"


_VOCABULARY = (
    "zero one two three four five six seven eight nine ten eleven thirteen nineteen twenty thirty seventy seventies "
    "twenty-one hundred thousand million and point oh first S 1 5 1970 the press ."
)
VOCABULARY = _VOCABULARY.split()


@given(st.lists(st.tuples(st.sampled_from(VOCABULARY), st.sampled_from(["", ",", "."])), max_size=12))
def test_no_token_is_lost_and_the_form_is_kept(said: list[tuple[str, str]]) -> None:
    words = [RecognizedWord(word + mark, -0.5, (at,)) for at, (word, mark) in enumerate(said)]
    result = written(words)
    assert [token for word in result for token in word.tokens] == list(range(len(words)))
    assert sum(word.log_prob or 0.0 for word in result) == pytest.approx(-0.5 * len(words))


def test_a_joined_number_has_the_time_and_the_confidence_of_its_words() -> None:
    words = [RecognizedWord("nineteen", -0.1, (4,), 10, 20), RecognizedWord("seventy.", -0.2, (5, 6), 20, 35)]
    (number,) = written(words)
    assert (number.text, number.tokens, number.start, number.end) == ("1970.", (4, 5, 6), 10, 35)
    assert number.log_prob == pytest.approx(-0.3)
