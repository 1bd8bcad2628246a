"""The journal of a tape: anchors, holes and accounts, one JSON object per line."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from mictape.audio.clock import Anchor
from mictape.audio.messages import Account, Hole
from mictape.audio.tape.files import cannot_read


@dataclass(frozen=True, slots=True)
class Journal:
    """What is known of a tape beside its sound."""

    anchors: tuple[Anchor, ...] = ()
    holes: tuple[Hole, ...] = ()
    """In order and without overlap; the last one may reach beyond the tape when its writer was killed."""
    account: Account | None = None
    """The newest account, its counts those of all; at most 10 s old when its writer was killed. None: there is none."""


def read_journal(folder: Path, track: int) -> Journal:
    """The journal of a tape; a line that was cut off when its writer was killed is left out. Raises TapeError."""
    try:
        lines = journal_path(folder, track).read_bytes().split(b"\n")
    except FileNotFoundError:
        return Journal()
    except OSError as error:
        raise cannot_read(folder, error) from error
    decoder = msgspec.json.Decoder(Anchor | Hole | Account)
    anchors: list[Anchor] = []
    holes: list[Hole] = []
    account: Account | None = None
    for line in lines:
        try:
            entry = decoder.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(entry, Anchor):
            while anchors and anchors[-1].sample > entry.sample:  # its writer was killed before it got there
                anchors.pop()
            anchors.append(entry)
            continue
        if isinstance(entry, Account):
            account = _added(account, entry)
            continue
        if holes and holes[-1].end > entry.start:  # its writer was killed while it wrote the silence
            holes[-1] = msgspec.structs.replace(holes[-1], end=entry.start)
        holes.append(entry)
    return Journal(tuple(anchors), tuple(hole for hole in holes if hole.end > hole.start), account)


def _added(before: Account | None, newer: Account) -> Account:
    if before is None:
        return newer
    return msgspec.structs.replace(
        newer,
        overflows=before.overflows + newer.overflows,
        lost=before.lost + newer.lost,
        missing=before.missing + newer.missing,
    )


def journal_path(folder: Path, track: int) -> Path:
    """Where the journal of a tape is."""
    return folder / f"track{track}.jsonl"
