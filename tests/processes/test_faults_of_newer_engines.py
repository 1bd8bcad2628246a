"""Bad lines to Soniox, ElevenLabs, Mistral and HTTP servers: every word is written once, in its order."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mictape.engines import catalog, network, remote
from mictape.recognition.live import Plan
from servers.base import serve
from servers.elevenlabs import KEY as ELEVENLABS_KEY
from servers.elevenlabs import ScribeServer
from servers.mistral import KEY as MISTRAL_KEY
from servers.mistral import VoxtralServer
from servers.openai_http import KEY as HTTP_KEY
from servers.openai_http import transcription_server
from servers.soniox import KEY as SONIOX_KEY
from servers.soniox import SonioxServer
from support.faulty_proxy import Line, proxy
from support.follower_harness import Sitting, said
from support.scripted import spoken, words_in

KEYS = {"soniox": SONIOX_KEY, "elevenlabs": ELEVENLABS_KEY, "mistral": MISTRAL_KEY, "openai-http": HTTP_KEY}
SCRIPT = [word for first in range(1, 22, 3) for word in (first, first + 1, first + 2, 0, 0, 0, 0, 0)]
"""Seven utterances of three words, a second of silence behind each: eleven seconds."""

FAULTS = {
    "cut": [Line(cut_after=150_000), Line(cut_after=120_000)],
    "garbled up": [Line(garble_up_after=150_000), Line(garble_up_after=120_000)],
    "garbled down": [Line(garble_down_after=1_500), Line(garble_down_after=2_000)],
    "half-open": [Line(swallow_after=150_000)],
    "slow": [Line(delay_s=0.3)],
}


@asynccontextmanager
async def served(name: str) -> AsyncGenerator[str]:
    """The url of a server that hears the words."""
    if name == "openai-http":
        with transcription_server(words_in) as http:
            yield http.url
        return
    handlers = {"soniox": SonioxServer, "elevenlabs": ScribeServer, "mistral": VoxtralServer}
    handler = handlers[name](words_in)
    async with serve(handler, admit=handler.admit) as server:
        yield server.url


async def follow(name: str, faults: list[Line], folder: Path) -> Sitting:
    """A finished tape with the words on it, followed by an engine behind a bad line."""
    async with served(name) as url, proxy(url.replace("http:", "ws:"), *(Line(**vars(line)) for line in faults)) as bad:
        place = {"soniox": "/transcribe-websocket", "openai-http": "/v1"}.get(name, "")
        scheme = "http:" if name == "openai-http" else "ws:"
        options = {"url": bad.url.replace("ws:", scheme) + place}
        engine = catalog.create(name, options, Path("log"), key=KEYS[name])
        sitting = Sitting(folder, engine, plan=Plan())  # pyright: ignore[reportArgumentType] (an engine as any other)
        sitting.write(spoken(SCRIPT))
        sitting.end()
        await sitting.follow()
        assert len(bad.lines) > len(faults) or faults[0].delay_s
    return sitting


async def check(name: str, fault: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "OWN_SERVER_S", 3.0)
    monkeypatch.setattr(network, "PING_S", 1.0)
    sitting = await follow(name, FAULTS[fault], folder)
    assert sitting.words == said(SCRIPT)
    assert sitting.coverage.gaps == ()
    assert sitting.settled()


@pytest.mark.parametrize("name", KEYS)
async def test_every_word_is_written_once_over_a_line_that_is_cut(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check(name, "cut", tmp_path, monkeypatch)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "fault"),
    # What HTTP sends has no checks of its own: without TLS a garbled file is another file.
    [(name, fault) for name in KEYS for fault in FAULTS if name != "openai-http" or "garbled" not in fault],
)
async def test_every_word_is_written_once_over_every_bad_line(
    name: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check(name, fault, tmp_path, monkeypatch)
