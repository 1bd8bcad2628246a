"""Playing lines."""

from typing import TYPE_CHECKING, Final

from mictape.failure import Failure, MictapeError
from mictape.screens.main.page import Commands, Page
from mictape.transcript.line import SPEECH, Line
from mictape.units import RATE
from mictape.widgets.transcript_selection import selected_span

if TYPE_CHECKING:  # loaded after the first frame
    from mictape.audio.ports import PlayerPort
    from mictape.session.session import Session

LEAD: Final = 2 * RATE
"""Sound before a line that is played with it, for context."""

WORD_LEAD: Final = RATE // 5
"""Sound before a word from which a line is played."""


class Playing:
    """The commands that play a line."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._player: PlayerPort | None = None
        self._played = 0
        """How many lines have been played."""
        self.commands: Commands = {
            "play": self.play,
            "play_previous": self.play_previous,
            "play_next": self.play_next,
        }

    def begin(self, player: "PlayerPort") -> None:
        """There is a session now, and its sound can be played."""
        self._player = player

    def stop(self) -> None:
        """Play nothing any more."""
        if self._player is not None:
            self._player.stop()

    def play(self) -> None:
        """Play the line under the cursor; stop when something is played."""
        if self._player is not None and self._player.playing:
            self._player.stop()
        else:
            self._play()

    def play_previous(self) -> None:
        """Go to the previous line of speech and play it."""
        self._play_from(-1)

    def play_next(self) -> None:
        """Go to the next line of speech and play it."""
        self._play_from(1)

    def _play_from(self, step: int) -> None:
        line, transcript = self._page.line, self._page.transcript
        index = transcript.index_of(line.id) + step if line is not None else -1
        while 0 <= index < len(transcript) and transcript.line(index).kind is not SPEECH:
            index += step
        if 0 <= index < len(transcript):
            self._page.view.go_to(transcript.id_at(index))
            self._play()

    async def _word_start(self, line: Line, session: "Session") -> int | None:
        """When the selected word of the line begins; None without a selection in it, or where that is not known."""
        span = selected_span(self._page.transcript, self._page.selections.get(self._page.view), line.id)
        return None if span is None else await session.word_start(line.id, span[0])

    def _play(self) -> None:
        line, session, player = self._page.line, self._page.session, self._player
        if line is not None and session is not None and player is not None:
            self._page.start(self._play_line(line, session, player), "Playing", group="play")

    async def _play_line(self, line: Line, session: "Session", player: "PlayerPort") -> None:
        word = await self._word_start(line, session)
        begin = line.start - LEAD if word is None else word - WORD_LEAD
        track = session.writer.track_of(line.id)
        start, end = (max(0, track.own_time(at) - track.tape.origin) for at in (begin, line.end))
        if start >= track.tape.samples:
            raise MictapeError(Failure("The sound of this line was removed"))
        self._played += 1
        played = self._played
        self._page.view.show_playing(line.id)
        try:
            await player.play(track.tape.folder, track.number, start, end)
        finally:
            if played == self._played:  # else another line is played by now, or this one again
                self._page.view.show_playing(None)
