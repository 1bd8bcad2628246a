"""The whole remote path on real speech: capture, tape, websocket, turns, text; and lines that are cut.

A server with a real recogniser behind it, so that what comes out can be compared with what was said. That no word is
ever lost or doubled is proved with scripted words in `test_follower`; here its times are estimates, as everywhere.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from conftest import Speech
from servers.assemblyai import KEY, V3Server
from servers.base import Asked, Refusal, serve
from servers.moonshine import Recogniser, moonshine
from support.example_service import Done, mictape
from support.file_keyring import NO_KEYRING
from support.pulse import PulseServer
from support.references import BECKETT, TWO_CITIES, Slips, slips, word_error_rate, words_in_order
from support.sessions import room, sessions_of, tape_seconds
from support.soundfiles import beginning
from support.utterances import talk
from support.waiting import until_async

WORSE: Final = 0.06
"""By so much the error rate may be higher than where nothing is cut."""
RUN: Final = 4
"""Words in a row that are missing, or there twice, would be a fault of ours and not of the recogniser."""
BECKETT_WORDS: Final = 9
"""Of its twelve words the local engine hears so many (`test_cli`)."""
CUT_MS: Final = 10_000
BEGINNING_S: Final = 24
OUTAGE_S: Final = 15.0
LONGEST_S: Final = 240.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One two, three four five six seven eight nine ten.", Slips(0, 0)),
        ("one too three for five six seven ate nine ten", Slips(0, 0)),
        ("one two seven eight nine ten", Slips(4, 0)),
        ("one two five seven eight nine ten", Slips(3, 0)),
        ("seven eight nine ten", Slips(6, 0)),
        ("one two three four five six three four five six seven eight nine ten", Slips(0, 4)),
        ("one two three four five six seven eight nine ten nine ten", Slips(0, 2)),
        ("", Slips(10, 0)),
    ],
)
def test_slips(text: str, found: Slips) -> None:
    assert slips("one two three four five six seven eight nine ten", text) == found


async def transcribed(recording: Path, *arguments: str) -> Done:
    """What `mictape transcribe` prints for the recording, with the key in its environment."""
    env = {**os.environ, **NO_KEYRING, "ASSEMBLYAI_API_KEY": KEY}
    async with asyncio.timeout(LONGEST_S):
        return await mictape("transcribe", str(recording), *arguments, env=env)


def here(recording: Path) -> "asyncio.Task[Done]":
    """What the same recogniser writes without a line between: as behind the line, no second pass."""
    return asyncio.create_task(transcribed(recording, "--set", "second_pass=off"))


def remotely(recording: Path, url: str) -> "asyncio.Task[Done]":
    arguments = ("--engine", "assemblyai", "--set", f"url={url}", "--pace", "real")
    return asyncio.create_task(transcribed(recording, *arguments))


def hold_good(local: Done, remote: Done) -> None:
    """The text of the cut line is as good as the recogniser's own, and no stretch of it is lost or there twice."""
    assert (local.code, remote.code) == (0, 0), remote.err
    assert "Traceback" not in remote.err
    local_rate, remote_rate = (word_error_rate(TWO_CITIES, done.out) for done in (local, remote))
    found = slips(TWO_CITIES, remote.out)
    print(f"word error rate: local {local_rate:.3f}, remote {remote_rate:.3f}; {found}\n{remote.out}")
    assert remote_rate <= local_rate + WORSE, remote.out
    assert max(found.missing, found.extra) < RUN, remote.out


@pytest.mark.proof
async def test_a_line_that_is_cut_every_five_seconds(speech: Speech, tmp_path: Path) -> None:
    recording = beginning(speech.two_cities, BEGINNING_S, tmp_path / "beginning.wav")
    local, remote = await cut_every(5_000, recording, tmp_path / "log")
    assert (local.code, remote.code) == (0, 0), remote.err
    found = slips(local.out, remote.out)  # what our own engine hears is the measure: where the text ends is not known
    assert max(found.missing, found.extra) < RUN, f"{found}\n{local.out}\n{remote.out}"


@pytest.mark.proof
async def test_a_line_that_is_cut_every_ten_seconds(speech: Speech, tmp_path: Path) -> None:
    hold_good(*await cut_every(CUT_MS, speech.two_cities, tmp_path / "log"))


async def cut_every(cut_ms: int, recording: Path, log: Path) -> tuple[Done, Done]:
    """What is made of a recording here, and over a line that is cut again and again."""
    local = here(recording)
    async with moonshine(log) as recogniser:
        recogniser.cut_ms = cut_ms
        assemblyai = V3Server(recogniser)
        async with serve(assemblyai, admit=assemblyai.admit) as server:
            remote = await remotely(recording, server.url)
    assert server.violations == []
    assert len(server.peers) > 4, "it was cut again and again"
    return await local, remote


@pytest.mark.proof
async def test_what_a_service_missed_is_filled_in_by_the_local_engine(
    pulse: PulseServer, speech: Speech, home: Path
) -> None:
    room(pulse)
    assemblyai = V3Server(talk(20))
    down = True

    def admit(asked: Asked) -> Refusal | None:
        return Refusal(503, "under repair") if down else assemblyai.admit(asked)

    def records() -> bool:
        return (home / "sessions").exists() and any(tape_seconds(session) for session in sessions_of(home))

    def filled_in() -> bool:
        found = dict(engines_of(home))
        live = "kettle is boiling" in found.get("assemblyai", "")  # its first turn may be cut where it came in
        return live and words_in_order(BECKETT, found.get("local", "")) >= BECKETT_WORDS

    async with serve(assemblyai, admit=admit) as server:
        async with listening(pulse, server.url):
            await until_async(records, 60)
            playing = pulse.play(speech.beckett, sink="vmic2_sink")
            await until_async(lambda: playing.poll() is not None, 30)
            down = False
            await until_async(filled_in, 60)
        assert server.violations == []
        assert len(server.peers) == 1, "the past was not sent to the service"


@asynccontextmanager
async def listening(pulse: PulseServer, url: str) -> AsyncGenerator[None]:
    """`mictape listen` with a service, and the local engine behind it; ended as Ctrl-C does."""
    env = {**pulse.env, **NO_KEYRING, "ASSEMBLYAI_API_KEY": KEY}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mictape", "listen", "--device", "PulseAudio:vmic2"),
        *("--engine", "assemblyai", "--set", f"url={url}", "--backfill", "local"),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(LONGEST_S):
            _, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        assert b"Traceback" not in err
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def engines_of(home: Path) -> list[tuple[str, str]]:
    """For each engine all that it recognized, in tape order."""
    lines = 'SELECT * FROM lines WHERE engine IS NOT NULL ORDER BY "start", id'
    with sqlite3.connect(home / "library.db") as library:
        return list(library.execute(f"SELECT engine, group_concat(text, ' ') FROM ({lines}) GROUP BY engine"))


@pytest.mark.proof
async def test_an_outage_of_fifteen_seconds(speech: Speech, tmp_path: Path) -> None:
    local = here(speech.two_cities)
    async with moonshine(tmp_path / "log") as recogniser:
        running, port = await until_the_outage(recogniser, speech)
        await asyncio.sleep(OUTAGE_S)  # the outage itself
        again = V3Server(recogniser)
        async with serve(again, admit=again.admit, port=port) as server:
            remote = await running
    assert server.violations == []
    assert len(server.peers) == 1
    assert "Connected." in remote.err, "it was reported meanwhile"
    hold_good(await local, remote)


async def until_the_outage(recogniser: Recogniser, speech: Speech) -> "tuple[asyncio.Task[Done], int]":
    """Begin, and leave in the middle of a sentence: the connection is reset, and nobody listens at the port."""
    assemblyai = V3Server(recogniser)
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        running = remotely(speech.two_cities, server.url)
        await until_async(lambda: assemblyai.sessions and assemblyai.sessions[0].audio_ms >= CUT_MS, 60)
        server.peers[0].drop()
    return running, int(server.url.rpartition(":")[2])
