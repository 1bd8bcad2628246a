"""How many key terms a service takes, and what is said about the others."""

import pytest

from mictape.engines.deepgram.engine import DeepgramEngine
from mictape.engines.key_terms import ANY, Limits, Terms


def taken(limits: Limits, *terms: str) -> tuple[str, ...]:
    return Terms("X", limits, terms).taken


def test_those_of_the_settings_go_first_and_none_goes_twice() -> None:
    assert Terms("X", ANY, ("b", "a"), ("c", "a", " ")).taken == ("b", "a", "c")


def test_other_terms_of_the_session_leave_those_of_the_settings() -> None:
    assert Terms("X", ANY, ("a",), ("b",)).with_others(("c",)).taken == ("a", "c")
    assert Terms("X", ANY, ("a",), ("b",)).with_others(()).taken == ("a",)


@pytest.mark.parametrize(
    ("limits", "terms", "fitting"),
    [
        (Limits(most=2), ("a", "b", "c"), ("a", "b")),
        (Limits(longest=2), ("aaa", "bb"), ("bb",)),
        (Limits(total=4), ("aaa", "bb", "c"), ("aaa", "c")),
        (Limits(forbidden="<>\r\n"), ("a<b", "c\nd", "e"), ("e",)),
    ],
)
def test_what_does_not_fit_is_left_out_and_said(
    limits: Limits, terms: tuple[str, ...], fitting: tuple[str, ...]
) -> None:
    every = Terms("The service", limits, terms)
    assert every.taken == fitting
    assert every.left_out.startswith(f"The service takes {len(fitting)} of {len(terms)} key terms: ")
    assert str(limits) in every.left_out


def test_what_fits_is_not_spoken_of() -> None:
    assert Terms("X", Limits(most=2), ("a", "b")).left_out == ""


def test_deepgram_s_tokens_are_counted_before_they_are_sent() -> None:
    # 500 tokens: over them the service stops transcribing without a word.
    terms = tuple(f"an unusual name {number}" for number in range(200))
    limits = DeepgramEngine.key_terms
    assert limits is not None
    fitting = taken(limits, *terms)
    assert 60 <= len(fitting) <= 90
    assert fitting == terms[: len(fitting)]
