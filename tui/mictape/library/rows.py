"""Rows of the database as values of the program, and the other way."""

import sqlite3
import time

import msgspec

from mictape.engines.base import Word
from mictape.library.listing import LISTS
from mictape.library.records import LineRecord

SQLValue = str | int | float | bytes | None
"""What a column can hold."""


def line_row(key: int, line: LineRecord) -> tuple[SQLValue, ...]:
    """The values of a line's columns, from `session` to `created_utc_s`."""
    return storable(
        *(key, line.id, line.track, line.start, line.end, line.text, int(line.kind)),
        *(line.original, line.speaker, line.language, line.engine, line.connection, line.turn),
        *(packed_words(line.words), time.time()),
    )


def packed_line(line: LineRecord) -> bytes:
    """A line as a removed one is kept, MessagePack."""
    text, original, speaker, mark = storable(line.text, line.original, line.speaker, line.mark)
    return msgspec.msgpack.encode(
        msgspec.structs.replace(line, text=text, original=original, speaker=speaker, mark=mark)
    )


def packed_words(words: tuple[Word, ...] | None) -> bytes | None:
    """Words as a row has them, MessagePack."""
    return None if words is None else msgspec.msgpack.encode(words)


def unpacked_words(packed: bytes | None) -> tuple[Word, ...] | None:
    """The words of a row."""
    return None if packed is None else msgspec.msgpack.decode(packed, type=tuple[Word, ...])


def unpacked(row: sqlite3.Row) -> dict[str, object]:
    """A row as its columns by name, what is packed in them as plain values."""
    columns: dict[str, object] = dict(row)
    if isinstance(packed := columns.get("words"), bytes):
        columns["words"] = msgspec.msgpack.decode(packed)
    if isinstance(packed := columns.get("settings"), bytes):
        columns["settings"] = msgspec.json.decode(packed)
    for name in LISTS:
        if isinstance(packed := columns.get(name), str):
            columns[name] = [each for each in msgspec.json.decode(packed) if each]
    for name in {"titled", "complete", "removed"} & columns.keys():
        columns[name] = bool(columns[name])
    return columns


def storable(*values: SQLValue) -> tuple[SQLValue, ...]:
    """Values for a row. Half a surrogate pair in a text, which UTF-8 cannot hold, becomes a question mark.

    An engine's JSON and the names of files may contain them, and no line may be lost for it.
    """
    return tuple(value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in values)
