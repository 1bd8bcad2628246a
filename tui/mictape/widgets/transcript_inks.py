"""The styles of the transcript on the screen, from the theme."""

from typing import Final

from textual.widget import Widget

from mictape.themes import VOICES
from mictape.widgets.inks import Ink, Mixer
from mictape.widgets.transcript_strips import Inks

_TIME: Final = Ink("transcript-time")
_MARK: Final = Ink("transcript-mark")
_VOICES: Final = tuple(Ink(f"voice-{number}", text="bold") for number in range(1, VOICES + 1))
_PARTIAL: Final = Ink("transcript-partial", text="italic")
_GAP: Final = Ink("transcript-gap")
_CURSOR: Final = Ink(background="transcript-cursor")
_SELECTION: Final = Ink("foreground", "transcript-selection")
_HIT: Final = Ink(text="underline")
_CURRENT: Final = Ink(text="bold reverse")
_UNSURE: Final = Ink(text="italic uu")
_NOTE: Final = Ink("transcript-mark", text="italic")
_PILL: Final = Ink("background", "transcript-pill", "bold")


def inks_of(view: Widget) -> Inks:
    """The styles of a transcript view as its theme has them now."""
    mixer = Mixer(view)
    return Inks(
        text=mixer.base,
        time=mixer.style(_TIME),
        mark=mixer.style(_MARK),
        tick=mixer.over(_MARK),
        voices=tuple(map(mixer.style, _VOICES)),
        partial=mixer.style(_PARTIAL),
        gap=mixer.style(_GAP),
        cursor=mixer.over(_CURSOR),
        selection=mixer.over(_SELECTION),
        hit=mixer.over(_HIT),
        current=mixer.over(_CURRENT),
        unsure=mixer.over(_UNSURE),
        note=mixer.over(_NOTE),
        pill=mixer.style(_PILL),
    )
