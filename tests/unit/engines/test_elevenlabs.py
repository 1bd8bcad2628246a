"""ElevenLabs' Scribe against its conformance server."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mictape.engines import elevenlabs
from mictape.engines.base import FinalTurn, Lost, Notice, Partial, Request
from mictape.engines.elevenlabs import ElevenLabsEngine, ElevenLabsOptions
from mictape.engines.readiness import tried
from mictape.units import RATE
from servers.base import serve
from servers.elevenlabs import KEY, ScribeServer
from support.conversation import answered, finals, listen, recognize_all, without_address
from support.speaking import spoken

TWO = ("Please water the plants.", "Thank you.")


def engine(url: str, key: str | None = KEY, **options: Any) -> ElevenLabsEngine:
    return ElevenLabsEngine(msgspec.convert({"url": url, **options}, ElevenLabsOptions), Path("log"), key)


@pytest.mark.parametrize("strategy", ["vad", "manual"])
async def test_each_commit_is_one_turn_with_times_and_confidence(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elevenlabs, "SETTLE_S", 1e6)  # the answer to the last commit is known to be that
    scribe = ScribeServer(TWO)
    ends = [] if strategy == "vad" else [2 * RATE]
    async with serve(scribe, admit=scribe.admit) as server:
        events = await recognize_all(
            engine(server.url, commit_strategy=strategy), spoken(1.0, 1.0, 0.6), endpoints=ends
        )
    assert server.violations == []
    assert [final.text for final in finals(events)] == list(TWO), "each is reported twice by the service"
    first, second = finals(events)
    assert (first.start, first.end, first.language) == (0, RATE, "en")
    assert (second.start, second.end) == (2 * RATE, round(2.6 * RATE))
    assert first.words is not None
    assert [word.text for word in first.words] == TWO[0].split()
    assert first.words[0].confidence == pytest.approx(0.905, abs=0.001)
    assert "Please water the" in [event.text for event in events if isinstance(event, Partial)]
    assert answered(events)[-1] == round(2.6 * RATE)


async def test_a_commit_soon_after_another_is_padded_and_times_stay_true() -> None:
    scribe = ScribeServer(TWO)
    async with serve(scribe, admit=scribe.admit) as server:
        made = engine(server.url, commit_strategy="manual")
        events = await recognize_all(made, spoken(0.1, 0, 0.5), endpoints=[RATE // 10])
    assert server.violations == []
    assert [(final.start, final.end) for final in finals(events)] == [(0, RATE // 10), (RATE // 10, round(0.6 * RATE))]


async def test_what_is_asked_for() -> None:
    scribe = ScribeServer()
    async with serve(scribe, admit=scribe.admit) as server:
        options: dict[str, Any] = {"keyterms": ["kettle"], "vad_threshold": 0.5, "no_verbatim": True}
        events = await recognize_all(
            engine(server.url, **options), b"", request=Request("ru-RU", ("Mictape", "x" * 21))
        )
    (query,) = scribe.queries
    assert query["language_code"] == ["ru"], "a language with its region is refused"
    assert query["keyterms"] == ["kettle", "Mictape"]
    assert query["include_timestamps"] == ["true"]
    assert query["vad_threshold"] == ["0.5"]
    assert query["no_verbatim"] == ["true"]
    assert without_address(events) == [Notice("SERVER takes 2 of 3 key terms: 50 of at most 20 characters each")]


@pytest.mark.parametrize(
    ("kind", "retry", "needs_key"),
    [
        ("quota_exceeded", False, False),
        ("auth_error", False, True),
        ("unaccepted_terms", False, False),
        ("rate_limited", True, False),
        ("session_time_limit_exceeded", True, False),
        ("something_new", True, False),
    ],
)
async def test_errors_are_message_types(kind: str, retry: bool, needs_key: bool) -> None:
    scribe = ScribeServer(fails=kind)
    async with serve(scribe, admit=scribe.admit) as server:
        with pytest.raises(Lost, match="as the test wants it") as lost:
            await recognize_all(engine(server.url), spoken(0.5))
    assert (lost.value.retry, lost.value.cause.needs_key) == (retry, needs_key)


async def test_a_key_is_tried_without_sound() -> None:
    scribe = ScribeServer()
    async with serve(scribe, admit=scribe.admit) as server:
        assert await tried(engine(server.url)) is None
        refused = await tried(engine(server.url, "wrong"))
    assert server.violations == []
    assert refused is not None
    assert refused.cause.needs_key


async def test_a_connection_is_kept_alive_with_no_sound() -> None:
    scribe = ScribeServer(TWO)
    async with serve(scribe, admit=scribe.admit) as server:
        connection = await engine(server.url).connect(Request())
        receiving = asyncio.create_task(listen(connection))
        await connection.keep_alive()
        await connection.send(spoken(0.5))
        await connection.finish()
        events = await receiving
        await connection.close()
    assert server.violations == []
    assert [event.text for event in events if isinstance(event, FinalTurn)] == [TWO[0]]
