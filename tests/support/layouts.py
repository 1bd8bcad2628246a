"""How often Textual lays a whole screen out, which costs tens of milliseconds."""

import pytest
from textual.geometry import Size
from textual.screen import Screen


def counted_layouts(monkeypatch: pytest.MonkeyPatch) -> list[Size]:
    """The size of each screen that is laid out from now on, until the test ends."""
    layouts: list[Size] = []
    lay_out = Screen._refresh_layout

    def counted(screen: Screen[object], size: Size | None = None, scroll: bool = False) -> None:
        layouts.append(screen.size)
        lay_out(screen, size, scroll)

    monkeypatch.setattr(Screen, "_refresh_layout", counted)
    return layouts
