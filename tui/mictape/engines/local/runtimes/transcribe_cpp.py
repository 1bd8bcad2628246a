"""Models run by transcribe-cpp (MIT, ggml): one GGUF file each, on the CPU, with one thread.

The package is young and changes with each release, so all that is known of it is in this module. It has one model in
memory for one stream or decode at a time; the file is mapped, so that a second copy costs only its buffers.
"""

import contextlib
import importlib
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from mictape.engines.local.recognizer.loops import repetitive
from mictape.engines.local.recognizer.model import NOTHING, Decoded, Decoding, RecognizedWord, completed
from mictape.engines.local.recognizer.segmenter import STREAMED, WINDOWED, Rules
from mictape.engines.local.recognizer.streaming import Hypothesis
from mictape.engines.local.runtimes.pieces import Piece, words_of
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.models.languages import primary
from mictape.units import RATE
from mictape.vad.onnx import Samples

FRAME_MS: Final = 80
"""What one frame of a streaming encoder stands for; its look-ahead is a number of them."""
SHORTEST: Final = RATE // 4
"""Samples: what is shorter has no word in it."""
HOTTER: Final = 0.2
"""By so much the temperature rises from one attempt to the next when Whisper repeats itself, as in Whisper itself."""
SEED: Final = 1
"""Of the random numbers of those attempts: the same sound gives the same text."""
LOGGED: Final = (2, 3)
"""Levels of the library's messages that are kept: warnings and errors."""

_log = logging.getLogger(__name__)


class TranscribeCpp:
    """A loaded model; see `SegmentModel`."""

    def __init__(self, path: Path, language: str, look_ahead_ms: int | None = None) -> None:
        """Load a model.

        Args:
            path: The GGUF file.
            language: A code, `de`; the one of the model's that fits best is used.
            look_ahead_ms: How far a stream works behind its sound, where the model leaves the choice.

        Raises:
            ImportError: The package is not installed, or does not run on this machine.
            MictapeError: (`ExitCode.ENGINE`) the file is damaged, of another kind, or does not know the language.
        """
        library = _library()
        try:
            self._model = library.Model(os.fspath(path), backend="cpu")
        except library.TranscribeError as error:
            remedy = "Type: mictape models verify"
            what = f"The model {path} cannot be loaded ({error})"
            raise MictapeError(Failure(what, remedy, ExitCode.ENGINE)) from error
        can = self._model.capabilities
        self.language = language
        self.shortest = SHORTEST
        self.takes_key_terms = bool(self._model.supports("vocabulary"))
        self.rules = Rules()
        self._library = library
        self._path = path
        self.look_ahead_ms = look_ahead_ms
        """How far a stream works behind its sound; None: as the model likes it."""
        self._session = self._model.session(n_threads=1)
        self._asked: dict[str, Any] = {
            "language": _fitting(can.languages, language, path),
            "timestamps": "token" if can.max_timestamp_kind == "token" else "none",
        }
        self._surest: dict[str, Any] = {}
        self._again: dict[str, Any] = {}
        """How Whisper decodes at first, and when that repeats itself; other models have no such choice."""
        options = library.WhisperRunOptions
        if self._model.accepts(options()):
            # Left to itself it decodes again where it is unsure, too, and keeps the last attempt, the most random one.
            hotter = options(temperature=HOTTER, temperature_inc=HOTTER, logprob_thold=-math.inf, seed=SEED)
            self.rules = WINDOWED
            self._surest, self._again = {"family": options(temperature_inc=0.0)}, {"family": hotter}

    def decoding(self, samples: Samples, key_terms: tuple[str, ...] = (), draft: Decoded = NOTHING) -> Decoding:
        """Recognize in one step, which cannot be interrupted: as long as the model takes for the whole piece."""
        if len(samples) < SHORTEST:
            return Decoded()
        yield
        more = {"vocabulary": key_terms} if key_terms and self.takes_key_terms else {}
        result = self._run(samples, **more, **self._surest)
        if self._again and result is not None and repetitive(result.text):
            yield
            result = self._run(samples, **more, **self._again)
        return Decoded(_words(result) if result is not None else ())

    def _run(self, samples: Samples, **more: object) -> Any:  # noqa: ANN401 (of a library that is met here only)
        try:
            return self._session.run(samples, **self._asked, **more)
        except self._library.OutputTruncated as cut:  # it repeated itself; what came before is good
            return cut.partial_result

    def draft(self, samples: Samples, previous: Decoded) -> Decoded:
        """No cheaper than a decode."""
        return completed(self.decoding(samples))

    def locating(self, samples: Samples, words: Sequence[RecognizedWord]) -> None:
        """Not possible: words have the times that the model gives, or none."""


class StreamingCpp(TranscribeCpp):
    """A loaded model that takes sound as it comes; see `StreamModel`."""

    def __init__(self, path: Path, language: str, look_ahead_ms: int | None = None) -> None:
        """Load a model; see `TranscribeCpp`."""
        super().__init__(path, language, look_ahead_ms)
        self.rules = STREAMED

    def another(self) -> "StreamingCpp":
        """The same model once more, for a second stream at the same time."""
        return StreamingCpp(self._path, self.language, self.look_ahead_ms)

    def stream(self) -> "CppStream":
        """Begin a stream."""
        family = None
        if self.look_ahead_ms is not None:
            family = self._library.ParakeetStreamOptions(att_context_right=self.look_ahead_ms // FRAME_MS)
            if not self._model.accepts(family):
                family = None
        return CppStream(self._session.stream(**self._asked, family=family))


class CppStream:
    """A stream of a model; see `Stream`."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 (of a library that is met here only)
        self._stream = stream
        self._known = Hypothesis()

    def feed(self, samples: Samples) -> Hypothesis:
        """Take the samples that follow."""
        if len(samples) and self._stream.feed(samples).result_changed:
            self._known = self._hypothesis()
        return self._known

    def finalize(self) -> Hypothesis:
        """Everything there is; the stream is over."""
        self._stream.finalize()
        self._known = self._hypothesis()
        self.close()
        return self._known

    def close(self) -> None:
        """Drop the stream."""
        self._stream.reset()

    def _hypothesis(self) -> Hypothesis:
        words = _words(self._stream.snapshot())
        committed = len(self._stream.text().committed.split())
        return Hypothesis(words, min(committed, len(words)))


def _words(result: Any) -> tuple[RecognizedWord, ...]:  # noqa: ANN401
    """The words of a result: with times and probabilities where the model gives them."""
    if not result.tokens:
        return tuple(RecognizedWord(text, None) for text in result.text.split())
    return words_of(
        [
            Piece(
                token.text,
                token.id,
                math.log(token.p) if token.p > 0 else None,
                token.t0_ms * RATE // 1000,
                token.t1_ms * RATE // 1000,
            )
            for token in result.tokens
        ]
    )


def _fitting(known: Sequence[str], language: str, path: Path) -> str:
    """The model's own code for a language: with a region where it wants one."""
    exact = [code for code in known if code.lower() == language.lower()]
    near = [code for code in known if primary(code) == primary(language)]
    if found := (*exact, *near):
        return found[0]
    what = f"The model {path} does not know the language {language}"
    raise MictapeError(Failure(what, "Choose another model with --model", ExitCode.ENGINE))


def _library() -> Any:  # noqa: ANN401
    """The package, its messages sent to the log. Raises `ImportError`."""
    library = cast("Any", importlib.import_module("transcribe_cpp"))

    def keep(level: int, message: str) -> None:
        if level in LOGGED:
            with contextlib.suppress(Exception):  # it is called from native threads
                _log.warning("transcribe-cpp: %s", message.strip())

    library.set_log_callback(keep)
    return library
