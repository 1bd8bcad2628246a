"""OpenAI's endpoint for sound files against its conformance server."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from mictape.engines.base import Changes, Lost, Notice, Request
from mictape.engines.openai_http import OpenAIHttpEngine, OpenAIHttpOptions
from mictape.engines.readiness import tried
from mictape.units import RATE
from servers.openai_http import KEY, Answer, TranscriptionServer, transcription_server
from servers.proxy import http_proxy
from support.conversation import answered, finals, listen, recognize_all, without_address
from support.speaking import spoken

TWO = ("Please water the plants.", "Thank you.")


def engine(url: str, key: str | None = KEY, **options: Any) -> OpenAIHttpEngine:
    return OpenAIHttpEngine(msgspec.convert({"url": url, **options}, OpenAIHttpOptions), Path("log"), key)


async def events_of(server: TranscriptionServer, pcm: bytes, *ends: int, **options: Any) -> list[Any]:
    events = await recognize_all(engine(server.url, server.key, **options), pcm, endpoints=ends)
    assert server.violations == []
    return events


async def test_each_utterance_is_a_request_and_gets_the_stretch_it_answers_for() -> None:
    with transcription_server(TWO) as server:
        events = await events_of(server, spoken(1.0, 1.0, 0.6), 2 * RATE)
    assert [(final.text, final.start, final.end) for final in finals(events)] == [
        (TWO[0], 0, 2 * RATE),
        (TWO[1], 2 * RATE, round(2.6 * RATE)),
    ]
    assert answered(events) == [2 * RATE, round(2.6 * RATE)]
    assert server.seconds == [2.0, 0.6]


async def test_words_have_times_where_they_are_asked_for() -> None:
    with transcription_server(TWO) as server:
        events = await events_of(server, spoken(0.5, 0.5, 1.0, 0.2), RATE, words=True)
    second = finals(events)[1]
    assert second.words is not None
    assert [word.text for word in second.words] == TWO[1].split()
    assert (second.start, second.end) == (RATE, 2 * RATE)
    assert second.language is None, "a language's whole name is no code"
    assert server.requests[0]["response_format"] == "verbose_json"


async def test_what_is_asked_for() -> None:
    with transcription_server(TWO) as server:
        made = engine(server.url, prompt="A talk.", model="whisper-large-v3-turbo", temperature=0.2)
        connection = await made.connect(Request("de-AT", ("kettle",)))
        await connection.send(spoken(0.5))
        await connection.endpoint()
        await connection.update(Changes(key_terms=("tape", "x" * 700)))
        await connection.send(spoken(0.02))
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert server.violations == [], "what is too short is padded"
    first, second = server.requests
    assert first == {
        "model": "whisper-large-v3-turbo",
        "language": "de",
        "prompt": "A talk., kettle",
        "response_format": "json",
        "temperature": "0.2",
    }
    assert second["prompt"].startswith("A talk., ")
    assert Notice("SERVER takes 1 of 2 key terms: 600 characters together") in without_address(events)


async def test_silence_is_answered_and_says_nothing() -> None:
    with transcription_server(TWO) as server:
        events = await events_of(server, spoken(0, 1.0))
    assert finals(events) == []
    assert answered(events) == [RATE]


async def test_an_utterance_has_a_longest_length() -> None:
    with transcription_server(("one", "two", "three")) as server:
        events = await events_of(server, spoken(2.5), longest_utterance_s=1.0)
    assert [final.text for final in finals(events)] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("answer", "part", "retry", "after"),
    [
        (Answer(429, b"{}", {"Retry-After": "17"}), "no more requests", True, 17),
        (Answer(503), "answered with an error .HTTP 503", True, 0),
        (Answer(400, b'{"error":{"message":"invalid model"}}'), "invalid model", False, 0),
        (Answer(402, b'{"error":{"message":"You exceeded your quota"}}'), "exceeded your quota", False, 0),
        (Answer(200, b"<html>"), "no transcript", True, 0),
        (Answer(200, b"[" * 100_000), "no transcript", True, 0),
        (Answer(200, b'{"text":"' + b"x" * (5 << 20) + b'"}'), "more than a transcript can be", True, 0),
        (Answer(307, b"", {"Location": "http://127.0.0.1:1/v1"}), "refers to 127.0.0.1:1", False, 0),
    ],
)
async def test_what_the_server_refuses_is_reported_in_its_words(
    answer: Answer, part: str, retry: bool, after: int
) -> None:
    with transcription_server(TWO, answers=[answer]) as server, pytest.raises(Lost, match=part) as lost:
        await recognize_all(engine(server.url), spoken(0.5))
    assert (lost.value.retry, lost.value.after) == (retry, after)


async def test_a_key_is_tried_without_sound() -> None:
    with transcription_server() as server:
        assert await tried(engine(server.url)) is None
        refused = await tried(engine(server.url, "wrong"))
    assert refused is not None
    assert refused.cause.needs_key
    with transcription_server(key=None, lists_models=False) as server:
        assert await tried(engine(server.url, None)) is None, "a server of one's own needs no key, and no list"


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://api.groq.com/openai/v1"])
async def test_services_are_not_asked_without_a_key(url: str) -> None:
    failure = await engine(url, None).check(Request())
    assert failure is not None
    assert failure.needs_key
    assert engine(url).capabilities.billed


async def test_it_goes_through_a_proxy_and_says_what_the_proxy_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    async with http_proxy(login="me:secretpassword", status=403) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secretpassword@{proxy.address}")
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(Lost, match="proxy") as lost:
            await engine("https://asr.example.com/v1").connect(Request())
    assert proxy.asked == ["asr.example.com:443"]
    assert "secretpassword" not in str(lost.value)


async def test_a_server_that_is_not_there_is_worth_another_attempt() -> None:
    with pytest.raises(Lost, match="connection refused") as lost:
        await engine("http://127.0.0.1:1/v1").connect(Request())
    assert lost.value.retry
