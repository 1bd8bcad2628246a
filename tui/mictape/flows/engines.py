"""Choosing the speech engine, its model and the language."""

from collections.abc import Awaitable

from textual.screen import ModalScreen

from mictape.credentials import log_in, standing_of
from mictape.engines import catalog
from mictape.engines.readiness import Standing
from mictape.failure import Advice
from mictape.models import catalogue as catalogues
from mictape.models.background import Download, Downloads
from mictape.models.choice import suggestion
from mictape.models.languages import of_system
from mictape.models.store import Store, memory_mb
from mictape.recording import Recording
from mictape.recording.recording import LOCAL
from mictape.screens.engine_picker import MODELS, EnginePicker
from mictape.screens.language import LanguageScreen
from mictape.screens.main.page import Commands, Page
from mictape.screens.models import ModelsScreen
from mictape.settings import remember


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
        recording, asked = self._recording, isinstance(self._page.app.screen, ModalScreen)
        if recording.session is not None and not asked and not recording.stopping:
            self._page.start(self._change(), "Choosing an engine", group="picker")

    async def _change(self) -> None:
        settings, log = self._recording.settings, self._recording.where.log

        def look(name: str) -> Awaitable[Standing]:
            return standing_of(name, settings, log)

        def give_key(name: str, key: str) -> Awaitable[object]:
            return log_in(name, key, settings, log)

        picker = EnginePicker(catalog.names(), look, in_use=self._recording.engine.name, log_in=give_key)
        name = await self._page.app.push_screen_wait(picker)
        if name == MODELS:
            await self._change_model()
        elif name is not None:
            await self._recording.use_engine(name)

    async def _change_model(self) -> None:
        """Show the models, and go on with the one that is chosen. Raises MictapeError."""
        recording, spoken = self._recording, self._recording.settings.language
        catalogue, store = catalogues.load(recording.where.config), Store.here(recording.where)
        in_use = getattr(recording.engine, "model", None)
        screen = ModelsScreen(catalogue, store, self._downloads, language=spoken, in_use=in_use)
        name = await self._page.app.push_screen_wait(screen)
        if name is not None:
            known = catalogue.named(name)
            await recording.use_model(name, None if spoken and known.knows(spoken) else known.languages[0])

    def _on_download(self, download: Download) -> None:
        """A download has ended: say so, and go on with the model if that is what was waited for."""
        if not download.done or download.cancelled:
            return
        if download.failure is not None:
            self._page.say(download.failure)
            return
        self._page.say(f"{download.model.name} is installed.")
        language = self._wanted_language
        if language is not None and download.model.knows(language) and self._recording.engine.name == LOCAL:
            self._wanted_language = None
            self._page.start(self._recording.use_model("", language), "Changing the model")

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
