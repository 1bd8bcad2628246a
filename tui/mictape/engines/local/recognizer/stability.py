"""How much of a partial is likely to stay. Pure."""

from collections.abc import Sequence

from mictape.engines.local.recognizer.key_terms import bare
from mictape.engines.local.recognizer.model import RecognizedWord


def agreed(before: Sequence[RecognizedWord], now: Sequence[RecognizedWord]) -> int:
    """How many words at the front two partials in a row agree on: LocalAgreement-2.

    Holding back the others would show a word 0.7 s later; they are shown as unstable instead.
    """
    pairs = enumerate(zip(before, now, strict=False))
    differs = (at for at, (one, two) in pairs if bare(one.text) != bare(two.text))
    return next(differs, min(len(before), len(now)))
