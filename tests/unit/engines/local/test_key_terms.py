"""Key terms: a bounded bonus on the way, given back when a term is not finished; and their spelling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.local.recognizer.key_terms import BONUS, MOST, OUTSIDE, Bias, BiasState, respelled
from mictape.engines.local.recognizer.model import RecognizedWord

SPACE = "\u2581"
PIECES = ["", "<s>", "</s>", f"{SPACE}a", "b", "c", f"{SPACE}new", f"{SPACE}york", "er", ".", f"{SPACE}x", "'", "s"]
NUMBERS = {piece: number for number, piece in enumerate(PIECES)}
END = 2


def bias(*terms: str) -> Bias:
    spelled = {term.lower(): term.split("|") for term in terms}
    return Bias(
        [term.lower() for term in terms],
        lambda text: [NUMBERS[piece] for piece in spelled.get(text, [])],
        [piece.encode() for piece in PIECES],
    )


def walk(favour: Bias, *pieces: str) -> tuple[float, BiasState]:
    """The bonus in all of a sequence, and the state behind it."""
    state, bonus = OUTSIDE, 0.0
    for piece in pieces:
        token = NUMBERS[piece]
        bonus += float(favour.adjusted(np.zeros(len(PIECES)), state)[token])
        state = favour.after(state, token)
    return bonus, state


ABC = f"{SPACE}a|b|c"
NEW = f"{SPACE}new"
NEW_YORK = f"{SPACE}new|{SPACE}york"


def test_each_token_of_a_term_earns_a_bonus_up_to_the_most() -> None:
    favour = bias(ABC)
    assert walk(favour, f"{SPACE}a")[0] == BONUS
    assert walk(favour, f"{SPACE}a", "b")[0] == 2 * BONUS
    assert walk(favour, f"{SPACE}a", "b", "c")[0] == MOST


def test_a_term_that_is_left_unfinished_gives_its_bonus_back() -> None:
    favour = bias(ABC)
    for behind in ("er", ".", f"{SPACE}x", PIECES[END]):
        assert walk(favour, f"{SPACE}a", "b", behind)[0] == pytest.approx(0)


def test_a_whole_term_keeps_its_bonus_in_front_of_a_word_punctuation_or_the_end_and_not_inside_a_word() -> None:
    favour = bias(ABC)
    for behind in (f"{SPACE}x", ".", "'", PIECES[END]):
        assert walk(favour, f"{SPACE}a", "b", "c", behind)[0] == MOST
    assert walk(favour, f"{SPACE}a", "b", "c", "er")[0] == pytest.approx(0)


def test_a_term_begins_with_a_word() -> None:
    assert walk(bias(ABC), f"{SPACE}x", "b", "c")[0] == 0


def test_no_term_earns_a_bonus_twice_in_a_row() -> None:
    favour = bias(ABC)
    term = (f"{SPACE}a", "b", "c")
    assert walk(favour, *term, *term)[0] == MOST
    assert walk(favour, *term, ".", *term)[0] == MOST, "punctuation between does not part them"
    assert walk(favour, *term, f"{SPACE}x", *term)[0] == 2 * MOST


def test_a_term_that_goes_on_from_another_one() -> None:
    favour = bias(NEW, NEW_YORK)
    assert walk(favour, f"{SPACE}new", f"{SPACE}x")[0] == BONUS
    assert walk(favour, f"{SPACE}new", f"{SPACE}york", ".")[0] == 2 * BONUS
    assert walk(favour, f"{SPACE}new", f"{SPACE}york", "er")[0] == BONUS, "what remains is the shorter term"


@given(st.lists(st.sampled_from([piece for piece in PIECES if piece and piece != "<s>"]), max_size=14))
def test_a_sequence_never_earns_more_than_its_whole_terms(pieces: list[str]) -> None:
    favour = bias(ABC, NEW, NEW_YORK)
    bonus, state = walk(favour, *pieces)
    whole = " ".join(pieces).count(f"{SPACE}a b c") * MOST
    whole += pieces.count(f"{SPACE}new") * BONUS + " ".join(pieces).count(f"{SPACE}new {SPACE}york") * BONUS
    assert -1e-9 <= bonus - favour.owed(state) <= whole + 1e-9


def texts(said: str, *terms: str) -> str:
    return " ".join(word.text for word in respelled([RecognizedWord(text) for text in said.split()], terms))


@pytest.mark.parametrize(
    ("said", "spelled"),
    [
        ("Antiberta and a tape.", "AntiBERTa and a tape."),
        ("use antiberta, please", "use AntiBERTa, please"),
        ("Antiberta's use", "AntiBERTa's use"),
        ("Kettle on. Kettle off, Kettle.", "Kettle on. Kettle off, kettle."),
        ("the new york times", "the New York times"),
        ("the new yorker", "the new yorker"),
        ("send an email", "send an e-mail"),
        ("Vitamin C", "Vitamin C"),
        ("an anti berta", "an anti berta"),
    ],
)
def test_a_term_is_spelled_as_the_person_spells_it(said: str, spelled: str) -> None:
    assert texts(said, "AntiBERTa", "kettle", "New York", "e-mail", "C++") == spelled
