"""A Textual app in this process that draws on a terminal emulator, as it would on a terminal."""

import pyte
from textual.driver import Driver
from textual.drivers.headless_driver import HeadlessDriver
from textual.widget import Widget

from support.terminal_emulator import Screen, Stream
from support.widget_app import WidgetApp

COLUMNS, ROWS = 80, 24


class _DrawingDriver(HeadlessDriver):
    """Types nothing, and draws for real."""

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        assert isinstance(self._app, DrawnApp)
        self._app.writes += 1
        self._app.stream.feed(data)


class DrawnApp(WidgetApp):
    """Shows the widgets it is given on `terminal`."""

    def __init__(self, *widgets: Widget) -> None:
        super().__init__(*widgets)
        self.terminal = Screen(COLUMNS, ROWS)
        self.stream = Stream(self.terminal)
        self.updates = 0
        """How often Textual has drawn."""
        self.writes = 0
        """How often something was written to the terminal."""

    def get_driver_class(self) -> type[Driver]:
        """The one that draws."""
        return _DrawingDriver

    def post_display_hook(self) -> None:
        """Count."""
        self.updates += 1

    @property
    def cells(self) -> list[list[pyte.screens.Char]]:
        """Every cell of the terminal, row by row, with its colours."""
        return [[self.terminal.buffer[y][x] for x in range(COLUMNS)] for y in range(ROWS)]
