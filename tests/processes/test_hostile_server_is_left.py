"""Whatever a hostile server says, and however much: the app draws its screen, and `q q` ends it and its processes.

Two engines here, every one with every attack in `make proof`.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Speech
from mictape.engines import catalog
from servers.hostile import ATTACKS, SPEECH, hostile
from servers.hostile import Speech as Protocol
from support.child_processes import alive, descendants_of
from support.file_keyring import NO_KEYRING
from support.screen_app import screen_app
from support.waiting import until_async

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX", allow_module_level=True)

ENOUGH = 300
"""Messages of an attack without end, by which it is in full flow."""

SHORT = {("deepgram", "turns")}
EACH = [
    pytest.param(*each, marks=() if each in SHORT else pytest.mark.proof) for each in itertools.product(SPEECH, ATTACKS)
]


@pytest.mark.parametrize(("name", "attack"), EACH)
async def test_q_q_leaves_a_hostile_server(name: str, attack: str, home: Path, speech: Speech) -> None:
    said = 0

    def counted(protocol: Protocol) -> Iterator[str]:
        nonlocal said
        for message in ATTACKS[attack](protocol):
            said += 1
            yield message

    engine, _, api = name.partition(" ")
    variable = catalog.key_variable(engine)
    env = {**os.environ, **NO_KEYRING, **({variable: "a-key"} if variable else {})}
    async with hostile(SPEECH[name], counted) as server:
        options = ("--set", f"url={server.url}", *(("--set", f"api={api}") if api else ()))
        arguments = ("--input", str(speech.two_cities), "--engine", engine, *options)
        with screen_app(*arguments, env=env) as app:
            enough = ENOUGH if attack in ("partials", "turns") else 1
            await asyncio.to_thread(app.until, lambda _: said >= enough, 60)
            await asyncio.to_thread(app.sees, "REC", timeout_s=60)
            processes = [app.process.pid, *descendants_of(app.process.pid)]
            app.press("q", "q")
            assert await asyncio.to_thread(app.ends) == 0
            assert app.modes() == app.before
            await until_async(lambda: not any(map(alive, processes)), what="the end of its processes")
    assert "Traceback" not in (home / "mictape.log").read_text(encoding="utf-8")
