"""Writes the pages that follow from the code: what they say is declared there, once.

.venv/bin/python scripts/generate_docs.py
"""

from pathlib import Path
from typing import Final

from mictape import keys
from mictape.engines import documentation as engines
from mictape.library.export import documentation as json
from mictape.screens.help import keys_of_dialog
from mictape.settings import documentation as settings

FOLDER: Final = Path(__file__).parents[1] / "docs"


def pages() -> dict[str, str]:
    """The text of each page, by its file name in `docs`."""
    return {
        "configuration.md": settings.markdown(),
        "engines.md": engines.markdown(),
        "json.md": json.markdown(),
        "keys.md": keys.markdown({"In the library": keys_of_dialog("In the library")}),
    }


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
