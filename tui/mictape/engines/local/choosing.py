"""Which model the local engine runs, from its options, the language and what is installed."""

from dataclasses import dataclass, replace
from typing import Final

from mictape import bundled
from mictape.engines.local.spec import ModelSpec
from mictape.failure import MictapeError
from mictape.models import catalogue as catalogues
from mictape.models.choice import choose
from mictape.models.languages import name_of
from mictape.models.runtimes import lacking
from mictape.models.store import Installed, Store, memory_mb
from mictape.paths import Places

ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The models that a process is to load, and how they are shown."""

    model: ModelSpec
    second: ModelSpec | None
    """The one of the second pass, where it is another one."""
    title: str
    """As the state line shows it: `moonshine tiny-en · English`."""
    confidence: bool
    """Whether it gives the confidence of words."""
    takes_key_terms: bool = False
    """Whether it favours key terms."""
    languages: tuple[str, ...] = ("en",)
    """All that something installed knows."""


def embedded() -> Chosen:
    """The model that every Mictape carries."""
    folder = str(bundled.FOLDER / bundled.MOONSHINE)
    model = ModelSpec("moonshine tiny-en", "moonshine", (folder,), ENGLISH)
    return Chosen(model, None, "moonshine tiny-en · English", confidence=True, takes_key_terms=True)


def choose_model(where: Places, language: str | None, name: str, second_name: str) -> Chosen:
    """Choose.

    Args:
        where: Where models are kept and the user's own are listed.
        language: A code; None: not given.
        name: The model that was asked for; empty: the best one for the language.
        second_name: The model of the second pass; empty: the same.

    Raises:
        MictapeError: (`ExitCode.ENGINE`) no installed model knows the language, or what runs it is not installed;
            (`ExitCode.USAGE`) a model that was asked for does not know the language, or does not exist.
    """
    catalogue, store = catalogues.load(where.config), Store.here(where)
    installed = store.installed(catalogue)
    languages = tuple(dict.fromkeys((ENGLISH, *(code for one in installed for code in one.model.known))))
    found = choose(catalogue, installed, language, name, memory_mb())
    chosen = embedded()
    if found is not None:
        spoken = language or (ENGLISH if found.model.knows(ENGLISH) else found.model.languages[0])
        title = f"{found.model.title} · {name_of(spoken)}"
        chosen = Chosen(_spec(found, spoken), None, title, found.model.confidence, found.model.key_terms)
    if second_name and (second := choose(catalogue, installed, chosen.model.language, second_name, None)) is not None:
        chosen = replace(chosen, second=_spec(second, chosen.model.language))
    return replace(chosen, languages=languages)


def _spec(installed: Installed, language: str) -> ModelSpec:
    model = installed.model
    if (failure := lacking(model.runtime)) is not None:
        raise MictapeError(failure)
    paths = tuple(map(str, installed.paths))
    return ModelSpec(model.name, model.runtime, paths, language, model.streaming, model.look_ahead_ms)
