"""Soniox against its conformance server."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mictape.engines.base import Changes, FinalTurn, Lost, Notice, Partial, Request
from mictape.engines.readiness import tried
from mictape.engines.soniox import SonioxEngine, SonioxOptions, Token, words_of
from mictape.units import RATE
from servers.base import serve
from servers.soniox import KEY, SonioxServer
from support.conversation import answered, finals, received, recognize_all, without_address
from support.speaking import spoken

TWO = ("Please water the plants.", "Thank you.")


def engine(url: str, key: str | None = KEY, **options: Any) -> SonioxEngine:
    settings = {"url": f"{url}/transcribe-websocket", **options}
    return SonioxEngine(msgspec.convert(settings, SonioxOptions), Path("log"), key)


async def test_utterances_become_turns_with_times_confidence_and_answers() -> None:
    soniox = SonioxServer(TWO)
    async with serve(soniox, admit=soniox.admit) as server:
        events = await recognize_all(engine(server.url, speakers=True), spoken(1.0, 1.0, 0.6, 1.0))
    assert [final.text for final in finals(events)] == list(TWO)
    first = finals(events)[0]
    assert (first.start, first.end) == (0, RATE)
    assert first.words is not None
    assert [word.text for word in first.words] == TWO[0].split()
    assert {(word.confidence, word.speaker) for word in first.words} == {(0.9, "1")}
    assert (first.speaker, first.language) == ("1", "en")
    assert answered(events) == sorted(answered(events))
    assert answered(events)[-1] == round(3.6 * RATE)
    assert received(events)[-1] == round(3.6 * RATE)


async def test_an_utterance_that_goes_on_is_not_answered_for() -> None:
    soniox = SonioxServer(TWO)
    async with serve(soniox, admit=soniox.admit) as server:
        events = await recognize_all(engine(server.url), spoken(0, 0.5, 1.0))
    before = [event for event in events if not isinstance(event, FinalTurn)][:-1]
    assert max(answered(before), default=0) <= RATE
    assert "Please water the" in [event.text for event in events if isinstance(event, Partial)]
    assert finals(events)[0].start == RATE // 2


async def test_a_pause_of_ours_ends_the_utterance() -> None:
    soniox = SonioxServer(TWO)
    async with serve(soniox, admit=soniox.admit) as server:
        events = await recognize_all(engine(server.url), spoken(1.0, 0, 0.6), endpoints=[RATE])
    assert [final.text for final in finals(events)] == list(TWO)


async def test_what_is_asked_for() -> None:
    soniox = SonioxServer()
    async with serve(soniox, admit=soniox.admit) as server:
        asked = engine(server.url, language_hints=["de"], terms=["kettle"], max_endpoint_delay_ms=900)
        connection = await asked.connect(Request("en-GB", ("Mictape", "kettle", "x" * 8000)))
        await connection.update(Changes(key_terms=()))
        await connection.finish()
        events = [event async for event in connection]
        await connection.close()
    (config,) = soniox.configs
    assert config.language_hints == ["en", "de"]
    assert config.context is not None
    assert config.context.terms == ["kettle", "Mictape"]
    assert config.max_endpoint_delay_ms == 900
    assert Notice("SERVER takes 2 of 3 key terms: 8000 characters together") in without_address(events)


async def test_a_key_is_tried_without_sound() -> None:
    soniox = SonioxServer()
    async with serve(soniox, admit=soniox.admit) as server:
        assert await tried(engine(server.url)) is None
        refused = await tried(engine(server.url, "wrong"))
    assert refused is not None
    assert refused.cause.needs_key
    assert not refused.retry
    failure = await SonioxEngine(SonioxOptions(), Path("log"), None).check(Request())
    assert failure is not None
    assert failure.needs_key


async def test_a_new_session_that_it_asks_for_is_worth_another_attempt() -> None:
    soniox = SonioxServer(TWO, fails_after_ms=500)
    async with serve(soniox, admit=soniox.admit) as server:
        with pytest.raises(Lost, match="asks for a new session") as lost:
            await recognize_all(engine(server.url), spoken(1.0))
    assert lost.value.retry


def test_pieces_become_words() -> None:
    tokens = [Token(" hel", 0, 10, 0.9), Token("lo", 10, 20, 0.5), Token(",", 20, 30), Token(" you", 40, 50, 0.8)]
    words = words_of(tokens)
    assert [(word.text, word.start, word.end, word.confidence) for word in words] == [
        ("hello,", 0, 480, 0.5),
        ("you", 640, 800, 0.8),
    ]
