"""How the tests and benchmarks compare what was recognized with what was said."""

import pytest

from support.references import normal, word_error_rate


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("in eighteen thirteen", "In eighteen, thirteen."),
        ("in eighteen thirteen", "In 1813."),
        ("go forward ten meters", "Go forward 10 meters."),
        ("twenty-six of them", "26 of them"),
        ("eight thousand five hundred", "8,500"),
        ("three point five", "3.5"),
        ("one, two, three", "1 2 3"),
    ],
)
def test_numbers_are_right_however_they_are_written(reference: str, text: str) -> None:
    assert word_error_rate(reference, text) == 0


def test_other_numbers_are_wrong() -> None:
    assert normal("In 1813, that's it!") == "in one eight one three that's it"
    assert word_error_rate("in eighteen thirteen", "In 1830.") == 2 / 5
