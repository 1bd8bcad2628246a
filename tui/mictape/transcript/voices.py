"""The voices of a transcript: each is one speaker of one track."""


class Voices:
    """Numbers them in the order in which they first spoke, and keeps their present names."""

    def __init__(self) -> None:
        self.names: list[str | None] = []
        """The present name of each voice; None for the unnamed speaker of a track."""
        self.tracks = bytearray()
        """The track of each voice."""
        self._lines: list[int] = []
        """How many lines of speech each voice has."""
        self._given = False
        """Whether a person has renamed one."""
        self._numbers: dict[tuple[int, str | None], int] = {}
        """The voice of each name that was ever given on a track: an engine goes on with the one it has made up."""

    @property
    def speakers(self) -> tuple[str, ...]:
        """The present names of all speakers, in the order they first spoke."""
        return tuple(dict.fromkeys(name for name in self.names if name is not None))

    def number(self, track: int, speaker: str | None) -> int:
        """The voice of a speaker, by the name that the engine or the person uses; a new one when it is not known."""
        voice = self._numbers.setdefault((track, speaker), len(self.names))
        if voice == len(self.names):
            self.names.append(speaker)
            self.tracks.append(track)
            self._lines.append(0)
        return voice

    def count(self, voice: int, lines: int) -> None:
        """A voice has so many lines of speech more."""
        self._lines[voice] += lines

    def shown(self, *, given: bool) -> tuple[str, ...]:
        """The names to show beside the lines: those of all who speak, unless it is one of whom only the engine knows.

        Args:
            given: whether a person has named the speaker of a line.
        """
        voices = zip(self.tracks, self.names, self._lines, strict=True)
        speaking = {(track, name) for track, name, lines in voices if lines}
        names = (name for _, name in speaking if name is not None)
        return tuple(dict.fromkeys(names)) if given or self._given or len(speaking) > 1 else ()

    def rename(self, track: int, old: str, new: str) -> bool:
        """Rename a speaker of a track; whether there is one of that name."""
        theirs = {voice for (number, _), voice in self._numbers.items() if number == track}
        voices = sorted(voice for voice in theirs if self.names[voice] == old)
        for voice in voices:
            self.names[voice] = new
        if voices:
            self._given = True
            self._numbers.setdefault((track, new), voices[0])
        return bool(voices)

    def called(self, track: int, speaker: str) -> str:
        """The present name of a speaker, by the name that the engine uses."""
        voice = self._numbers.get((track, speaker))
        return speaker if voice is None else self.names[voice] or speaker

    def has(self, track: int, name: str) -> bool:
        """Whether a speaker of a track has this name now."""
        return (track, name) in zip(self.tracks, self.names, strict=True)

    def place(self, track: int, speaker: str | None) -> int:
        """Which speaker this is, from 0, in the order they first spoke; those of one name on a track are one."""
        voices = dict.fromkeys(zip(self.tracks, self.names, strict=True))
        return list(voices).index((track, speaker)) if (track, speaker) in voices else len(voices)
