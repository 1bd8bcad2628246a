"""Mictape with errors planted in it: `python failing_app.py ARGUMENTS...` runs what `mictape ARGUMENTS...` does.

F6 raises in a handler of the app, F7 in a handler of the main screen, F8 in a widget of Textual's own, F9 calls
Textual's `panic`. In a dialog, `ctrl+r` raises in the engine picker and looking at an engine raises in its worker.
"""

from textual import events
from textual.app import App
from textual.containers import Vertical


def plant() -> None:
    """Put the errors in their places."""
    from mictape.app import MictapeApp
    from mictape.screens.engine_picker import EnginePicker
    from mictape.screens.main.screen import MainScreen

    def fail(*_: object) -> None:
        raise RuntimeError("planted")

    async def on_key_of_app(self: App[None], event: events.Key) -> None:
        if event.key == "f6":
            fail()
        if event.key == "f8":
            self.screen.query_one(Vertical).post_message(events.Click(None, 0, 0, 0, 0, 1, False, False, False))
        if event.key == "f9":
            self.panic("planted")

    async def on_key_of_screen(_: MainScreen, event: events.Key) -> None:
        if event.key == "f7":
            fail()

    MictapeApp.on_key = on_key_of_app  # type: ignore[attr-defined]
    MainScreen.on_key = on_key_of_screen  # type: ignore[attr-defined]
    Vertical.on_click = fail  # type: ignore[attr-defined]
    EnginePicker.action_look_again = fail  # type: ignore[method-assign]


def main() -> None:
    """Plant the errors and run the command line."""
    from mictape.__main__ import main as run

    plant()
    run()


if __name__ == "__main__":
    main()
