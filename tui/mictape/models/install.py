"""Installing a model: from its addresses, or from a file, a folder or another address."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.models.catalogue import Model, ModelFile
from mictape.models.download import Client, Stopped, fetch
from mictape.models.store import CHUNK, PART, Installed, Store, damage, write_metadata, writing
from mictape.paths import is_folder, named_path

SPARE: Final = 1.05
"""Room that has to be free, in sizes of what is still to come."""

Progress = Callable[[int, int], None]
"""Called with the bytes that are here and those of the whole model."""


@dataclass(frozen=True, slots=True)
class Installation:
    """How a model is to be installed."""

    client: Client = field(default_factory=Client)
    origin: str = ""
    """A file, a folder, or an https address to take the files from; empty: the catalogue's addresses."""
    progress: Progress = lambda done, total: None


def install(store: Store, model: Model, how: Installation) -> Installed:
    """Install a model into the writable store, unless it is there; where it is then.

    Raises:
        MictapeError: (`ExitCode.ENGINE`) the network does not give it; (`ExitCode.SOUND`) there is no room, the files
            are not those of the model, or another process is at it; (`ExitCode.USAGE`) the origin is of no use.
        Stopped: `how.client.stop` was set. What has come stays, and the next call goes on from there.
    """
    with store.locked(model) as folder:
        _check_room(store, model, folder)
        done = 0
        for file in model.files:

            def shown(here: int, before: int = done) -> None:
                how.progress(before + here, model.bytes)

            _bring(_at(file, model, how.origin), folder, how, shown)
            done += file.bytes
        with writing(folder):
            write_metadata(model, folder)
    installed = store.find(model)
    if installed is None:
        raise MictapeError(Failure(f"The files of {model.name} changed while they were installed", "Install it again"))
    return installed


def verify(installed: Installed, progress: Progress) -> str | None:
    """Read all files of a model again: a clause about what is wrong with one; None when nothing is.

    Raises:
        MictapeError: (`ExitCode.SOUND`) a file cannot be read.
    """
    done = 0
    for file, path in zip(installed.model.files, installed.paths, strict=True):

        def shown(here: int, before: int = done) -> None:
            progress(before + here, installed.model.bytes)

        try:
            wrong = damage(path, file, shown)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise MictapeError(Failure(f"{path} cannot be read: {why}", "Make it readable")) from error
        if wrong is not None:
            return f"{path} {wrong}"
        done += file.bytes
    if installed.writable:
        with writing(installed.folder):
            write_metadata(installed.model, installed.folder)
    return None


def _check_room(store: Store, model: Model, folder: Path) -> None:
    missing = model.bytes - min(model.bytes, store.begun(model))
    with writing(folder):
        free = shutil.disk_usage(folder).free
    if missing * SPARE > free:
        what = f"{model.name} needs {missing / 1e6:.0f} MB more in {folder}, where {free / 1e6:.0f} MB are free"
        raise MictapeError(Failure(what, "Make room there"))


def _at(file: ModelFile, model: Model, origin: str) -> ModelFile:
    """The file with the address that `origin` gives it, if it is an address."""
    if "://" not in origin:
        return file
    if urlsplit(origin).scheme != "https":
        raise MictapeError(Failure(f"{origin} is no https address", "Give one that is, or a file", ExitCode.USAGE))
    whole = len(model.files) == 1 and not origin.endswith("/")
    return msgspec.structs.replace(file, urls=(origin if whole else f"{origin.rstrip('/')}/{file.name}",))


def _bring(file: ModelFile, folder: Path, how: Installation, progress: Callable[[int], None]) -> None:
    if not how.origin or "://" in how.origin:
        fetch(file, folder, how.client, progress)
        return
    origin = named_path(how.origin)
    source = origin / file.name if is_folder(origin) else origin
    part = folder / f"{file.name}{PART}"
    _copy(source, file, part, how.client, progress)
    with writing(folder):
        part.replace(folder / file.name)


def _copy(source: Path, file: ModelFile, part: Path, client: Client, progress: Callable[[int], None]) -> None:
    """Copy a file to `part` and check the copy. Raises `MictapeError`, `Stopped`."""
    try:
        if (size := source.stat().st_size) != file.bytes:
            what = f"{source} is not {file.name}: it has {size} bytes instead of {file.bytes}"
            raise MictapeError(Failure(what, "Give the file that the catalogue describes"))
        reading = source.open("rb")
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise MictapeError(Failure(f"{source} cannot be read: {why}", "Give another place with --from")) from error
    done = 0
    with reading, writing(part.parent), part.open("wb") as out:
        while block := reading.read(CHUNK):
            if client.stop is not None and client.stop.is_set():
                raise Stopped
            out.write(block)
            progress(done := done + len(block))
    with writing(part.parent):
        if (wrong := damage(part, file)) is not None:
            part.unlink()
            raise MictapeError(Failure(f"{source} {wrong}", "Give the file that the catalogue describes"))
