"""What we ask of transcribe-cpp: Whisper's choices."""

from pathlib import Path

import numpy as np
import pytest

from mictape.engines.local.recognizer.model import completed
from mictape.engines.local.recognizer.segmenter import WINDOWED
from mictape.engines.local.runtimes.transcribe_cpp import TranscribeCpp
from mictape.units import RATE
from support.whisper_files import unsure_whisper

pytest.importorskip("transcribe_cpp")


def text_of(path: Path) -> str:
    model = TranscribeCpp(path, "de")
    assert model.rules == WINDOWED
    decoded = completed(model.decoding(np.zeros(RATE, np.float32)))
    return " ".join(word.text for word in decoded.words)


def test_whisper_says_the_same_of_the_same_sound_where_it_is_unsure(tmp_path: Path) -> None:
    path = unsure_whisper(tmp_path / "model.gguf", loops=False)
    text = text_of(path)
    assert len(set(text.split())) > 10
    assert text_of(path) == text


def test_whisper_decodes_again_where_it_repeats_itself_and_still_says_the_same(tmp_path: Path) -> None:
    path = unsure_whisper(tmp_path / "model.gguf", loops=True)
    text = text_of(path)
    assert len(set(text.split())) > 4, "at first it says one word again and again"
    assert text_of(path) == text
