"""The command `models`: list, install, verify, remove, path, try."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mictape.cli import output
from mictape.cli.options import Commands, add_settings, settings_of
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.paths import Places

if TYPE_CHECKING:
    from mictape.models.catalogue import Catalogue, Model
    from mictape.models.store import Store

EVERY_S: Final = 0.25
"""Between two lines of progress."""
NAMED: Final = 6
"""Languages of a model that are named."""


def add(commands: Commands) -> None:
    """Add the command."""
    models = commands.add_parser("models", help="list, install and try models for this machine")
    models.set_defaults(run=_list, all=False, json=False, spoken=None)
    what = models.add_subparsers(dest="action", metavar="list|install|verify|remove|path|try")
    each = what.add_parser("list", help="what is installed and what fits (also without a word)")
    each.add_argument("--language", dest="spoken", metavar="CODE", help="only models for a language: de, German")
    each.add_argument("--all", action="store_true", help="every model there is to install")
    each.add_argument("--json", action="store_true", help="one JSON document")
    each.set_defaults(run=_list)
    install = what.add_parser("install", help="download a model, or take it from a file or a folder")
    install.add_argument("name", metavar="NAME")
    install.add_argument("--from", dest="origin", default="", metavar="FILE|FOLDER|URL", help="where its files are")
    install.add_argument("--yes", action="store_true", help="do not ask whether to install it")
    install.add_argument("--json", action="store_true", help="progress as JSON lines on stdout; does not ask")
    add_settings(install, "set")
    install.set_defaults(run=_install)
    verify = what.add_parser("verify", help="read installed models again and check their hashes")
    verify.add_argument("name", metavar="NAME", nargs="?", help="default: all that are installed")
    verify.set_defaults(run=_verify)
    remove = what.add_parser("remove", help="delete an installed model, or what an unfinished download left")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(run=_remove)
    path = what.add_parser("path", help="where models are kept, or one of them is")
    path.add_argument("name", metavar="NAME", nargs="?")
    path.set_defaults(run=_path)
    trial = what.add_parser(
        "try",
        help="transcribe clips with a model: word error rate, speed",
        description="Transcribes every clip that is in one of the model's languages, and compares it with its text.",
    )
    trial.add_argument("name", metavar="NAME")
    trial.add_argument(
        "--clips",
        type=Path,
        metavar="FOLDER",
        help="sound files, and manifest.tsv with the columns file, language, reference; default: fetches a few clips",
    )
    trial.add_argument("--json", action="store_true", help="one JSON document")
    add_settings(trial, "set")
    trial.set_defaults(run=_try)


def here(where: Places) -> tuple["Catalogue", "Store"]:
    """The models there are and those of this machine. Raises `MictapeError`."""
    from mictape.models import catalogue
    from mictape.models.store import Store

    return catalogue.load(where.config), Store.here(where)


def _list(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.models.languages import code_of, name_of

    catalogue, store = here(where)
    shown: Sequence[Model] = catalogue.models
    language = None
    if arguments.spoken is not None:
        language = code_of(arguments.spoken) or arguments.spoken
        if code_of(language) is None and not catalogue.for_language(language):
            what = f"There is no language {arguments.spoken}"
            raise MictapeError(Failure(what, "Write a code like de, or an English name", ExitCode.USAGE))
        shown = catalogue.for_language(language)
    elif not arguments.all:
        shown = [model for model in catalogue.models if store.find(model) or store.begun(model)]
    if arguments.json:
        print(output.as_json([_as_json(model, store) for model in shown]))
        return ExitCode.DONE
    for model in shown:
        print("\n".join(row(model, store, language)))
    if not shown and language is not None:
        print(f"There is no model for {name_of(language)}.")
    elif not shown:
        print("No model is installed beside the one that comes with Mictape (English). See mictape models list --all")
    return ExitCode.DONE


def row(model: "Model", store: "Store", language: str | None = None) -> list[str]:
    """What is said of a model, in lines.

    Args:
        model: The model.
        store: Those of this machine.
        language: The language that was asked for, which is named first.
    """
    from mictape.models.languages import listed
    from mictape.models.runtimes import lacking

    installed, begun = store.find(model), store.begun(model)
    state = "installed" if installed else f"{begun / model.bytes:.0%} downloaded" if begun else ""
    if installed and not installed.writable:
        state += f" in {installed.folder}"
    languages = listed(model.languages, language, NAMED)
    if model.usable:
        languages += f"; less well {listed(model.usable, language, NAMED)}"
    needs = "" if lacking(model.runtime) is None else f"needs {model.runtime}"
    facts = [f"{model.bytes / 1e6:.0f} MB", f"memory {model.memory_mb} MB" if model.memory_mb else "", model.licence]
    measured = store.measured().get(model.name)
    speed = f"{measured:.2f} s for a second of speech here" if measured else ""
    return [
        f"{model.name:<16} {model.title}{'  · ' + state if state else ''}",
        f"    {languages}",
        f"    {' · '.join(filter(None, (*facts, needs, 'streaming' if model.streaming else '', speed)))}",
        *([f"    {model.notes}"] if model.notes else []),
    ]


def _as_json(model: "Model", store: "Store") -> dict[str, object]:
    import msgspec

    installed = store.find(model)
    return {
        **msgspec.to_builtins(model),
        "bytes": model.bytes,
        "installed": installed is not None,
        "folder": installed and str(installed.folder),
        "checked": installed is not None and installed.checked,
        "downloaded": store.begun(model),
        "seconds_per_second": store.measured().get(model.name),
    }


def _install(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.models.download import Client, mirror_of
    from mictape.models.install import Installation, install
    from mictape.models.runtimes import lacking

    settings = settings_of(arguments, where)
    catalogue, store = here(where)
    model = catalogue.named(arguments.name)
    client = Client(mirror_of(settings.models.mirror))
    if store.find(model) is None and not arguments.json:
        show_terms(model)
        if not arguments.yes and not _agreed():
            return ExitCode.DONE
    progress = _Progress(model.name, as_json=arguments.json)
    try:
        installed = install(store, model, Installation(client, arguments.origin, progress.show))
    except KeyboardInterrupt:
        progress.end()
        print(f"What has come is kept: mictape models install {model.name} goes on from there.", file=sys.stderr)
        raise
    progress.end()
    if not arguments.json:
        print(f"{model.name} is installed in {installed.folder}")
        if (failure := lacking(model.runtime)) is not None:
            print(f"{failure}", file=sys.stderr)
    return ExitCode.DONE


def show_terms(model: "Model") -> None:
    """What one should know before the first byte."""
    from mictape.models.runtimes import lacking

    print(f"{model.title}: {model.bytes / 1e6:.0f} MB")
    print(f"Licence: {model.licence} {model.licence_url}".rstrip())
    print(f"Attribution: {model.attribution}")
    if model.notes:
        print(model.notes)
    if (failure := lacking(model.runtime)) is not None:
        print(failure)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise MictapeError(Failure("There is no terminal to ask on whether to install it", "Add --yes", ExitCode.USAGE))
    return input("Install it? [Y/n] ").strip().lower() in ("", "y", "yes")


class _Progress:
    """A line that follows a download: on a terminal, or in JSON."""

    def __init__(self, name: str, *, as_json: bool) -> None:
        self._name = name
        self._as_json = as_json
        self._begun_s = self._next_s = time.monotonic()
        self._first: int | None = None
        self._shown = False

    def show(self, done: int, total: int) -> None:
        """So many bytes are here."""
        now_s = time.monotonic()
        if self._first is None:
            self._first, self._begun_s = done, now_s
        if now_s < self._next_s and done < total:
            return
        self._next_s = now_s + EVERY_S
        if self._as_json:
            print(json.dumps({"model": self._name, "bytes": done, "of": total}), flush=True)
        elif output.shows_progress():
            self._shown = True
            rate = (done - self._first) / max(1e-3, now_s - self._begun_s)
            left = f"{(total - done) / rate:.0f} s left" if rate > 0 else ""
            text = f"{self._name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB, {rate / 1e6:.1f} MB/s, {left}"
            print(f"\r{text:<72}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            print(file=sys.stderr)


def _verify(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.models.install import verify

    catalogue, store = here(where)
    chosen = [store.named(catalogue, arguments.name)] if arguments.name else store.installed(catalogue)
    code = ExitCode.DONE
    for installed in chosen:
        name = installed.model.name
        progress = _Progress(name, as_json=False)
        wrong = verify(installed, progress.show)
        progress.end()
        if wrong is None:
            print(f"{name}: every file is as it should be")
        else:
            code = ExitCode.SOUND
            print(f"{name}: {wrong}. Type: mictape models remove {name}, then install it again.")
    return code


def _remove(arguments: argparse.Namespace, where: Places) -> int:
    catalogue, store = here(where)
    model = catalogue.named(arguments.name)
    if (installed := store.find(model)) is not None:
        store.remove(installed)
    elif store.begun(model):
        with store.locked(model) as folder:
            store.discard(model, folder)
    else:
        raise MictapeError(Failure(f"The model {model.name} is not installed", "See mictape models"))
    print(f"{model.name} is removed")
    return ExitCode.DONE


def _path(arguments: argparse.Namespace, where: Places) -> int:
    catalogue, store = here(where)
    print(store.named(catalogue, arguments.name).folder if arguments.name else store.folder)
    return ExitCode.DONE


def _try(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.cli.models_trial import run

    return run(arguments, where)
