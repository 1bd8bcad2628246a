"""The styles of the transcript on the screen, from the theme."""

from typing import Final

from textual.widget import Widget

from mictape.themes import VOICES
from mictape.widgets.transcript_strips import Inks

COMPONENT_CLASSES: Final = {
    "transcript--time",
    "transcript--mark",
    *(f"transcript--voice-{number}" for number in range(1, VOICES + 1)),
    "transcript--partial",
    "transcript--stable",
    "transcript--gap",
    "transcript--cursor",
    "transcript--selection",
    "transcript--hit",
    "transcript--current",
    "transcript--unsure",
    "transcript--note",
    "transcript--pill",
}

CSS: Final = (
    """
    TranscriptView {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        & > .transcript--time { color: $transcript-time; }
        & > .transcript--mark { color: $transcript-mark; }
        & > .transcript--partial { color: $transcript-partial; text-style: italic; }
        & > .transcript--gap { color: $transcript-gap; }
        & > .transcript--cursor { background: $transcript-cursor; }
        & > .transcript--selection { color: $foreground; background: $transcript-selection; }
        & > .transcript--hit { text-style: underline; }
        & > .transcript--current { text-style: bold reverse; }
        & > .transcript--unsure { text-style: italic uu; }
        & > .transcript--note { color: $transcript-mark; text-style: italic; }
        & > .transcript--pill { color: $background; background: $transcript-pill; text-style: bold; }
"""
    + "\n".join(
        f"& > .transcript--voice-{number} {{ color: $voice-{number}; text-style: bold; }}"
        for number in range(1, VOICES + 1)
    )
    + "}"
)


def inks_of(view: Widget) -> Inks:
    """The styles of a transcript view as its theme has them now."""
    part = view.get_component_rich_style
    return Inks(
        text=view.rich_style,
        time=part("transcript--time"),
        mark=part("transcript--mark"),
        voices=tuple(part(f"transcript--voice-{number}") for number in range(1, VOICES + 1)),
        partial=part("transcript--partial"),
        stable=part("transcript--stable"),
        gap=part("transcript--gap"),
        cursor=part("transcript--cursor"),
        selection=part("transcript--selection", partial=True),
        hit=part("transcript--hit", partial=True),
        current=part("transcript--current", partial=True),
        unsure=part("transcript--unsure", partial=True),
        note=part("transcript--note", partial=True),
        pill=part("transcript--pill"),
    )
