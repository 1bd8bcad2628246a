"""Which file a session was imported from, so that the same one is not imported twice unnoticed."""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from mictape.failure import Failure, MictapeError
from mictape.library import trash
from mictape.library.listing import ORDERS
from mictape.library.records import SessionRecord
from mictape.library.store import Store
from mictape.paths import PRIVATE_FILE

_NAME: Final = "imported.json"
_UNFINISHED: Final = "importing.json"
"""Its name until all of the file is read."""


class ImportedFile(msgspec.Struct, frozen=True):
    """A file as it was when it was imported."""

    path: str
    bytes: int
    sha256: str

    def same(self, other: "ImportedFile") -> bool:
        """Whether the other one has the same content, wherever it is."""
        return (self.bytes, self.sha256) == (other.bytes, other.sha256)


def look_at(path: Path) -> ImportedFile:
    """Read a file through. Raises MictapeError (`ExitCode.SOUND`) when it cannot be read."""
    name = str(path.absolute()).encode("utf-8", "replace").decode()
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return ImportedFile(name, file.tell(), digest)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise MictapeError(Failure(f"{name} cannot be read: {reason}", "Check the name of the file")) from error


def begin(folder: Path, file: ImportedFile) -> None:
    """Note in a session's folder where its sound comes from, before it is read. Raises MictapeError."""
    path = folder / _UNFINISHED
    try:
        path.touch(PRIVATE_FILE)
        path.write_bytes(msgspec.json.encode(file) + b"\n")
    except OSError as error:
        raise _cannot_write(path, error) from error


def finish(folder: Path) -> None:
    """Note that all of the file's sound is in the session. Raises MictapeError."""
    try:
        (folder / _UNFINISHED).replace(folder / _NAME)
    except OSError as error:
        raise _cannot_write(folder / _NAME, error) from error


def discard_cut_off(store: Store) -> list[str]:
    """Remove sessions whose import was cut off before all of the file was read, and return their ids.

    Nothing is lost: the file has it still. Raises MictapeError as `trash.purge`.
    """
    cut_off = [each.id for each in store.unfinished() if (store.sessions_folder / each.id / _UNFINISHED).exists()]
    return [trash.purge(store, id, trash=False) for id in cut_off]


def _cannot_write(path: Path, error: OSError) -> MictapeError:
    return MictapeError(Failure(f"{path} cannot be written: {error.strerror}", "Check the disk"))


def session_of(store: Store, file: ImportedFile) -> SessionRecord | None:
    """The newest session that this content was imported into; one in the trash only where there is no other."""
    found: list[str] = []
    for path in store.sessions_folder.glob(f"*/{_NAME}"):
        with suppress(OSError, msgspec.DecodeError):  # it was deleted meanwhile, or its writer was killed
            if msgspec.json.decode(path.read_bytes(), type=ImportedFile).same(file):
                found.append(path.parent.name)
    rows = store.rows(  # a folder that the library does not know is none: no command would find it
        "SELECT id FROM sessions WHERE id IN (SELECT value FROM json_each(?))"
        f" ORDER BY deleted_utc_s IS NOT NULL, {ORDERS['newest']} LIMIT 1",
        msgspec.json.encode(found).decode(),
    )
    return store.record(rows[0]["id"]) if rows else None
