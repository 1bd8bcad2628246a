"""What can be done about a failure is an action: each front end says how, and nothing below the screens names a key."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

import mictape
from mictape.cli.output import explained as explained_on_the_command_line
from mictape.commands import COMMANDS, explained, keys_for
from mictape.failure import LONGEST_SENTENCE, Action, Advice, Failure

PACKAGE = Path(mictape.__file__).parent
OF_SCREENS = ("screens", "commands.py", "app.py", "cli", "__main__.py")
NAMES_A_KEY = re.compile(
    r"\b(press|hit)\b|\bkey [a-z]\b|\bCtrl-|\bEsc\b|\bwith [b-zA-Z<>+/?](?![\w'])"
    r"|·\s[a-z] to\b|(^|[;:,.] )[a-zA-Z] (to |leaves|shows|chooses|marks|removes)|\bspace (resumes|pauses)",
)


@pytest.mark.parametrize("action", get_args(Action))
def test_every_action_has_a_key_in_the_app(action: Action) -> None:
    assert keys_for(action)


def test_an_advice_is_shown_with_its_key() -> None:
    lost = Failure("The microphone is gone", "Choose another device", action="choose_device")
    assert explained(lost) == "The microphone is gone. Choose another device (d)."
    assert explained(lost, {"choose_device": "f7"}) == "The microphone is gone. Choose another device (f7)."
    assert explained_on_the_command_line(lost) == "The microphone is gone. Choose another device (--device NAME)."
    assert str(lost) == "The microphone is gone. Choose another device."


def test_an_advice_in_a_dialog_is_shown_with_both_keys() -> None:
    assert (
        explained(Advice("There is one more", "Add it", action="add_device"))
        == "There is one more. Add it (d, then +)."
    )


def test_what_needs_no_action_is_a_sentence() -> None:
    assert explained(Advice("The engine is behind")) == "The engine is behind."
    assert explained(Advice("Is this right?", "Look")) == "Is this right? Look."


def _sentences(path: Path) -> list[tuple[int, str]]:
    """The texts of a module with their lines, without docstrings."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


def test_no_sentence_below_the_screens_names_a_key() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] not in OF_SCREENS]
    assert len(files) > 100
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in files
        for line, text in _sentences(path)
        if " " in text and "{ " not in text and NAMES_A_KEY.search(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "sentence",
    [
        "Looking for the device; press d to choose another.",
        "Choose another device with d, or plug it in again",
        "Go to one with < or >",
        "38 s not transcribed: the network was down · c to complete",
        "The file has ended; q leaves.",
        "Nothing is recorded; space resumes.",
        "Is this the right microphone? No. d shows the level of every one.",
        "the sound settings under Input, or press d and then Ctrl-U on the device",
    ],
)
def test_the_search_finds_what_used_to_be_there(sentence: str) -> None:
    assert NAMES_A_KEY.search(sentence)


def test_commands_are_named_once() -> None:
    ids = [command.id for command in COMMANDS]
    assert len(ids) == len(set(ids))


def test_a_sentence_keeps_its_ends_whatever_is_in_it() -> None:
    advice = Advice(f"{'a' * 1_000_000} cannot be written", f"Read {'b' * 1_000_000}")
    for text in (advice.what, advice.remedy):
        assert len(text) <= LONGEST_SENTENCE + len(" … ")
    assert advice.what.endswith("cannot be written")
    assert advice.remedy.startswith("Read b")
    just = "c" * LONGEST_SENTENCE
    assert Advice(just).what == just
