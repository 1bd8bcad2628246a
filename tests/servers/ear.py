"""What servers hear in real sound: samples that are not zero are speech, and a pause ends an utterance."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

RATE: Final = 16_000
WINDOW: Final = RATE // 50

Stretch = tuple[int, int]
"""Samples of an utterance's beginning and end."""


@dataclass
class Ear:
    """Cuts sound into utterances."""

    silence_ms: int | None = 500
    """A pause of so much ends an utterance; None: none does."""
    sound: "array[int]" = field(default_factory=lambda: array("h"))
    """Everything it was given."""
    start: int | None = None
    """Where the utterance that goes on began."""
    _end: int = 0
    _at: int = 0

    def take(self, pcm: bytes) -> list[Stretch]:
        """The utterances that end in this block."""
        self.sound.frombytes(pcm)
        over: list[Stretch] = []
        while self._at + WINDOW <= len(self.sound):
            if any(self.sound[self._at : self._at + WINDOW]):
                self.start = self._at if self.start is None else self.start
                self._end = self._at + WINDOW
            self._at += WINDOW
            quiet_ms = (self._at - self._end) * 1000 // RATE
            if self.silence_ms is not None and self.start is not None and quiet_ms >= self.silence_ms:
                over += self.cut()
        return over

    def cut(self) -> list[Stretch]:
        """The utterance that goes on, which ends here; none when nobody speaks."""
        if self.start is None:
            return []
        over = (self.start, self._end)
        self.start = None
        return [over]

    @property
    def ms(self) -> int:
        """How much sound there was."""
        return len(self.sound) * 1000 // RATE


Words = list[tuple[str, float, float]]
"""An utterance: each word and the seconds of its start and end."""


class Listener:
    """Says of real sound what a script would: the words of each utterance, from what sounds in it."""

    def __init__(self, script: "Recognize | None", *, silence_ms: int | None = 500) -> None:
        """With `script` None nothing is ever heard."""
        self._script = script
        self._ear = Ear(silence_ms)

    def take(self, pcm: bytes) -> list[Words]:
        """The utterances that end in this block."""
        return [] if self._script is None else self._said(self._ear.take(pcm))

    def rest(self) -> list[Words]:
        """The utterance that goes on, which ends here; none when nobody speaks."""
        return [] if self._script is None else self._said(self._ear.cut())

    def _said(self, stretches: list[Stretch]) -> list[Words]:
        script = self._script or (lambda _: "")
        return [spread(text_of(script, 0, self._ear.sound, stretch), stretch) for stretch in stretches]


Recognize = Callable[["array[int]"], str]
"""The text of what sounds."""

Script = Sequence[str] | Recognize
"""What utterances are said to be: one after the other, or by what sounds in them."""


def text_of(script: Script, number: int, sound: "array[int]", stretch: Stretch) -> str:
    """What an utterance is said to be; nothing where there is no sound or no more script."""
    if stretch[0] >= stretch[1]:
        return ""
    if callable(script):
        return script(sound[stretch[0] : stretch[1]])
    return script[number] if number < len(script) else ""


def spread(text: str, stretch: Stretch) -> Words:
    """The words of a text, evenly over a stretch: seconds of their starts and ends."""
    words = text.split()
    start, length = stretch[0] / RATE, (stretch[1] - stretch[0]) / RATE / max(1, len(words))
    return [(word, start + at * length, start + (at + 1) * length) for at, word in enumerate(words)]
