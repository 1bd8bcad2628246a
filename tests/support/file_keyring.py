"""A keyring in a file, for tests: chosen with the environment that `keyring_env` gives."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail
from keyring.errors import KeyringLocked, PasswordDeleteError

from support.waiting import until

VARIABLE: Final = "MICTAPE_TEST_KEYRING"
"""The environment variable that names the file. With `locked` in the file, nothing is given away; with `silent`,
there is no answer until the file says something else."""


class FileKeyring(KeyringBackend):
    """What a system's keyring does, where a test can look."""

    priority = 1.0  # pyright: ignore[reportAssignmentType] (keyring's own back ends do the same)

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] (a property of the class there)
        return "a file for tests"

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._entries(), f"{service} {username}": password})

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        if entries.pop(f"{service} {username}", None) is None:
            raise PasswordDeleteError("not found")
        self._write(entries)

    def _entries(self) -> dict[str, str]:
        path = Path(os.environ[VARIABLE])
        until(lambda: not path.exists() or path.read_text(encoding="utf-8") != "silent", timeout_s=60)
        text = path.read_text(encoding="utf-8") if path.exists() else "{}"
        if text == "locked":
            raise KeyringLocked("hunter2, the password of the collection, is wrong")
        return json.loads(text)

    def _write(self, entries: dict[str, str]) -> None:
        Path(os.environ[VARIABLE]).write_text(json.dumps(entries), encoding="utf-8")


def keyring_env(path: Path) -> dict[str, str]:
    """What makes the keyring library of a process use this file."""
    return {"PYTHON_KEYRING_BACKEND": "support.file_keyring.FileKeyring", VARIABLE: str(path)}


@contextmanager
def without_keys() -> Generator[None]:
    """This process has nobody's keys while the block runs: none in its environment, and no keyring."""
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.endswith("_API_KEY")]:
            environment.delenv(name)
        yield
    keyring.set_keyring(before)


NO_KEYRING: Final = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
"""A system without one, as servers and containers are."""
