"""The real app on scripted words, for tests of what the person does with the text."""

import wave
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.events import Paste
from textual.pilot import Pilot

from mictape.app import MictapeApp
from mictape.engines.base import Engine
from mictape.paths import Places, places
from mictape.recording import Recording
from mictape.settings import Settings
from mictape.start import Start
from mictape.transcript.model import Transcript
from support.scripted import ScriptedEngine, spoken
from support.sound_system import FakeSoundSystem
from support.waiting import until_async

WORDS = [1, 2, 3, 1, 2, 3]


def recording(path: Path, words: list[int] | None = None) -> Path:
    """A sound file on which these words are said."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(spoken(words or WORDS))
    return path


def _app(
    where: Places,
    settings: Settings | None,
    make_engine: Callable[[str], Engine] | None,
    start: Start | None,
    sound: FakeSoundSystem | None = None,
) -> MictapeApp:
    used = settings or Settings()

    def make(transcript: Transcript) -> Recording:
        return Recording(where, used, make_engine=make_engine, sound=sound, transcript=transcript)

    return MictapeApp(where, used, start, make=make)


@asynccontextmanager
async def handled(
    home: Path,
    engine: ScriptedEngine | None = None,
    lines: int = len(WORDS),
    settings: Settings | None = None,
    *,
    words: list[int] | None = None,
    notifications: bool = False,
    real_sound: bool = False,
) -> AsyncGenerator[tuple[MictapeApp, Pilot[Any]]]:
    """The app once it shows as many lines of these words, its cursor on the last one; left as `q` does.

    With `notifications` its messages are also drawn; with `real_sound` a capture process reads the words from a file,
    and what is played is played.
    """
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    used = engine or ScriptedEngine()
    start = Start(file=recording(home / "words.wav", words))
    app = _app(where, settings, lambda _: used, start, None if real_sound else FakeSoundSystem(words=words or WORDS))
    async with app.run_test(size=(100, 24), notifications=notifications) as pilot:
        try:
            await until_async(lambda: len(app.transcript) == lines)
            await until_async(lambda: app._main.view.cursor_id == app.transcript.id_at(lines - 1))
            yield app, pilot
        finally:
            app.action_stop()
            app.action_stop()
            await until_async(lambda: app._exit)


@asynccontextmanager
async def on_fake_sound(
    home: Path,
    sound: FakeSoundSystem,
    *,
    engine: ScriptedEngine | None = None,
    engines: Mapping[str, ScriptedEngine] | None = None,
    settings: Settings | None = None,
    start: Start | None = None,
    size: tuple[int, int] = (100, 24),
    real_engines: bool = False,
) -> AsyncGenerator[tuple[MictapeApp, Pilot[Any]]]:
    """The app on devices that a test makes up, as it starts; left as `q` twice does.

    It has one `engine` whatever it asks for, or those of `engines` by their names, or `real_engines`.
    """
    where = places({"MICTAPE_HOME": str(home)})
    where.prepare()
    used = engine or ScriptedEngine()
    make = None if real_engines else engines.__getitem__ if engines else lambda _: used
    app = _app(where, settings, make, start, sound)
    async with app.run_test(size=size) as pilot:
        try:
            await until_async(lambda: app.recording)
            yield app, pilot
        finally:
            app.action_stop()
            app.action_stop()
            await until_async(lambda: app._exit)


async def paste(pilot: Pilot[Any], text: str) -> None:
    """Paste into the field that has the keys: typing takes a tenth of a second a character."""
    pilot.app.post_message(Paste(text))
    await pilot.pause()


def recording_of(app: MictapeApp) -> Recording:
    """What the app records; it is loaded once the first frame is shown."""
    assert app.recording is not None
    return app.recording


def texts(app: MictapeApp) -> list[str]:
    """What stands there, in tape order."""
    return [app.transcript.text(index) for index in range(len(app.transcript))]


def messages(app: MictapeApp) -> list[str]:
    """What the app shows for a while, the latest one last."""
    return [notification.message for notification in app._notifications]
