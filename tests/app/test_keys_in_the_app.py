"""A key is given in the app: the real app, a keyring in a file, a server that asks for a key, a device made up."""

import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest

from mictape.screens.device_picker import DevicePicker
from mictape.screens.engine_picker import EnginePicker
from mictape.screens.prompt import Ask
from mictape.session.state import State
from mictape.settings import Settings
from servers.base import serve
from servers.soniox import KEY, SonioxServer
from support import file_keyring
from support.app_driver import messages, on_fake_sound, recording_of, texts
from support.file_keyring import FileKeyring
from support.scripted import words_in
from support.sound_system import FakeSoundSystem
from support.waiting import until_async
from support.widget_app import rows_of

WRONG = "wrong-key-0123456789"


@pytest.fixture(autouse=True)
def _keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process uses a keyring in a file, and no key is in the environment."""
    monkeypatch.setenv(file_keyring.VARIABLE, str(tmp_path / "keyring.json"))
    for name in os.environ:
        if name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    before = keyring.get_keyring()
    keyring.set_keyring(FileKeyring())
    yield
    keyring.set_keyring(before)


def kept() -> str | None:
    """The key that is in the keyring."""
    return FileKeyring().get_password("mictape", "SONIOX_API_KEY")


async def test_an_engine_whose_key_was_refused_asks_for_another_one_and_goes_on(home: Path) -> None:
    soniox = SonioxServer(words_in)
    async with serve(soniox, admit=soniox.admit) as server:
        settings = Settings(engine="soniox", engines={"soniox": {"url": f"{server.url}/transcribe-websocket"}})
        sound = FakeSoundSystem(words=(1, 2, 3, *[0] * 20))
        async with on_fake_sound(home, sound, settings=settings, real_engines=True) as (app, pilot):

            def sees(*words: str) -> bool:
                screen = " ".join(" ".join(rows_of(app)).replace("│", " ").split())  # a dialog wraps its text
                return all(word in screen for word in words)

            await until_async(lambda: isinstance(app.screen, DevicePicker))
            await pilot.press("enter")
            await until_async(lambda: (now := recording_of(app).status()) and now.state is State.ENGINE_STOPPED)
            await pilot.press("e")
            await until_async(lambda: isinstance(app.screen, EnginePicker) and sees("● soniox", "Enter asks for"))
            await pilot.press("enter")
            await until_async(lambda: isinstance(app.screen, Ask))
            await pilot.press(*WRONG, "enter")
            await until_async(lambda: sees("does not accept the key", "Type another one"))
            assert not sees(WRONG)
            await pilot.press("escape")
            await until_async(lambda: isinstance(app.screen, EnginePicker))
            assert kept() is None, "a key that was refused is not kept"
            await pilot.press("enter")
            await until_async(lambda: isinstance(app.screen, Ask))
            await pilot.press(*KEY, "enter")
            await until_async(lambda: {"w1", "w2", "w3"} <= set(" ".join(texts(app)).split()))
    assert kept() == KEY
    assert messages(app) == []
