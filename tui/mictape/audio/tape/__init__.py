"""The tape: all sound of a track, as WAV parts that any player opens at any moment.

A tape of track N in a session's folder is the files `trackN-FIRST.wav`, FIRST being the tape position of the
part's first sample in twelve digits, and `trackN.jsonl`, its journal of anchors, holes and accounts. Once its session
has ended a part may be packed: `trackN-FIRST.flac` holds the same samples. The capture process is the only writer.
Readers trust the reported number of samples, never the header of a growing file; a finished tape is as long as its
files are.
"""

from mictape.audio.tape.files import (
    PART_SAMPLES,
    DiskFullError,
    Part,
    TapeError,
    count_samples,
    find_parts,
    find_tracks,
)
from mictape.audio.tape.journal import Journal, journal_path, read_journal
from mictape.audio.tape.reader import Tape
from mictape.audio.tape.writer import TapeWriter

__all__ = [
    "PART_SAMPLES",
    "DiskFullError",
    "Journal",
    "Part",
    "Tape",
    "TapeError",
    "TapeWriter",
    "count_samples",
    "find_parts",
    "find_tracks",
    "journal_path",
    "read_journal",
]
