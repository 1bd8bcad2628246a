"""The footer: a click presses the key it is on, and the keys are those in force."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from mictape.widgets.key_footer import KeyFooter
from support.widget_app import WidgetApp


class FooterApp(WidgetApp):
    """Counts how often its keys were pressed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("space", "count('space')", "pause"),
        ("m", "count('m')", "mark"),
        ("o", "count('o')", "versions"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.pressed: list[str] = []
        self.footer = KeyFooter()

    def compose(self) -> ComposeResult:
        """The footer alone."""
        yield self.footer

    def action_count(self, key: str) -> None:
        """A key was pressed."""
        self.pressed.append(key)


async def test_a_click_presses_the_key_it_is_on() -> None:
    async with (app := FooterApp()).run_test(size=(30, 5)) as pilot:
        await pilot.pause()
        row = app.rows[-1]
        assert row.strip() == "space pause m mark o versions"
        for column in (row.index("mark") + 3, row.index(" m "), row.index("pause"), row.index("versions"), 29):
            await pilot.click(app.footer, offset=(column, 0))
        assert app.pressed == ["m", "space", "o"], "between two keys and behind the last one there is none"


async def test_the_key_below_the_pointer_stands_out() -> None:
    async with (app := FooterApp()).run_test(size=(30, 5)) as pilot:
        await pilot.pause()
        for column, number in ((0, 0), (11, -1), (12, 1)):
            await pilot.hover(app.footer, offset=(column, 0))
            assert app.footer.pointed == number
        await pilot.hover(offset=(0, 0))
        assert app.footer.pointed == -1


async def test_what_does_not_fit_is_left_out_as_a_whole() -> None:
    async with (app := FooterApp()).run_test(size=(18, 5)) as pilot:
        await pilot.pause()
        assert app.rows[-1].strip() == "space pause m mark"
        await pilot.resize_terminal(17, 5)
        await pilot.pause()
        assert app.rows[-1].strip() == "space pause"
