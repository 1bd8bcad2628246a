"""A TOML file with the line of each key, and the failures that name it."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Final, cast

from msgspec import Struct, field

from mictape.failure import ExitCode, Failure, MictapeError
from mictape.plain_text import did_you_mean
from mictape.text_files import read_text, toml

_TWICE: Final = re.compile(r"^Cannot declare \((?P<keys>.+)\) twice \(at line (?P<line>\d+)")
"""What tomllib says of a second header of a table."""

LONGEST_SHOWN: Final = 60
"""Characters of a value that a message repeats."""


class Document(Struct, frozen=True):
    """A TOML file; one that does not exist is empty."""

    path: Path = Path("config.toml")
    text: str = ""
    values: Mapping[str, object] = field(default_factory=dict[str, object])

    def where(self, *keys: str) -> str:
        """Where a key is, for a message: `/…/config.toml, line 3`; of a table, its first line.

        tomllib reports no positions. But a prefix of whole lines is TOML by itself exactly where a statement ends,
        so the key is in the first statement that makes it appear.
        """
        lines = self.text.split("\n")
        begin = 0
        for end in range(1, len(lines) + 1):
            try:
                values = toml("\n".join(lines[:end]))
            except ValueError:
                continue  # in the middle of a statement of several lines
            if _has(values, keys):
                return f"{self.path}, line {begin + 1}"
            begin = end
        return str(self.path)


def read(path: Path) -> Document:
    """Read a TOML file, without a look at what its keys are.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it cannot be read or is not TOML.
    """
    try:
        text = read_text(path)
        return Document(path, text, toml(text))
    except (FileNotFoundError, NotADirectoryError):  # writing to the folder reports this
        return Document(path)
    except UnicodeDecodeError as error:
        raise mistake(f"{path} is not UTF-8 text", "Save it as UTF-8") from error
    except ValueError as error:
        if twice := _TWICE.search(str(error)):
            table = twice["keys"].replace("', '", ".").strip("',")
            what = f"{path}, line {twice['line']}: there is a [{table}] above"
            raise mistake(what, "Move what is below this one to it") from error
        raise mistake(f"{path} is not valid TOML: {error}", "Correct that line") from error
    except OSError as error:
        raise mistake(f"{path} cannot be read: {(error.strerror or '').lower()}", "Make it readable") from error


def from_text(text: str) -> object:
    """A value typed on a command line: TOML where it is TOML, else the text itself.

    An address needs no quotes that way. A date is text, too: no setting is a date, and the versions of services look
    like dates.
    """
    try:
        table = toml(f"value = {text}")
    except ValueError:
        return text
    value = table.pop("value")
    return text if table or isinstance(value, date | time) else value  # a second line may have made a second key


def shown(value: object) -> str:
    """A value for a message, on one line and not too long."""
    if isinstance(value, str | bool | int | float):
        import json  # mistakes only

        text = json.dumps(value, ensure_ascii=False)
    else:
        text = "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def nearest(said: str, known: Iterable[str]) -> str:
    """The remedy for a name that is not known: the nearest one, or all of them."""
    names = list(known)
    return did_you_mean(said, names) or f"Known names: {', '.join(names)}"


def mistake(what: str, remedy: str) -> MictapeError:
    """A wrong setting, as an exception to raise."""
    return MictapeError(Failure(what, remedy, ExitCode.USAGE))


def _has(values: object, keys: tuple[str, ...]) -> bool:
    for key in keys:
        if not isinstance(values, dict) or key not in values:
            return False
        values = cast("dict[str, object]", values)[key]
    return True
