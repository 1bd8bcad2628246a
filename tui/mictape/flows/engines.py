"""Choosing the speech engine, its model and the language."""

from dataclasses import replace

from msgspec import structs
from textual.screen import ModalScreen

from mictape.credentials import engine_status, kept
from mictape.engines import catalog
from mictape.engines.readiness import EngineStatus, Readiness, in_thread
from mictape.failure import Advice, Failure, MictapeError
from mictape.models import catalogue as catalogues
from mictape.models.background import Download, Downloads
from mictape.models.choice import suggestion
from mictape.models.languages import of_system
from mictape.models.store import Store, memory_mb
from mictape.recording import Recording
from mictape.recording.engines import LOCAL, EngineChoice
from mictape.screens.engine_picker import MODELS, EnginePicker
from mictape.screens.language import LanguageScreen
from mictape.screens.main.page import STARTING, Commands, Page
from mictape.screens.models import ModelsScreen
from mictape.screens.reading import ReadingScreen
from mictape.settings import LOCAL_MODEL, remember


class _Keys:
    """Takes the keys that are given in the engine picker."""

    def __init__(self, page: Page, recording: Recording) -> None:
        self.given: set[str] = set()
        """The engines that were given one."""
        self._page = page
        self._recording = recording

    async def kept(self, name: str) -> str:
        """Where it will be kept."""
        return await in_thread(lambda: kept(name))

    async def give(self, name: str, key: str) -> None:
        """Try it and keep it. Raises MictapeError."""
        try:
            untried = await self._recording.engines.log_in(name, key)
        except MictapeError as error:
            if error.failure.needs_key:
                raise MictapeError(structs.replace(error.failure, remedy="Type another one")) from error
            raise
        self.given.add(name)
        if untried is not None:
            what = f"The key for {name} is taken and could not be tried: {untried.cause.what}"
            self._page.say(Failure(what, untried.cause.remedy))


class EngineFlow:
    """Asks which engine, model and language to go on with, and downloads models meanwhile."""

    def __init__(self, page: Page, recording: Recording) -> None:
        self._page = page
        self._recording = recording
        mirror = recording.settings.models.mirror
        self._downloads = Downloads(self._on_download, *(("--set", f"models.mirror={mirror}") if mirror else ()))
        self._wanted_language: str | None = None
        """The language that a model is being downloaded for."""
        self.commands: Commands = {"choose_engine": self.choose}

    async def close(self) -> None:
        """End the downloads."""
        await self._downloads.close()

    def choose(self) -> None:
        """Open the engine picker."""
        recording, screen = self._recording, self._page.app.screen
        ready = recording.session is not None or isinstance(screen, ReadingScreen)
        if isinstance(screen, ModalScreen) or recording.stopping:
            return
        if ready:
            self._page.ask(self._change(), "Choosing an engine", group="picker")
        else:
            self._page.say(STARTING)

    async def _change(self) -> None:
        recording, choice = self._recording, await self.ask()
        if choice is not None and choice.model:
            await recording.engines.use_model(choice.model, choice.language)
            language = ("language",) if choice.language else ()
            self._page.say_all(recording.settings.lasting("engine", *language, LOCAL_MODEL))
        elif choice is not None:
            await recording.engines.use(choice.name)
            self._page.say_all(recording.settings.lasting("engine"))

    async def ask(self) -> EngineChoice | None:
        """Show the engines, and the models of the local one. Raises MictapeError."""
        recording = self._recording
        in_use, trouble = recording.engines.in_use.name, recording.engines.failure
        keys = _Keys(self._page, recording)

        async def look(name: str) -> EngineStatus:
            status = await engine_status(name, recording.settings, recording.where.log)
            if name == in_use and name not in keys.given and trouble is not None and trouble.needs_key:
                return replace(status, readiness=Readiness.NEEDS_KEY, failure=trouble)
            return status

        picker = EnginePicker(catalog.names(), look, in_use=in_use, keys=keys)
        name = await self._page.app.push_screen_wait(picker)
        if name == MODELS:
            return await self._ask_for_model()
        return None if name is None else EngineChoice(name)

    async def _ask_for_model(self) -> EngineChoice | None:
        recording, spoken = self._recording, self._recording.settings.language
        catalogue, store = catalogues.load(recording.where.config), Store.here(recording.where)
        in_use = getattr(recording.engines.in_use, "model", None)
        screen = ModelsScreen(catalogue, store, self._downloads, language=spoken, in_use=in_use)
        name = await self._page.app.push_screen_wait(screen)
        if name is None:
            return None
        known = catalogue.named(name)
        return EngineChoice(LOCAL, name, None if spoken and known.knows(spoken) else known.languages[0])

    def _on_download(self, download: Download) -> None:
        """A download has ended: say so, and go on with the model if that is what was waited for."""
        if not download.done or download.cancelled:
            return
        if download.failure is not None:
            self._page.say(download.failure)
            return
        self._page.say(f"{download.model.name} is installed.")
        language = self._wanted_language
        if language is not None and download.model.knows(language) and self._recording.engines.in_use.name == LOCAL:
            self._wanted_language = None
            self._page.start(self._recording.engines.use_model("", language), "Changing the model")

    def ask_language(self) -> None:
        """Offer a model for the system's language, once: whatever the answer is, it is remembered."""
        self._page.start(self._ask_language(), "Choosing a language", group="picker")

    async def _ask_language(self) -> None:
        settings, where = self._recording.settings, self._recording.where
        language = of_system()
        if settings.language is not None or settings.engine != LOCAL or language in (None, "en"):
            return
        catalogue, store = catalogues.load(where.config), Store.here(where)
        known = any(one.model.knows(language) for one in store.installed(catalogue))
        if settings.engines.get(LOCAL, {}).get("model") or known:
            return
        model = suggestion(catalogue, language, memory_mb())
        if model is None:
            return
        choice = await self._page.app.push_screen_wait(LanguageScreen(language, model))
        if choice is None:  # the app is left
            return
        remember(where.state_file, language="en" if choice == "english" else language)
        if choice == "download":
            self._wanted_language = language
            self._downloads.start(model)
            what = f"{model.name} is being downloaded"
            self._page.say(Advice(what, "The list of models shows how far it is", action="choose_engine"))
        elif choice == "engine":
            self.choose()
