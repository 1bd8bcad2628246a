"""Clips with known texts to try models with, fetched when they are needed."""

import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import msgspec

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.models.catalogue import ModelFile
from mictape.models.download import Client, fetch
from mictape.models.store import writing
from mictape.models.trial import Clip


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One clip."""

    name: str
    language: str
    bytes: int
    sha256: str
    reference: str


class Clips(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them, and where they are."""

    attribution: str
    base: str
    """The address in front of each name."""
    clips: tuple[Entry, ...]


def shipped() -> Clips:
    """The list in this package."""
    text = resources.files("mictape.models").joinpath("clips.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Clips)


def fetched(
    clips: Clips, wanted: Callable[[str], bool], folder: Path, client: Client, progress: Callable[[str], None]
) -> list[Clip]:
    """The clips in the wanted languages, fetched into `folder` as far as they are not there.

    Args:
        clips: The list.
        wanted: Whether a language is wanted, by its code.
        folder: Made if need be.
        client: How they are fetched.
        progress: Called with the name of each clip before it is fetched.

    Raises:
        MictapeError: (`ExitCode.USAGE`) there are none in these languages; (`ExitCode.ENGINE`) they cannot be fetched.
    """
    chosen = [entry for entry in clips.clips if wanted(entry.language)]
    if not chosen:
        known = ", ".join(sorted({entry.language for entry in clips.clips}))
        what = f"There are clips in {known} only"
        raise MictapeError(Failure(what, "Name a folder of your own with --clips", ExitCode.USAGE))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    found: list[Clip] = []
    for entry in chosen:
        progress(entry.name)
        file = ModelFile(entry.name, entry.bytes, (clips.base + entry.name,), entry.sha256)
        found.append(Clip(fetch(file, folder, client, lambda _: None), entry.language, entry.reference))
    return found
