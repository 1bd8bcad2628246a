"""Write the manual page, for those who package Mictape: `.venv/bin/python scripts/make_man.py > mictape.1`.

It is made from the parser of the command line, so it is not kept in the repository.
"""

import os
import sys

try:
    from argparse_manpage.manpage import Manpage
except ModuleNotFoundError:
    sys.exit("argparse-manpage is missing. `make check` installs it; then use .venv/bin/python.")

from mictape import __version__
from mictape.cli.parser import parser


def page() -> str:
    """The page. It has the version in the place of a date."""
    os.environ["COLUMNS"] = "80"  # argparse wraps to the terminal's width
    about = {
        "date": __version__,
        "project_name": "mictape",
        "manual_title": "User Commands",
        "description": "live speech recognition in the terminal",
    }
    return str(Manpage(parser(), about))


if __name__ == "__main__":
    print(page(), end="")
