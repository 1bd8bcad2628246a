"""A library on disk for the tests of sessions."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mictape.library.library import Library


@pytest.fixture
async def library(home: Path) -> AsyncIterator[Library]:
    await asyncio.to_thread(home.mkdir)
    async with await Library.open(home / "library.db") as opened:
        yield opened
