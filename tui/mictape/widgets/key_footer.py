"""The footer with the keys that fit."""

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.reactive import reactive
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

from mictape.commands import named


class KeyFooter(Footer):
    """Shows as many keys as there is room for, the usual ones first. Textual's own footer cuts the last one off."""

    paused = reactive(default=False, recompose=True)
    """Whether the recording is paused: the key that pauses it resumes it then."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)

    def compose(self) -> ComposeResult:
        """Each key takes its name, its title and a space behind both."""
        room = self.screen.size.width + 1  # the last space may be missing
        for key in super().compose():
            if isinstance(key, FooterKey):
                if self.paused and key.action == named("pause").action:
                    key.description = "resume"
                room -= cell_len(key.key_display) + cell_len(key.description) + 2
                if room < 0:
                    return
            yield key

    async def on_resize(self, event: events.Resize) -> None:
        """There may be room for more keys, or for fewer."""
        await self.recompose()
