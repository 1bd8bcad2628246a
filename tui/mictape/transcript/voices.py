"""The voices of a transcript: each is one speaker of one track."""


class Voices:
    """Numbers them in the order in which they first spoke, and keeps their present names."""

    def __init__(self) -> None:
        self.names: list[str | None] = []
        """The present name of each voice; None for the unnamed speaker of a track."""
        self.tracks = bytearray()
        """The track of each voice."""
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
        return voice

    def rename(self, track: int, old: str, new: str) -> bool:
        """Rename a speaker of a track; whether there is one of that name."""
        theirs = {voice for (number, _), voice in self._numbers.items() if number == track}
        voices = sorted(voice for voice in theirs if self.names[voice] == old)
        for voice in voices:
            self.names[voice] = new
        if voices:
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
