"""Real words in other languages: Whisper base through the local engine, beside the same weights in their own tool.

`MICTAPE_SPEECH` names a folder of clips with a `manifest.tsv` that says their language; without it there is nothing to
recognize. The weights come from the packages that publish them.

Both are given the same samples: programs decode Opus to samples that differ a little, and that alone changes words.
With the weights as published, and clips that fill the half minute that Whisper computes, the words are the same. The
other program fills the rest of a shorter clip with what is no silence, and each rounds to eight bits in its own way:
that changes words for better and worse.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import tomli_w

from bench.clips import SPEECH_VARIABLE
from mictape.engines.local.recognizer.model import completed
from mictape.engines.local.runtimes.transcribe_cpp import TranscribeCpp
from mictape.models.trial import MANIFEST, Clip, Score, read_clips, score
from mictape.units import RATE
from support.faster_whisper import FasterWhisper
from support.local_engine import samples_of
from support.recognizing import floats_of
from support.whisper_weights import convert

NAME = "whisper-base"
WINDOW = 30 * RATE
MORE = 0.01
"""Of all words, so many more may be wrong with eight bits, by chance: of 475 words we had 103 wrong, it had 99."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def clips_folder() -> Path:
    folder = os.environ.get(SPEECH_VARIABLE, "")
    if not folder or "language" not in (Path(folder) / "manifest.tsv").read_text("utf-8").partition("\n")[0]:
        pytest.skip(f"{SPEECH_VARIABLE} names no folder of clips with their language")
    return Path(folder)


def as_wav(folder: Path, target: Path, length: int = 0) -> Path:
    """The clips of a folder with their list, decoded once for everything that recognizes them: 16 kHz, 16 bit.

    Shorter ones end in silence, so that none has fewer samples than `length`.
    """
    target.mkdir()
    manifest = (folder / MANIFEST).read_text("utf-8")
    for clip in read_clips(folder):
        samples, rate = soundfile.read(clip.path, dtype="float32")
        samples = soxr.resample(samples, rate, RATE)
        samples = np.pad(samples, (0, max(0, length - len(samples))))
        soundfile.write(target / f"{clip.path.stem}.wav", samples, RATE, "PCM_16")
        manifest = manifest.replace(clip.path.name, f"{clip.path.stem}.wav")
    (target / MANIFEST).write_text(manifest, "utf-8")
    return target


def test_words_are_no_worse_than_by_the_weights_own_tool(
    clips_folder: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transcribe_cpp")
    whisper = FasterWhisper.install(tmp_path)
    filled = read_clips(as_wav(clips_folder, tmp_path / "filled", WINDOW))
    clips_folder = as_wav(clips_folder, tmp_path / "clips")
    clips = read_clips(clips_folder)
    languages = sorted({clip.language for clip in clips})

    def theirs_of(clips: Sequence[Clip], numbers: str, **options: float) -> list[Score]:
        files = [(clip.path, clip.language) for clip in clips]
        texts = whisper.transcribe(files, numbers, beam_size=1, **options)
        return [score(clip, text) for clip, (text, _) in zip(clips, texts, strict=True)]

    file = convert(whisper.weights, (tmp_path / NAME).with_suffix(".gguf"))
    entry: dict[str, Any] = {
        "name": NAME,
        "title": "Whisper base",
        "runtime": "transcribe-cpp",
        "languages": languages,
        "licence": "MIT",
        "attribution": "Whisper by OpenAI",
        "files": [{"name": file.name, "bytes": file.stat().st_size}],
    }
    home.mkdir(exist_ok=True)
    (home / "models.toml").write_text(tomli_w.dumps({"version": 1, "models": [entry]}))
    mictape = [sys.executable, "-m", "mictape", "models"]
    subprocess.run([*mictape, "install", NAME, "--yes", "--from", file], check=True)
    command = [*mictape, "try", NAME, "--clips", clips_folder, "--json"]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ours = [Score(row["wrong"], row["of"]) for row in rows]

    exact = convert(whisper.weights, tmp_path / "exact.gguf", rounded=False)
    model = TranscribeCpp(exact, languages[0])
    whole = list[Score]()
    for clip in filled:
        model = model if model.language == clip.language else TranscribeCpp(exact, clip.language)
        decoded = completed(model.decoding(floats_of(samples_of(clip.path))))
        whole.append(score(clip, " ".join(word.text for word in decoded.words)))

    columns = {
        "ours": ours,
        "theirs": theirs_of(clips, "int8"),
        "exact": whole,
        "theirs, exact": theirs_of(filled, "float32", without_timestamps=True),
    }
    table = [f"{'':<6}" + "".join(f"{name:>15}" for name in columns)]
    for language in (*languages, ""):
        at = [place for place, clip in enumerate(clips) if clip.language == language or not language]
        sums = [sum((scores[place] for place in at), Score(0, 0)) for scores in columns.values()]
        table.append(f"{language or 'all':<6}" + "".join(f"{each.wrong:>5} {each.rate:>9.1%}" for each in sums))
    print("\n".join(table))
    wrong = {name: sum(each.wrong for each in scores) for name, scores in columns.items()}
    assert wrong["exact"] <= wrong["theirs, exact"], "\n".join(table)
    assert wrong["ours"] <= wrong["theirs"] + MORE * sum(each.of for each in ours), "\n".join(table)
