"""A list to choose from whose rows have colours, and whose chosen row can be read all the same."""

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.strip import Strip
from textual.widgets import OptionList


class Options(OptionList):
    """Textual's list, without a frame. The row under the cursor has one colour: others are not made for its ground."""

    DEFAULT_CSS = """
    Options {
        border: none;
        padding: 0;
        background: transparent;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        scrollbar-size-vertical: 1;
        &:focus { border: none; background-tint: transparent; }
        & > .option-list--option-disabled { color: $transcript-time; text-style: none; }
        & > .option-list--option-highlighted,
        &:focus > .option-list--option-highlighted {
            color: $block-cursor-foreground;
            background: $block-cursor-background;
        }
    }
    """

    def on_resize(self, event: Resize) -> None:
        """The row under the cursor stays in view where a longer note below leaves it fewer rows."""
        self.scroll_to_highlight()

    def render_line(self, y: int) -> Strip:
        """A row of the screen."""
        strip = super().render_line(y)
        row = next((segment.style.meta.get("option") for segment in strip if segment.style is not None), None)
        if row is None or row != self.highlighted:
            return strip
        look = self.get_visual_style("option-list--option", "option-list--option-highlighted").rich_style
        ink = Style(color=look.color)
        return Strip([Segment(text, (style or look) + ink) for text, style, _ in strip], strip.cell_length)
