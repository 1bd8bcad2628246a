"""Every dialog with something in it, for pictures and for the contrast of what is drawn."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from textual.screen import Screen

from mictape.engines.readiness import EngineStatus, Readiness
from mictape.failure import Failure
from mictape.models import catalogue as catalogues
from mictape.models.background import Downloads
from mictape.models.store import Store as ModelStore
from mictape.paths import places
from mictape.screens.device_picker import DevicePicker
from mictape.screens.edit_line import EditLine
from mictape.screens.engine_picker import EnginePicker
from mictape.screens.export import ExportScreen, ExportWish
from mictape.screens.help import HelpScreen
from mictape.screens.language import LanguageScreen
from mictape.screens.leave import LeaveScreen
from mictape.screens.models import ModelsScreen
from mictape.screens.prompt import Ask
from mictape.screens.recover import Interrupted, RecoverScreen
from mictape.screens.theme_picker import ThemePicker
from mictape.units import RATE
from support.sound_system import FakeSoundSystem, device
from support.still_app import transcript
from support.stored_sessions import BEGAN

THEME_NAMES = ["mictape-contrast", "mictape-dark", "mictape-light"]
DEVICES = [device("Blue Yeti", default=True), device("Headset", muted=True), device("Monitor", computer=True)]
STATUSES = {
    each.name: each
    for each in (
        EngineStatus(
            "local", Readiness.READY, "local · moonshine tiny-en · English", leaves="nothing leaves the machine"
        ),
        EngineStatus(
            "deepgram",
            Readiness.NEEDS_KEY,
            "deepgram · nova-3 · English",
            Failure("Deepgram needs an API key", "Save it with mictape login deepgram"),
            leaves="the sound is sent to Deepgram",
            usd_per_hour=0.46,
        ),
    )
}


async def status_of(name: str) -> EngineStatus:
    return STATUSES[name]


async def export(_: ExportWish) -> None:
    """Writes nothing."""


def dialogs(home: Path) -> Mapping[str, tuple[Callable[[], Screen[Any]], str]]:
    """Every dialog by its name, and what is on it once it is complete."""
    where = places({"MICTAPE_HOME": str(home)})
    catalogue = catalogues.load(where.config)
    sound, downloads = FakeSoundSystem(DEVICES), Downloads(lambda _: None)
    interrupted = Interrupted(BEGAN, 761 * RATE, 98, 12.0, tracks=("You", "Anna"))
    kept = {"sessions": "~/.local/share/mictape/sessions", "log": "~/.local/state/mictape/mictape.log"}
    parts = {"everything": 98, "marks and notes": 2, "the selection": 5}
    return {
        "device_picker": (
            lambda: DevicePicker(sound.list_devices, in_use=[("Blue Yeti", "Fake")], can_add=True),
            "Headset",
        ),
        "edit_line": (lambda: EditLine(transcript().line(0)), "speaker"),
        "engine_picker": (lambda: EnginePicker(list(STATUSES), status_of, in_use="local"), "needs a key"),
        "export": (lambda: ExportScreen(parts, Path("/home/anna/talk.md"), export), "the selection"),
        "help": (lambda: HelpScreen(kept=kept, engine="local", offline=True, version="1.0"), "Recording"),
        "language": (lambda: LanguageScreen("de", catalogue.for_language("de")[0]), "English"),
        "leave": (lambda: LeaveScreen("00:12:41", ["q"]), "recorded"),
        "models": (
            lambda: ModelsScreen(catalogue, ModelStore.here(where), downloads, in_use="tiny-en"),
            "tiny-en",
        ),
        "prompt": (lambda: Ask("Go to", hint="12:30 or 1:02:03 on the recording", value="12:"), "Go to"),
        "recover": (lambda: RecoverScreen(interrupted), "Continue it"),
        "theme_picker": (lambda: ThemePicker(THEME_NAMES, THEME_NAMES[1], lambda _: None), "Enter: use"),
    }
