"""Neighbouring lines recognized again as one: what is taken from the joined text, and what is not."""

import pytest

from mictape.engines.local.recognizer.lines import Line, bordered
from mictape.engines.local.recognizer.loops import repetitive
from mictape.engines.local.recognizer.model import RecognizedWord
from mictape.engines.local.recognizer.second_pass import PAUSE, revised, split, trusted
from mictape.units import RATE


def words(text: str, log_prob: float = -0.1) -> tuple[RecognizedWord, ...]:
    return tuple(RecognizedWord(word, log_prob, (3,), 0, 1) for word in text.split())


def lines(*texts: str, cut: bool = False, apart: int = 0) -> list[Line]:
    """Lines of a second, cut from one another or `apart` by so many samples."""
    return [
        Line(
            turn,
            turn * (RATE + apart),
            turn * (RATE + apart) + RATE,
            words(text),
            cut=cut and turn < len(texts) - 1,
            continues=cut and turn > 0,
        )
        for turn, text in enumerate(texts)
    ]


def texts(*args: str, joined: str, cut: bool = False, apart: int = 0) -> list[str]:
    return [line.text for line in revised(lines(*args, cut=cut, apart=apart), words(joined))]


def test_joined_text_goes_back_to_its_lines() -> None:
    said = [words("It was the"), words("best off times,"), words("it was")]
    assert split(said, words("It was the best of times, it was")) == [0, 3, 6, 8]
    assert split(said, words("It was the very best of times, it was")) == [0, 3, 7, 9]
    assert split(said, words("best of times, it was")) is None, "the first line has nothing left"
    assert split([words("a"), words("b")], words("x y")) == [0, 1, 2]


def test_a_joined_text_with_other_numbers_of_words_is_trusted_when_the_model_is_surer_and_never_far_off() -> None:
    before = words("a b c d e f g h i j k l m n o p q r s t")
    assert trusted(before, words("a b c d e f g h i j k l m n o p q r s u", -0.9))
    assert not trusted(before, words("a b c d e f g h i j k l m n o p", -0.2))
    assert trusted(words(" ".join(word.text for word in before), -0.2), before[:16])
    assert not trusted(words(" ".join(word.text for word in before), -0.2), before[:14])
    assert not trusted(words("a b c d e f g h i j", -9.0), words("a b c d e f g h i j k l m n"))


def test_a_loop_is_never_trusted_however_sure_the_model_is() -> None:
    before = words("he said the same thing as they did and then they went home to eat with all the others " * 2, -1.35)
    assert not trusted(before, words("as the same " * 13, -0.01))


def test_what_was_said_twice_is_no_loop() -> None:
    said = "And so my fellow Americans ask not what your country can do for you ask what you can do for your country "
    assert repetitive(said * 2)
    assert trusted(words((said + said).replace("ask not", "as the"), -0.5), words(said * 2, -0.6))


def test_lines_keep_turn_and_place_when_they_are_revised() -> None:
    new = revised(lines("Hello", "word"), words("Hello world"))
    assert [(line.turn, line.start, line.end, line.text) for line in new] == [
        (0, 0, RATE, "Hello"),
        (1, RATE, 2 * RATE, "world"),
    ]
    group = lines("Hello", "word")
    assert revised(group, ()) == group


def test_a_line_with_the_same_words_keeps_its_punctuation_and_case_but_for_its_borders() -> None:
    assert texts("Well, I Think.", "So do they.", joined="Well I think, so, do they!") == [
        "Well, I Think,",
        "so do they.",
    ]


def test_behind_a_pause_no_comma_takes_the_place_of_a_full_stop_unless_the_words_beside_it_change() -> None:
    said, joined = ("To you in person.", "Eight of spades."), "to you in person, eight of spades."
    assert texts(*said, joined=joined, apart=PAUSE) == list(said)
    assert texts(*said, joined=joined, apart=PAUSE - 1) == ["To you in person,", "eight of spades."]
    stopped = ("The age of.", "Foolishness.")
    assert texts(*stopped, joined="The age of foolishness.", apart=PAUSE) == ["The age of", "foolishness."]
    assert texts("My fellow Americans.", "As not.", joined="My fellow Americans, ask not", apart=PAUSE) == [
        "My fellow Americans,",
        "ask not",
    ]


def test_a_line_with_other_words_takes_its_part_as_it_is() -> None:
    assert texts("Well, I sink.", "So do they.", joined="Well I think. So do they!") == ["Well I think.", "So do they."]


def test_borders_within_a_revision_fit_together() -> None:
    assert texts("I sink so", "That is it.", joined="I think so That is it.") == ["I think so", "that is it."]
    assert texts("I sink so.", "that is it.", joined="I think so. that is it.") == ["I think so", "that is it."]
    assert texts("I sink so", "Paris is it.", joined="I think so Paris is it.") == ["I think so", "Paris is it."]


@pytest.mark.parametrize(
    ("said", "continues", "cut", "shown"),
    [
        ("The end.", False, True, "The end"),
        ("The end.", True, False, "the end."),
        ("The end?", True, True, "the end?"),
        ("The end...", False, True, "The end..."),
        ("Paris is it.", True, False, "Paris is it."),
        ("I am.", True, True, "I am"),
        ("It's him.", True, True, "it's him"),
        ("US troops.", True, True, "US troops"),
        (".", False, True, "."),
    ],
)
def test_a_line_cut_off_has_no_full_stop_and_the_next_no_capital(
    said: str, continues: bool, cut: bool, shown: str
) -> None:
    assert bordered(Line(0, 0, RATE, words(said), continues=continues, cut=cut)).text == shown


def test_the_outer_borders_of_a_revision_are_those_of_cut_lines_too() -> None:
    first, last = lines("the ind", "Of it")
    group = [Line(0, 0, RATE, first.words, continues=True), Line(1, RATE, 2 * RATE, last.words, cut=True)]
    assert [line.text for line in revised(group, words("The end of it."))] == ["the end", "of it"]


def test_at_a_cut_no_word_is_added_or_left_out() -> None:
    """Half a word may lie on each side, and the line on the other side has it already, or relies on this one."""

    def revised_at_cuts(text: str, joined: str, *, continues: bool = False, cut: bool = False) -> str:
        line = Line(0, 0, RATE, words(text), continues=continues, cut=cut)
        return revised([line], words(joined))[0].text

    said = "how much there might"
    assert revised_at_cuts(said, "How much there might be", cut=True) == said
    assert revised_at_cuts(said, "how match there might be", cut=True) == "how match there might"
    assert revised_at_cuts("how much there might be", "how match there might", cut=True) == "how match there might be"
    assert revised_at_cuts("prudently in his power", "be prudently in this power", continues=True) == (
        "prudently in this power"
    )
    assert revised_at_cuts("be prudently in his power", "Prudently in this power", continues=True) == (
        "be Prudently in this power"
    )
    assert revised_at_cuts(said, "how much there mite", cut=True) == "how much there mite"
    assert revised_at_cuts(said, "how much there might be") == "how much there might be", "no cut"
