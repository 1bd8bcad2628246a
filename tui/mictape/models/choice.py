"""Which model is used: what was asked for, else the best installed one for the language. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.models.catalogue import Catalogue, Model
from mictape.models.languages import code_of, name_of, primary
from mictape.models.store import Installed

SHARE: Final = 0.6
"""Of the machine's memory, what a model may take."""

BUILT_IN: Final = "tiny-english"
"""The name of the model that comes with Mictape: English, and not in the catalogue."""


def suggestion(catalogue: Catalogue, language: str, memory_mb: int | None) -> Model | None:
    """The model to install for a language on a machine with so much memory; None when there is none."""
    fitting = _usable_here(catalogue.for_language(language), memory_mb)
    return next((model for model in fitting if model.live), next(iter(fitting), None))


def choose(
    catalogue: Catalogue, installed: Iterable[Installed], language: str | None, name: str, memory_mb: int | None
) -> Installed | None:
    """The model to use; None for the one that comes with Mictape.

    Args:
        catalogue: All there are.
        installed: Those that are here.
        language: A code, `de` or `de-AT`; None: not given, which means English unless a model is named.
        name: The model that was asked for; empty: the best one for the language.
        memory_mb: Of the machine; None: not known.

    Raises:
        MictapeError: (`ExitCode.ENGINE`) no installed model knows the language; (`ExitCode.USAGE`) the one asked for
            does not, or there is none of that name.
    """
    here = {one.model.name: one for one in installed}
    english = language is None or primary(language) == "en"
    if name:
        return _named(catalogue, here, language, name)
    wanted = "en" if language is None else language
    candidates = [model for model in catalogue.for_language(wanted) if model.name in here and model.live]
    for model in _usable_here(candidates, memory_mb):
        return here[model.name]
    if english:
        return None
    raise MictapeError(missing(catalogue, wanted, memory_mb))


def missing(catalogue: Catalogue, language: str, memory_mb: int | None) -> Failure:
    """The sentence for a language that no installed model knows."""
    if code_of(language) is None:
        return Failure(f"There is no language {language}", "Write a code like de, or an English name", ExitCode.USAGE)
    what = f"No local model for {name_of(language)} is installed"
    if (model := suggestion(catalogue, language, memory_mb)) is None:
        what = f"There is no local model for {name_of(language)}"
        return Failure(what, "Choose another engine with --engine", ExitCode.ENGINE)
    return Failure(what, f"Type: mictape models install {model.name} ({model.bytes / 1e6:.0f} MB)", ExitCode.ENGINE)


def _named(catalogue: Catalogue, here: dict[str, Installed], language: str | None, name: str) -> Installed | None:
    """The model of this name. Raises `MictapeError`."""
    if name == BUILT_IN:
        if language is not None and primary(language) != "en":
            raise _does_not_know("The model that comes with Mictape", language)
        return None
    model = catalogue.named(name)
    if language is not None and not model.knows(language):
        raise _does_not_know(f"The model {name}", language)
    if name not in here:
        remedy = f"Type: mictape models install {name}"
        raise MictapeError(Failure(f"The model {name} is not installed", remedy, ExitCode.ENGINE))
    return here[name]


def _does_not_know(what: str, language: str) -> MictapeError:
    remedy = f"See mictape models list --language {language}"
    return MictapeError(Failure(f"{what} does not know {name_of(language)}", remedy, ExitCode.USAGE))


def _usable_here(models: Sequence[Model], memory_mb: int | None) -> list[Model]:
    """Those that fit into the memory; all, the smallest first, when none does."""
    if memory_mb is None:
        return list(models)
    fitting = [model for model in models if (model.memory_mb or 0) <= SHARE * memory_mb]
    return fitting or sorted(models, key=lambda model: model.memory_mb or 0)
