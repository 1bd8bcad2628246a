"""What the app begins with."""

from pathlib import Path

from msgspec import Struct


class Start(Struct, frozen=True):
    """What the app begins with; without anything it records the usual device."""

    file: Path | None = None
    """A sound file that is played as if it were live, instead of a device."""
    library: bool = False
    """Begin with the library, and record nothing."""
    opened: str | None = None
    """A finished session to read instead of recording: its id, how that begins, its title, or `last`."""
    continued: str | None = None
    """A session to record on in, named likewise."""

    @property
    def reads(self) -> bool:
        """Whether it begins with finished sessions instead of a recording."""
        return self.library or self.opened is not None
