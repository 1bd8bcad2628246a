"""Mistral's Voxtral against its conformance server."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mictape.engines.base import Lost, Partial, Request
from mictape.engines.mistral import MistralEngine, MistralOptions
from mictape.engines.readiness import tried
from mictape.units import RATE
from servers.base import serve
from servers.mistral import KEY, VoxtralServer
from support.conversation import answered, finals, recognize_all
from support.speaking import spoken

TWO = ("Please water the plants.", "Thank you.")


def engine(url: str, key: str | None = KEY, **options: Any) -> MistralEngine:
    return MistralEngine(msgspec.convert({"url": url, **options}, MistralOptions), Path("log"), key)


async def test_turns_have_the_times_of_their_segments_and_are_answered_where_they_end() -> None:
    voxtral = VoxtralServer(TWO)
    async with serve(voxtral, admit=voxtral.admit) as server:
        events = await recognize_all(engine(server.url), spoken(1.0, 1.0, 0.6))
    assert [final.text for final in finals(events)] == list(TWO)
    first, second = finals(events)
    assert (first.start, first.end, first.words, first.language) == (0, RATE, None, "en")
    assert (second.start, second.end, second.language) == (2 * RATE, round(2.6 * RATE), "en")
    assert [event.text for event in events if isinstance(event, Partial)][:2] == ["Please", "Please water"]
    assert answered(events) == [pytest.approx(1.5 * RATE, abs=RATE // 10), round(2.6 * RATE)]


async def test_what_is_asked_for() -> None:
    voxtral = VoxtralServer()
    async with serve(voxtral, admit=voxtral.admit) as server:
        options: dict[str, Any] = {"context_bias": ["kettle"], "diarize": True, "min_silence_ms": 300}
        await recognize_all(engine(server.url, **options), b"", request=Request("de-AT", ("Mictape",)))
        await recognize_all(engine(server.url), b"")
    asked, bare = voxtral.sessions
    assert (asked.language, asked.context_bias, asked.diarize) == ("de", ["kettle", "Mictape"], True)
    assert asked.turn_detection is not None
    assert asked.turn_detection.min_silence_ms == 300
    assert (bare.language, bare.context_bias, bare.diarize) == (None, None, None)


@pytest.mark.parametrize(("code", "retry"), [(422, False), (402, False), (429, True), (500, True)])
async def test_errors_have_a_status(code: int, retry: bool) -> None:
    voxtral = VoxtralServer(fails=code)
    async with serve(voxtral, admit=voxtral.admit) as server:
        with pytest.raises(Lost, match=f"{code}: as the test wants it") as lost:
            await recognize_all(engine(server.url), spoken(0.5))
    assert lost.value.retry is retry


async def test_a_key_is_tried_without_sound() -> None:
    voxtral = VoxtralServer()
    async with serve(voxtral, admit=voxtral.admit) as server:
        assert await tried(engine(server.url)) is None
        refused = await tried(engine(server.url, "wrong"))
    assert refused is not None
    assert refused.cause.needs_key
    assert not refused.retry
