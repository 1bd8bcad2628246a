"""The screen of a transcript in an app that has nothing of Mictape's but it."""

from mictape.screens.main.screen import MainScreen
from mictape.transcript.model import Transcript
from support.waiting import until_async
from support.widget_app import WidgetApp


async def test_a_command_is_carried_out_in_any_app() -> None:
    app = WidgetApp()
    async with app.run_test():
        screen = MainScreen(Transcript())
        await app.push_screen(screen)
        for id in ("export", "end_search", "undo"):
            screen.action_command(id)
        said = ["There is nothing to export yet.", "There is nothing to undo."]
        await until_async(lambda: [each.message for each in app._notifications] == said)
