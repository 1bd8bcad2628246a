"""Moonshine's tokens: read, written out as text, and found again for a text."""

from pathlib import Path

import pytest

from conftest import Speech
from mictape.engines.local.recognizer.model import completed
from mictape.engines.local.recognizer.tokens import Tokens
from mictape.units import RATE
from support.local_engine import samples_of
from support.recognizing import floats_of, models


def test_lengths_of_two_bytes_andpieces_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.bin"
    long = b"x" * 300
    file.write_bytes(b"\x01a\x00" + bytes([128 + 300 % 128, 300 // 128]) + long)
    assert Tokens.load(file).pieces == [b"a", b"", long]
    for broken in (b"\x05ab", b"\x80"):
        file.write_bytes(broken)
        with pytest.raises(ValueError, match="ends inside"):
            Tokens.load(file)


def test_a_letter_inpieces_is_whole_again_and_words_are_parted() -> None:
    space = "\u2581".encode()
    tokens = Tokens([b"", b"", b"", space + b"caf", b"\xc3", b"\xa9", space + b"is", space])
    assert tokens.text([3, 4, 5, 6]) == "café is"
    assert tokens.words([3, 4, 5, 6]) == [(0, 3), (3, 4)]
    assert tokens.words([3, 4]) == [(0, 2)]
    assert tokens.words([6, 7]) == [(0, 1)], "a space alone is no word"


def test_a_comma_that_the_model_repeats_is_written_once() -> None:
    tokens = models()[0].tokens
    assert tokens.text([*tokens.encode("know,"), *tokens.encode("a,")[-1:]]) == "know,"
    assert tokens.text(tokens.encode("4,242,")) == "4,242,"


@pytest.mark.parametrize(
    "text", ["the", "Abigail Claflin", "Asterisk", "AntiBERTa", "naïve café", "it's 4,242", "東京", "\N{GRINNING FACE}"]
)
def test_a_text_comes_back_from_its_tokens(text: str) -> None:
    tokens = models()[0].tokens
    encoded = tokens.encode(text)
    assert tokens.text(encoded) == text
    assert tokens.begins_word(encoded[0])


def test_a_text_has_the_tokens_that_the_model_itself_writes(speech: Speech) -> None:
    model = models()[0]
    words = completed(model.decoding(floats_of(samples_of(speech.two_cities))[: 14 * RATE])).words
    assert len(words) > 20
    assert [tuple(model.tokens.encode(word.text)) for word in words] == [word.tokens for word in words]
