"""Where models are: a folder for each, in a store that downloads go to, and in stores that are only read.

A folder whose files have the names and the sizes of the catalogue is an installed model, however it got there: a stick,
a network share and an image need no tool. Each model has a lock, so that two processes never write the same files.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from filelock import Timeout

from mictape.failure import Failure, MictapeError
from mictape.locks import take_lock
from mictape.models.catalogue import Catalogue, Model, ModelFile
from mictape.paths import Places, named_path

VARIABLE: Final = "MICTAPE_MODELS"
"""The environment variable that names more stores, separated as in PATH. Nothing is written there."""

METADATA: Final = "model.json"
"""Beside the files: the entry as it was installed, and how the files looked when their hashes were checked."""

MEASURED: Final = "measured.json"
"""In the writable store: how fast models are on this machine."""

PART: Final = ".part"
ETAG: Final = ".part.etag"
"""Beside an unfinished file: the server's name for the bytes that it begins with."""

CHUNK: Final = 1 << 20


class Metadata(msgspec.Struct, frozen=True):
    """The content of `model.json`."""

    model: Model
    checked: dict[str, tuple[int, int]] = {}
    """Size and time of change (ns) of each file when its hash was right."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that is on this machine."""

    model: Model
    folder: Path
    writable: bool
    """Whether Mictape may change it: it is in the store that downloads go to."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its files, in the order of the catalogue."""
        return tuple(self.folder / file.name for file in self.model.files)

    @property
    def checked(self) -> bool:
        """Whether the files look as they did when their hashes were right."""
        try:
            known = msgspec.json.decode((self.folder / METADATA).read_bytes(), type=Metadata).checked
            return all(known.get(path.name) == _looks(path) for path in self.paths)
        except (OSError, msgspec.DecodeError):
            return False


class Store:
    """The models on this machine."""

    def __init__(self, folder: Path, others: Iterable[Path] = ()) -> None:
        """Look at stores; nothing is created.

        Args:
            folder: The one that downloads go to.
            others: More, in the order of preference; they are only read.
        """
        self.folder = folder
        self.others = tuple(others)

    @classmethod
    def here(cls, where: Places, environ: Mapping[str, str] = os.environ) -> "Store":
        """The stores of this machine and user."""
        named = [named_path(path) for path in environ.get(VARIABLE, "").split(os.pathsep) if path]
        return cls(where.data / "models", named)

    def find(self, model: Model) -> Installed | None:
        """Where a model is installed; None when it is not, or not completely."""
        for store in (self.folder, *self.others):
            folder = store / model.name
            if all(_has_size(folder / file.name, file.bytes) for file in model.files):
                return Installed(model, folder, store == self.folder)
        return None

    def installed(self, catalogue: Catalogue) -> list[Installed]:
        """All models that are installed, in the catalogue's order."""
        return [found for model in catalogue.models if (found := self.find(model)) is not None]

    def begun(self, model: Model) -> int:
        """Bytes of a model that a download which did not end has left here."""
        folder = self.folder / model.name
        parts = [path for file in model.files for path in (folder / file.name, folder / f"{file.name}{PART}")]
        return sum(path.stat().st_size for path in parts if path.is_file())

    def named(self, catalogue: Catalogue, name: str) -> Installed:
        """The installed model of this name.

        Raises:
            MictapeError: (`ExitCode.USAGE`) the catalogue has none; (`ExitCode.SOUND`) it is not installed.
        """
        model = catalogue.named(name)
        if (found := self.find(model)) is not None:
            return found
        unfinished = "only partly downloaded" if self.begun(model) else "not installed"
        raise MictapeError(Failure(f"The model {name} is {unfinished}", f"Type: mictape models install {name}"))

    @contextmanager
    def locked(self, model: Model) -> Generator[Path]:
        """The folder of a model in the writable store, made if need be, for this process alone.

        Raises:
            MictapeError: (`ExitCode.SOUND`) another process has it, or it cannot be made.
        """
        folder = self.folder / model.name
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with writing(folder):
            try:
                lock = take_lock(self.folder / f".{model.name}.lock")
            except Timeout:
                busy = Failure(f"Another Mictape is at work on the model {model.name}", "Wait until it has finished")
                raise MictapeError(busy) from None
        try:
            yield folder
        finally:
            lock.release()

    def remove(self, installed: Installed) -> None:
        """Delete an installed model's files, and the folder unless it holds something else.

        Raises:
            MictapeError: (`ExitCode.SOUND`) it is in a store that is only read, or cannot be deleted.
        """
        if not installed.writable:
            what = f"The model {installed.model.name} is in {installed.folder}, which Mictape only reads"
            raise MictapeError(Failure(what, f"Delete it there, or take its store out of {VARIABLE}"))
        with self.locked(installed.model) as folder:
            self.discard(installed.model, folder)

    def discard(self, model: Model, folder: Path) -> None:
        """Delete everything of a model in its locked folder, what is unfinished too. Raises `MictapeError`."""
        names = [METADATA, *(file.name + end for file in model.files for end in ("", PART, ETAG))]
        with writing(folder):
            for name in names:
                (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # it holds something that is not ours
            folder.rmdir()

    # How fast they are here.

    def measured(self) -> dict[str, float]:
        """Seconds that a second of speech took on this machine, by model."""
        try:
            return msgspec.json.decode((self.folder / MEASURED).read_bytes(), type=dict[str, float])
        except (OSError, msgspec.DecodeError):
            return {}

    def note_measured(self, name: str, seconds: float) -> None:
        """Keep how long a second of speech took; that it cannot be kept is no failure."""
        values = self.measured() | {name: round(seconds, 3)}
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / MEASURED, msgspec.json.format(msgspec.json.encode(values)))


def write_metadata(model: Model, folder: Path) -> None:
    """Say beside the files what they are and that they were checked. Raises `OSError`."""
    checked = {file.name: _looks(folder / file.name) for file in model.files}
    replace_file(folder / METADATA, msgspec.json.format(msgspec.json.encode(Metadata(model, checked))))


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in one step, so that a kill leaves the old one or the new one. Raises `OSError`."""
    part = path.with_name(f"{path.name}.new")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def damage(path: Path, file: ModelFile, progress: Callable[[int], None] | None = None) -> str | None:
    """What is wrong with a file that should be `file`: a clause; None when nothing is. Raises `OSError`.

    Args:
        path: Where it is.
        file: Its entry in the catalogue.
        progress: Called with the bytes read so far.
    """
    size = path.stat().st_size
    if size != file.bytes:
        return f"has {size} bytes instead of {file.bytes}"
    if file.sha256 is None:
        return None
    digest, done = hashlib.sha256(), 0
    for block in _blocks(path):
        digest.update(block)
        done += len(block)
        if progress is not None:
            progress(done)
    return None if digest.hexdigest() == file.sha256 else "does not have the right SHA-256"


@contextmanager
def writing(folder: Path) -> Generator[None]:
    """Errors of the system inside become sentences about writing there."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise MictapeError(
            Failure(f"{folder} cannot be written: {why}", "Make room there, or make it writable")
        ) from error


def memory_mb() -> int | None:
    """Memory of this machine in MiB; None where the system does not report it."""
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (OSError, ValueError):
        return None


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            yield block


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False


def _looks(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
