"""The models on this machine and those to install: what each knows, needs and costs, and how far its download is."""

from typing import ClassVar, Final

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from mictape.failure import Failure, MictapeError
from mictape.models.background import Downloads
from mictape.models.catalogue import Catalogue, Model
from mictape.models.languages import code_of, listed, spoken_in
from mictape.models.runtimes import MODULES, lacking
from mictape.models.store import Store
from mictape.screens.modal import Question
from mictape.widgets.filtered_options import FilteredOptions
from mictape.widgets.key_hints import clickable

NAMED: Final = 4
"""Languages of a model that are named."""
LOOK_HZ: Final = 4
"""How often the progress of downloads is looked at."""


class ModelsScreen(Question[str | None]):
    """Install, use and remove models. The result is the model to use, or None when nothing is to change.

    A download goes on when the screen is left.
    """

    CSS_PATH = "models.tcss"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        # Before the filter, which has keys of its own.
        Binding("ctrl+x", "cancel", "cancel", priority=True),
        Binding("ctrl+k", "remove", "remove", priority=True),
    ]

    _list = getters.query_one(FilteredOptions)
    _note = getters.query_one("#note", Static)

    def __init__(
        self,
        catalogue: Catalogue,
        store: Store,
        downloads: Downloads,
        *,
        language: str | None = None,
        in_use: str | None = None,
    ) -> None:
        """Prepare.

        Args:
            catalogue: All there are.
            store: Those that are here.
            downloads: Those that are on their way.
            language: Its models are listed first.
            in_use: The model that the engine runs.
        """
        super().__init__()
        first = catalogue.for_language(language) if language else []
        self._models = {model.name: model for model in (*first, *catalogue.models)}
        self._store = store
        self._downloads = downloads
        self._language = language
        self._in_use = in_use
        self._lacking = {runtime: lacking(runtime) for runtime in MODULES}
        """Why each runtime cannot run here; None where it can."""
        self._asked: str | None = None
        """The model whose licence is shown; Enter again installs it."""
        self._kept: tuple[str, str] | None = None
        """The model that could not be removed, and why. Said until the cursor moves."""

    def compose(self) -> ComposeResult:
        """A title, the list, what there is to say of the model under the cursor, the keys."""
        with Vertical(id="box") as box:
            box.border_title = "Models"
            box.border_subtitle = clickable("enter choose · ^x cancel · ^k remove · esc back")
            rows = {name: self._row(model) for name, model in self._models.items()}
            languages = {name: spoken_in(model.known) for name, model in self._models.items()}
            yield FilteredOptions(rows, found_by=languages, first=self._in_use, id="models")
            yield Static(id="note", markup=False)

    def on_mount(self) -> None:
        """Follow the downloads."""
        self.set_interval(1 / LOOK_HZ, self.refresh_rows)

    def refresh_rows(self) -> None:
        """Show what is true now."""
        if not self.query("#models"):
            return
        for name, model in self._models.items():
            self._list.replace(name, self._row(model))
        self._explain()

    @property
    def _chosen(self) -> Model | None:
        # A key may come before the list is there, and after it has gone.
        name = next((each.chosen for each in self.query(FilteredOptions)), None)
        return self._models.get(name or "")

    @on(FilteredOptions.Chosen)
    def _on_choice(self, event: FilteredOptions.Chosen) -> None:
        """Use a model that is installed; of another one show the licence first, and then install it."""
        model = self._models[event.name]
        if self._store.find(model) is not None:
            self.dismiss(model.name)
        elif self._asked == model.name:
            self._asked = None
            self._downloads.start(model)
            self.refresh_rows()
        else:
            self._asked = model.name
            self._explain()

    @on(FilteredOptions.Moved)
    def _on_move(self, event: FilteredOptions.Moved) -> None:
        if event.name != self._asked:
            self._asked = None
        self._kept = None
        self._explain()

    def action_leave(self) -> None:
        """Back; downloads go on."""
        self.dismiss(None)

    async def action_cancel(self) -> None:
        """End the download of the model under the cursor; what has come stays."""
        if (model := self._chosen) is not None:
            await self._downloads.cancel(model.name)
            self.refresh_rows()

    def action_remove(self) -> None:
        """Delete the files of the model under the cursor."""
        model = self._chosen
        installed = self._store.find(model) if model is not None else None
        if installed is None or model is None:
            self._say_not_removed(model)
            return
        name = installed.model.name
        self._kept = None
        try:
            if name == self._in_use:
                raise MictapeError(Failure(f"{name} is in use", "Choose another model first"))
            self._store.remove(installed)
        except MictapeError as error:
            self._kept = name, str(error.failure)
        self.refresh_rows()

    def _say_not_removed(self, model: Model | None) -> None:
        """Say why there is nothing to remove of a model that is not installed."""
        download = self._downloads.get(model.name) if model is not None else None
        if model is not None:
            going_on = download is not None and not download.done
            what = Failure(f"{model.name} is being downloaded", "Cancel that first (^x)")
            self._kept = model.name, str(what if going_on else Failure(f"{model.name} is not installed"))
            self._explain()

    def _explain(self) -> None:
        """Say what there is to say of the model under the cursor."""
        model = self._chosen
        if model is None:
            return
        download = self._downloads.get(model.name)
        if download is not None and download.failure is not None:
            self._say(str(download.failure), trouble=True)
        elif self._kept is not None and self._kept[0] == model.name:
            self._say(self._kept[1], trouble=True)
        elif self._asked == model.name:
            terms = f"{model.licence} {model.licence_url}".rstrip()
            needs = f" {failure}" if (failure := self._lacking[model.runtime]) is not None else ""
            self._say(f"{model.attribution}. Licence: {terms}. Enter downloads {_megabytes(model.bytes)}.{needs}")
        else:
            self._say(model.notes)

    def _say(self, text: str, *, trouble: bool = False) -> None:
        if text != str(self._note.content):  # it is said four times a second
            self._note.update(Content(text))
        self._note.set_class(trouble, "-trouble")
        self._note.display = bool(text)

    def _row(self, model: Model) -> Content:
        """Name, state; below them, languages, the one that was typed first, size, memory and speed."""
        typed = code_of(next((each.typed for each in self.query(FilteredOptions)), ""))
        codes = model.known if typed is not None and model.knows(typed) else model.languages
        sign = "● " if model.name == self._in_use else "  "
        state, colour = self._state(model)
        measured = self._store.measured().get(model.name)
        facts = (
            listed(codes, typed or self._language, NAMED),
            _megabytes(model.bytes),
            f"memory {model.memory_mb} MB" if model.memory_mb else "",
            f"{measured:.2f} s for 1 s here" if measured else "",
            "" if self._lacking[model.runtime] is None else f"needs {model.runtime}",
            model.licence,
        )
        first = Content.assemble(sign, f"{model.name:<16}", model.title, "  ", Content.styled(state, colour))
        return Content.assemble(first, "\n    ", (" · ".join(filter(None, facts)), "$transcript-time"))

    def _state(self, model: Model) -> tuple[str, str]:
        download = self._downloads.get(model.name)
        if download is not None and not download.done:
            return f"{download.bytes / model.bytes:.0%} of {_megabytes(model.bytes)}", "$warning"
        if self._store.find(model) is not None:
            return ("in use" if model.name == self._in_use else "installed"), "$success"
        if download is not None and download.failure is not None:
            return "failed", "$error"
        begun = self._store.begun(model)
        return (f"{begun / model.bytes:.0%} downloaded" if begun else ""), "$transcript-time"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
