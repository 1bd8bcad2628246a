"""An error in a handler costs what was being handled, not the widget."""

from textual.message import Message
from textual.message_pump import MessagePump


class SurvivesErrors(MessagePump):
    """A widget, screen or app that goes on after an error in one of its handlers; others are deaf from then on.

    To be named before Textual's class among the bases.
    """

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:
            if not self._is_mounted:
                raise
            # Where Textual takes errors, too; it gives no type arguments, and the method no public name.
            self.app._handle_exception(error)  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]

    @property
    def survives(self) -> bool:
        """Whether it goes on; not before it is mounted."""
        return self._is_mounted
