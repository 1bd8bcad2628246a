"""Fixtures of the tests that run in their own process."""

from collections.abc import Iterator

import pytest

from servers.base import Server
from support.background import in_background
from support.example_service import Parrot, installed

KEY = "pk-of-any-test"


@pytest.fixture
def parrot_installed(nobodys_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example engine is installed in this process, which has no keyring and nobody's keys."""
    monkeypatch.syspath_prepend(str(installed()))


@pytest.fixture
def parrot(parrot_installed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The example engine's service, and its key in the environment: for a test to which any engine will do."""
    monkeypatch.setenv("PARROT_API_KEY", KEY)
    with in_background(Parrot(KEY).serve()) as server:
        yield server
