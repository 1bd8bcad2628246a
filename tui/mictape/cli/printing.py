"""What `listen` and `transcribe` print of a session while it goes on."""

import shutil
from typing import Final, Protocol

from rich.cells import cell_len

from mictape.library.export import Style, json_line, json_partial, plain
from mictape.library.records import LineRecord
from mictape.plain_text import one_line
from mictape.session.events import Event, LineAdded, LineRevised, PartialChanged
from mictape.session.session import Session
from mictape.transcript.line import PartialText, voice_of
from mictape.units import RATE, clock

SETTLES: Final = 60 * RATE
"""How much further a recording has to be before a line of it is printed: the second pass joins up to 28 s."""

_ERASE: Final = "\r\x1b[K"


class Printer(Protocol):
    """Prints the text of a session."""

    def show(self, event: Event) -> None:
        """Something has happened. Raises OSError when it cannot be printed."""
        ...

    def clear(self) -> None:
        """Something else is about to be printed: take back what is not final. Raises OSError."""
        ...

    def finish(self) -> None:
        """Print what is left. Raises OSError."""
        ...


class Nothing:
    """For a document that is written at the end."""

    def show(self, event: Event) -> None:
        """Print nothing."""

    def clear(self) -> None:
        """There is nothing."""

    def finish(self) -> None:
        """Nothing is left."""


class JsonLines:
    """One object per line: finals, revisions of them, and partials where they are wanted."""

    def __init__(self, session: Session, *, partials: bool) -> None:
        self._names = session.transcript.track_names
        self._partials = partials

    def show(self, event: Event) -> None:
        """Print its object, if it has one."""
        match event:
            case LineAdded(line):
                print(json_line(line, self._names.get(line.track)), flush=True)
            case LineRevised(line):
                print(json_line(line, self._names.get(line.track), revised=True), flush=True)
            case PartialChanged(track, partial) if self._partials:
                print(json_partial(track, partial, self._names.get(track)), flush=True)
            case _:
                pass

    def clear(self) -> None:
        """What is printed stays."""

    def finish(self) -> None:
        """Nothing is left."""


class TextLines:
    """Finals as text: at once, or when the engine has had the time to revise them.

    On a terminal partials can be shown below the last line.
    """

    def __init__(self, session: Session, style: Style, *, settles: int, partials: bool = False) -> None:
        """`settles`: a line is printed when another one ends so many samples later; 0 is at once."""
        self._session = session
        self._style = style
        self._settles = settles
        self._waiting: dict[int, LineRecord] = {}
        self._partials: dict[int, PartialText] | None = {} if partials else None

    def show(self, event: Event) -> None:
        """Print what can be printed now."""
        match event:
            case LineAdded(line):
                self._waiting[line.id] = line
                # Each track of a file is transcribed at its own pace: only at the end it is known what comes first.
                if not self._settles or len(self._session.tracks) == 1:
                    self._put(line.end - self._settles)
            case LineRevised(line) if line.id in self._waiting:
                self._waiting[line.id] = line
            case PartialChanged(track, partial) if self._partials is not None:
                self._partials.pop(track, None)
                if partial is not None:
                    self._partials[track] = partial
                self._show_partial()
            case _:
                pass

    def finish(self) -> None:
        """Print all lines that are left."""
        self._put()

    def clear(self) -> None:
        """Take the partial off the terminal."""
        if self._partials is not None:
            print(_ERASE, end="", flush=True)

    def _put(self, before: int | None = None) -> None:
        """Print the lines that end there or earlier, session time; without a time all of them."""
        lines = sorted(self._waiting.values(), key=lambda line: (line.start, line.id))
        for line in [line for line in lines if before is None or line.end <= before]:
            del self._waiting[line.id]
            self.clear()
            time = clock(line.start) if self._style.times else ""
            print(plain(line, time=time, voice=self._voice(line)), flush=True)
        self._show_partial()

    def _voice(self, line: LineRecord) -> str:
        """Who speaks; by itself where there are several tracks. How many speakers there will be is not known yet."""
        tracks = self._session.tracks
        shown = len(tracks) > 1 if self._style.speakers is None else self._style.speakers
        names = {track.number: track.name for track in tracks}
        return voice_of(line.kind, names.get(line.track), line.speaker) if shown else ""

    def _show_partial(self) -> None:
        """Show the end of the newest partial on one row."""
        if self._partials:
            text = one_line(list(self._partials.values())[-1].text)
            print(f"{_ERASE}{_tail(text, shutil.get_terminal_size().columns - 1)}", end="", flush=True)
        else:
            self.clear()


def _tail(text: str, cells: int) -> str:
    """The end of a text in so many cells."""
    if cell_len(text) <= cells:
        return text
    while text and cell_len(text) > cells - 1:
        text = text[max(1, len(text) - cells) :]
    return f"…{text}"


def printer_for(session: Session, format: str, style: Style, *, live: bool, partials: bool) -> Printer:
    """What prints a session as `txt` or as `lines` of JSON; any other format is written at the end."""
    match format:
        case "lines":
            return JsonLines(session, partials=partials)
        case "txt":
            return TextLines(session, style, settles=0 if live else SETTLES, partials=partials)
        case _:
            return Nothing()
