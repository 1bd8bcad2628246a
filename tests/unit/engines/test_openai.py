"""OpenAI's adapter against a server that speaks the protocol: real sockets, the sound decides what is recognized."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mictape.engines.base import Answered, Changes, EngineEvent, FinalTurn, Lost, Notice, Partial, Received, Request
from mictape.engines.openai.items import Items
from mictape.engines.openai.realtime import VENDOR, OpenAIConnection, OpenAIEngine, OpenAIOptions
from mictape.engines.readiness import tried
from mictape.failure import ExitCode
from servers.base import CERTIFICATE, Peer, serve
from servers.openai import KEY, OpenAIServer, Utterance, openai_server
from servers.vllm import vllm_server
from support.conversation import ADDRESS, without_address
from support.waiting import until_async

BLOCK_MS = 100
SPEECH = b"\1\0"
SILENCE = b"\0\0"

ASK = Request()


def sound(sample: bytes, ms: int) -> bytes:
    """So many milliseconds at the service's rate."""
    return sample * (24 * ms)


def spoken(*parts_ms: int) -> bytes:
    """Speech and silence in turn, beginning with speech."""
    return b"".join(sound(SILENCE if i % 2 else SPEECH, ms) for i, ms in enumerate(parts_ms))


def at(ms: int) -> int:
    """The time as samples at 16 kHz."""
    return ms * 16


def engine(url: str, key: str | None = KEY, **options: Any) -> OpenAIEngine:
    """One whose model ends utterances by its voice detector, unless another one is asked for."""
    settings = {"url": url, "model": "gpt-transcribe", **options}
    return OpenAIEngine(msgspec.convert(settings, OpenAIOptions), Path("log"), key)


def as_installed(url: str, **options: Any) -> OpenAIEngine:
    """One with no setting but where the service is."""
    return OpenAIEngine(msgspec.convert({"url": url, **options}, OpenAIOptions), Path("log"), KEY)


async def send(connection: OpenAIConnection, pcm: bytes) -> None:
    block = 48 * BLOCK_MS
    for start in range(0, len(pcm), block):
        await connection.send(pcm[start : start + block])


async def listen(connection: OpenAIConnection) -> list[EngineEvent]:
    """Everything until the end."""
    return [event async for event in connection]


async def events_of(
    server: OpenAIServer, pcm: bytes, request: Request = ASK, **options: Any
) -> list[Partial | FinalTurn | Answered | Notice]:
    """The events of this sound, without the acknowledgements."""
    connection = await engine(server.url, **options).connect(request)
    listening = asyncio.create_task(listen(connection))
    await send(connection, pcm)
    await connection.finish()
    everything = await listening
    await connection.close()
    return [event for event in everything if isinstance(event, Partial | FinalTurn | Answered | Notice)]


def finals(events: Sequence[EngineEvent]) -> list[tuple[int, str]]:
    return [(said.turn, said.text) for said in events if isinstance(said, FinalTurn)]


def answered(events: Sequence[EngineEvent]) -> list[int]:
    return [said.until for said in events if isinstance(said, Answered)]


# Receiving.


async def test_an_utterance_ends_where_the_voice_detector_says() -> None:
    async with openai_server([Utterance("Please water the plants.", deltas=("please", " water"))]) as server:
        events = await events_of(server, sound(SILENCE, 1000) + spoken(600, 1000))
    assert not server.violations
    start, end = at(1000 - 300), at(1600 + 500)
    assert events == [
        Partial(0, "please", start=start),
        Partial(0, "please water", start=start),
        FinalTurn(0, "Please water the plants.", start=start, end=end),
        Answered(end),
        Answered(at(2600)),
    ]


async def test_a_model_that_writes_at_once_writes_in_the_turn_that_is_committed_later() -> None:
    script = [Utterance("One."), Utterance("Two.", live=("tw", "o"), deltas=(" .",))]
    async with openai_server(script) as server:
        events = await events_of(server, spoken(400, 600, 400, 600))
    assert not server.violations
    assert [(said.turn, said.text) for said in events if isinstance(said, Partial | FinalTurn)] == [
        (0, "One."),
        (1, "tw"),
        (1, "two"),
        (1, "two ."),
        (1, "Two."),
    ]


async def test_texts_that_come_early_wait_for_those_before_them() -> None:
    script = [Utterance("One.", later=2), Utterance("Two."), Utterance("Three."), Utterance("Four.")]
    async with openai_server(script) as server:
        events = await events_of(server, spoken(*[400, 600] * 4))
    assert finals(events) == [(0, "One."), (1, "Two."), (2, "Three."), (3, "Four.")]
    assert events[0] == Partial(1, "Two.", stable=4, start=at(1000 - 100))
    assert answered(events) == [at(900), at(1900), at(2900), at(3900), at(4000)]


async def test_an_item_that_failed_is_not_answered_and_tried_again() -> None:
    error = {"type": "server_error", "code": "busy", "message": "too much to do", "param": None}
    script = [Utterance("One."), Utterance(deltas=("tw",), failed=error), Utterance("Three.")]
    events: list[EngineEvent] = []
    async with openai_server(script) as server:
        connection = await engine(server.url).connect(ASK)
        sending = asyncio.create_task(send(connection, spoken(*[400, 600] * 3)))
        with pytest.raises(Lost, match=r"could not transcribe an utterance \(too much to do") as lost:
            async for said in connection:
                events.append(said)  # noqa: PERF401 (what came before the loss is to be kept)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await connection.close()
    assert lost.value.retry
    assert finals(events) == [(0, "One.")]
    assert answered(events) == [at(900)]


async def test_an_item_that_failed_for_lack_of_funds_is_the_end() -> None:
    async with openai_server([Utterance(failed={"code": "insufficient_quota"})]) as server:
        with pytest.raises(Lost, match="no funds") as lost:
            await events_of(server, spoken(400, 600))
    assert not lost.value.retry


async def test_an_utterance_without_words_is_answered() -> None:
    async with openai_server([Utterance("", deltas=("eh",)), Utterance("One.")]) as server:
        events = await events_of(server, spoken(*[400, 600] * 2))
    assert Partial(0, "", start=0) in events
    assert finals(events) == [(1, "One.")]
    assert answered(events) == [at(900), at(1900), at(2000)]


async def test_what_is_said_is_passed_on_as_it_is() -> None:
    text = "[laughs] [/etc/hosts] \x1b[31mred\x1b[0m "
    async with openai_server([Utterance(text, deltas=(text,), languages=("en",))]) as server:
        events = await events_of(server, spoken(400, 600))
    assert events[:2] == [Partial(0, text, start=0), FinalTurn(0, text, start=0, end=at(900), language="en")]


async def test_speech_is_received_before_it_is_answered() -> None:
    async with openai_server([Utterance("One.")]) as server:
        connection = await engine(server.url).connect(ASK)
        await send(connection, spoken(400, 600))
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert [type(said) for said in events] == [Received, Received, Received, FinalTurn, Answered, Received, Answered]
    assert events[0] == Received(0)
    assert events[1] == events[2] == Received(at(900))


# Who ends an utterance.


async def test_speech_that_goes_on_at_the_end_is_committed() -> None:
    async with openai_server([Utterance("One."), Utterance("Two.", live=("tw",))]) as server:
        events = await events_of(server, spoken(400, 600, 400))
    assert not server.violations
    assert server.talks[0].commits == 1
    assert finals(events) == [(0, "One."), (1, "Two.")]
    assert events[-2:] == [FinalTurn(1, "Two.", start=at(900), end=at(1400)), Answered(at(1400))]


async def test_nothing_is_left_to_commit_when_the_voice_detector_was_quicker() -> None:
    async with openai_server([Utterance("One.")]) as server:
        events = await events_of(server, spoken(400, 500))
    assert server.talks[0].commits == 0
    assert events[-1:] == [Answered(at(900))]


async def test_a_commit_of_nothing_does_not_stand_for_a_later_one() -> None:
    async with openai_server([Utterance("One."), Utterance("Two.")]) as server:
        connection = await engine(server.url).connect(ASK)
        await send(connection, spoken(400, 500))
        await connection.endpoint()
        await send(connection, spoken(400))
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert not server.violations
    assert events[-2:] == [FinalTurn(1, "Two.", start=at(900), end=at(1300)), Answered(at(1300))]


async def test_what_the_voice_detector_did_not_find_has_no_start() -> None:
    async with openai_server([Utterance("One."), Utterance("Two.")]) as server:
        events = await events_of(server, spoken(400, 800))
    assert events[-2:] == [FinalTurn(1, "Two.", start=None, end=at(1200)), Answered(at(1200))]


@pytest.mark.parametrize("turn_detection", ["server_vad", "none"])
async def test_without_sound_there_is_nothing_to_say(turn_detection: str) -> None:
    async with openai_server() as server:
        assert await events_of(server, b"", turn_detection=turn_detection) == []


async def test_without_a_voice_detector_the_follower_ends_utterances() -> None:
    async with openai_server([Utterance("One."), Utterance("Two."), Utterance("Three.")]) as server:
        connection = await engine(server.url, turn_detection="none").connect(ASK)
        listening = asyncio.create_task(listen(connection))
        await send(connection, spoken(500))
        await connection.endpoint()
        await connection.endpoint()  # nothing was said since
        await send(connection, spoken(50))
        await connection.endpoint()
        await send(connection, spoken(300))
        await connection.finish()
        events = await listening
        await connection.close()
    assert not server.violations
    assert [end - start for start, end in server.talks[0].items] == [24 * 500, 24 * 100, 24 * 300]
    assert finals(events) == [(0, "One."), (1, "Two."), (2, "Three.")]
    assert answered(events) == [at(500), at(550), at(850)]


def test_who_ends_utterances_is_reported() -> None:
    assert engine("ws://h").capabilities.endpointing == "engine"
    assert engine("ws://h", turn_detection="none").capabilities.endpointing == "follower"
    assert engine("ws://h", model="gpt-realtime-whisper").capabilities.endpointing == "follower"
    assert engine("ws://h").capabilities.rate == 24_000
    assert engine(VENDOR).capabilities.billed
    assert not engine("ws://h").capabilities.billed
    assert engine("ws://127.0.0.1:1").capabilities.offline


# With its defaults: what most people have.


async def test_the_default_model_takes_no_turn_detection_and_writes_while_speech_goes_on() -> None:
    script = [Utterance("Please water them.", live=("please",), deltas=(" water",)), Utterance("Thank you.")]
    async with openai_server(script) as server:
        made = as_installed(server.url)
        connection = await made.connect(Request("de-AT", ("kettle", "a<b", "two\nlines")))
        listening = asyncio.create_task(listen(connection))
        await send(connection, spoken(600))
        await connection.endpoint()
        await send(connection, spoken(300))
        await connection.finish()
        events = await listening
        await connection.close()
    assert not server.violations
    assert made.capabilities.endpointing == "follower"
    asked = json.loads(server.talks[0].peer.received[0].payload)["session"]["audio"]["input"]
    assert asked["turn_detection"] is None
    assert asked["transcription"] == {"model": "gpt-live-transcribe", "languages": ["de"], "keywords": ["kettle"]}
    assert without_address(events)[0] == Notice("SERVER takes 1 of 3 key terms: none with < or >")
    assert [said.text for said in events if isinstance(said, Partial)] == ["please", "please water"]
    assert finals(events) == [(0, "Please water them."), (1, "Thank you.")]
    assert answered(events) == [at(600), at(900)]


async def test_a_good_key_is_accepted_with_the_defaults() -> None:
    async with openai_server() as server:
        assert await tried(as_installed(server.url)) is None
    assert not server.violations


@pytest.mark.parametrize("model", ["gpt-live-transcribe", "gpt-live-transcribe-2026-10-01", "gpt-realtime-whisper"])
async def test_a_voice_detector_is_refused_beforehand_where_the_model_has_none(model: str) -> None:
    failure = await as_installed("ws://h", model=model, turn_detection="server_vad").check(ASK)
    assert failure is not None
    assert "has no turn detection" in failure.what


async def test_how_sure_the_model_is_comes_from_its_tokens() -> None:
    tokens = (("Please", -0.1), (" wa", -0.2), ("ter", -1.0), (".", 0.0))
    script = [Utterance("Please water.", logprobs=tokens), Utterance("Yes.", logprobs=tokens)]
    async with openai_server(script) as server:
        events = await events_of(server, spoken(600, 600, 600, 600))
    first, second = (said for said in events if isinstance(said, FinalTurn))
    assert [(word.text, round(word.confidence or 0, 3)) for word in first.words or ()] == [
        ("Please", 0.905),
        ("water.", 0.368),
    ]
    assert second.words is None, "tokens of another text are not its words"


async def test_a_model_that_does_not_say_how_sure_it_is_is_not_asked_again() -> None:
    async with openai_server([Utterance("One.")], without_logprobs=True) as server:
        events = await events_of(server, spoken(400, 600))
    assert not server.violations
    assert finals(events) == [(0, "One.")]


def test_its_price_is_that_of_the_vendor_s_page() -> None:
    assert as_installed(VENDOR).capabilities.usd_per_hour == pytest.approx(0.017 * 60)
    assert as_installed(VENDOR, model="gpt-transcribe").capabilities.usd_per_hour == pytest.approx(0.0045 * 60)
    assert as_installed("ws://h").capabilities.usd_per_hour is None, "another server has other prices"


async def test_a_model_that_will_end_at_the_vendor_says_when(monkeypatch: pytest.MonkeyPatch) -> None:
    async with openai_server() as server:
        assert await events_of(server, b"", model="whisper-1") == [], "a server of one's own keeps it"
        monkeypatch.setattr(OpenAIEngine, "domain", "127.0.0.1")
        events = await events_of(server, b"", model="whisper-1")
    assert events == [Notice("OpenAI shuts down the model whisper-1 on 26 February 2027")]


# What is asked for.


async def test_every_setting_reaches_the_service() -> None:
    options = {
        "model": "gpt-transcribe",
        "languages": ["en", "de"],
        "keywords": ["Textual", "kettle"],
        "prompt": "a talk",
        "delay": "low",
        "noise_reduction": "far_field",
        "noise_reduction_strength": 0.5,
        "threshold": 0.4,
        "prefix_padding_ms": 200,
        "silence_duration_ms": 700,
    }
    async with openai_server() as server:
        await events_of(server, b"", Request("en-US", ("kettle", "tea")), **options)
    asked = json.loads(server.talks[0].peer.received[0].payload)
    assert asked == {
        "type": "session.update",
        "session": {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {
                        "model": "gpt-transcribe",
                        "languages": ["en", "de"],
                        "keywords": ["Textual", "kettle", "tea"],
                        "prompt": "a talk",
                        "delay": "low",
                    },
                    "turn_detection": {
                        "type": "server_vad",
                        "threshold": 0.4,
                        "prefix_padding_ms": 200,
                        "silence_duration_ms": 700,
                    },
                    "noise_reduction": {"type": "far_field", "strength": 0.5},
                }
            },
            "include": ["item.input_audio_transcription.logprobs"],
        },
    }


async def test_what_is_not_set_is_left_to_the_service() -> None:
    async with openai_server() as server:
        await events_of(server, b"", model="gpt-realtime-whisper", keywords=["tea"])
        await events_of(server, b"", turn_detection="semantic_vad", eagerness="high")
    first, second = (json.loads(talk.peer.received[0].payload)["session"]["audio"]["input"] for talk in server.talks)
    assert first["turn_detection"] is None
    assert first["transcription"] == {"model": "gpt-realtime-whisper"}
    assert second["turn_detection"] == {"type": "semantic_vad", "eagerness": "high"}
    assert "noise_reduction" not in second


async def test_key_terms_change_while_the_connection_lives() -> None:
    async with openai_server() as server:
        connection = await engine(server.url, keywords=["kettle"]).connect(ASK)
        await connection.update(Changes())
        await connection.update(Changes(key_terms=("tea",)))
        await connection.finish()
        assert await listen(connection) == []
        await connection.close()
        session = server.talks[0].session
    assert session is not None
    assert session.audio.input.transcription.keywords == ["kettle", "tea"]


@pytest.mark.parametrize("query", ["", "?intent=transcription", "?x=1"])
async def test_the_url_asks_for_a_transcription(query: str) -> None:
    async with openai_server() as server:
        connection = await engine(server.url + query).connect(ASK)
        await connection.close()
    assert server.server.asked[0].query["intent"] == "transcription"


async def test_a_secure_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async with openai_server(tls=True) as server:
        with pytest.raises(Lost, match=f"certificate of {ADDRESS} is not accepted: self-signed certificate"):
            await engine(server.url).connect(ASK)
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        await (await engine(server.url).connect(ASK)).close()


# What goes wrong.


async def test_without_a_key_the_sentence_names_it() -> None:
    failure = await engine(VENDOR, key=None).check(ASK)
    assert failure is not None
    assert failure.needs_key
    assert "OPENAI_API_KEY" in str(failure)
    assert "mictape login openai" in str(failure)
    assert failure.code is ExitCode.ENGINE
    with pytest.raises(Lost) as lost:
        await engine(VENDOR, key=None).connect(ASK)
    assert not lost.value.retry


@pytest.mark.parametrize("refuses_by", ["upgrade", "message", "close"])
async def test_a_wrong_key_is_fatal_and_never_shown(
    refuses_by: Literal["upgrade", "message", "close"], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mictape")
    async with openai_server(key="another", refuses_by=refuses_by) as server:
        with pytest.raises(Lost, match="mictape login") as lost:
            await engine(server.url).connect(ASK)
    assert not lost.value.retry
    assert KEY not in caplog.text + str(lost.value) + repr(lost.value.cause) + repr(engine(server.url))


async def test_a_model_that_does_not_exist_is_fatal() -> None:
    async with openai_server() as server:
        with pytest.raises(Lost, match=r"\[engines.openai\]") as lost:
            await engine(server.url, model="gpt-none").connect(ASK)
        assert not lost.value.retry
        await until_async(lambda: not server.server.open)


async def test_settings_that_exclude_each_other_are_found_before_connecting() -> None:
    failure = await engine("ws://h", model="gpt-realtime-whisper", turn_detection="server_vad").check(ASK)
    assert "turn_detection" in str(failure)
    assert "url" in str(await engine("http://h").check(ASK))


async def test_a_session_that_grew_too_old_is_followed_by_another() -> None:
    async with openai_server([Utterance("One.")], expires_ms=2000) as server:
        with pytest.raises(Lost, match="longest time") as lost:
            await events_of(server, spoken(400, 1600))
    assert lost.value.retry


async def test_a_server_of_another_dialect_is_recognised() -> None:
    async with vllm_server() as server:
        with pytest.raises(Lost, match=r"vLLM's protocol.*--engine vllm") as lost:
            await engine(server.url).connect(ASK)
    assert not lost.value.retry


CREATED = {"type": "session.created", "event_id": "e", "session": {"type": "transcription"}}
UPDATED = {"type": "session.updated", "event_id": "e", "session": {"type": "transcription"}}


def saying(*messages: str | bytes | dict[str, Any], code: int = 1000) -> Callable[[Peer], Awaitable[None]]:
    """A server that says this to each client, and closes."""

    async def handler(peer: Peer) -> None:
        for message in messages:
            await peer.send(message)
        await peer.close(code)

    return handler


async def events_from(*messages: str | bytes | dict[str, Any], code: int = 1000) -> tuple[list[EngineEvent], Lost]:
    """The events from a server that says this after the greeting, and how it ends."""
    events: list[EngineEvent] = []
    async with serve(saying(CREATED, UPDATED, *messages, code=code)) as server:
        connection = await engine(server.url).connect(ASK)
        with pytest.raises(Lost) as lost:
            async for said in connection:
                events.append(said)  # noqa: PERF401 (what came before the end counts)
        await connection.close()
    return events, lost.value


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "event_id": "e", **more}


def of_item(what: str, item_id: str, **more: Any) -> dict[str, Any]:
    return event(f"conversation.item.input_audio_transcription.{what}", item_id=item_id, content_index=0, **more)


async def test_messages_of_another_shape_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    events, lost = await events_from(
        event("rate_limits.updated"),
        of_item("completed", "a"),
        of_item("delta", "a", delta=None),
        of_item("completed", "a", transcript="One."),
    )
    assert finals(events) == [(0, "One.")]
    assert lost.retry  # a clean end, but nobody asked for it
    assert "rate_limits.updated" in caplog.text
    assert "transcript" in caplog.text


@pytest.mark.parametrize("garbage", ["{", b"\xff\x00\x01", "", '{"type": "error", "error": {"message": "cut'])
async def test_what_is_no_message_ends_the_connection(garbage: str | bytes) -> None:
    _, lost = await events_from(garbage, of_item("completed", "a", transcript="One."))
    assert "no message" in str(lost)


@pytest.mark.parametrize(
    "garbage",
    ["{", b"\xff\x00\x01", '{"session":' + "[" * 100_000, {"type": "hello"}, {"type": "conversation.created"}],
)
async def test_a_greeting_that_nobody_knows_is_reported(garbage: str | bytes | dict[str, Any]) -> None:
    async with serve(saying(garbage)) as server:
        with pytest.raises(Lost, match="protocol"):
            await engine(server.url).connect(ASK)


@pytest.mark.parametrize(
    ("code", "sentence", "retry"),
    [
        ("session_expired", "longest time", True),
        ("rate_limit_exceeded", "no more requests", True),
        ("invalid_api_key", "mictape login", False),
        ("insufficient_quota", "no funds", False),
        ("beta_api_shape_disabled", "settings", False),
    ],
)
async def test_errors_that_end_the_session(code: str, sentence: str, retry: bool) -> None:
    error = {"type": "invalid_request_error", "code": code, "message": f"not with {KEY}"}
    _, lost = await events_from(event("error", error=error))
    assert sentence in str(lost)
    assert KEY not in str(lost)
    assert lost.retry is retry
    async with serve(saying(event("error", error=error))) as server:
        with pytest.raises(Lost, match=sentence):
            await engine(server.url).connect(ASK)


async def test_other_errors_are_reported_once_and_the_session_goes_on() -> None:
    error = event("error", error={"type": "server_error", "code": None, "message": "a hiccup"})
    events, _ = await events_from(error, error, of_item("completed", "a", transcript="One."))
    assert without_address(events) == [Notice("SERVER: a hiccup"), FinalTurn(0, "One.")]


async def test_items_are_in_the_order_of_their_predecessors() -> None:
    events, _ = await events_from(
        event("input_audio_buffer.committed", item_id="b", previous_item_id="a"),
        of_item("completed", "b", transcript="Two."),
        event("input_audio_buffer.committed", item_id="a", previous_item_id=None),
        of_item("completed", "a", transcript="One."),
        of_item("completed", "a", transcript="One!"),
    )
    assert events == [Partial(1, "Two.", stable=4), FinalTurn(0, "One."), FinalTurn(1, "Two."), FinalTurn(0, "One!")]


@pytest.mark.parametrize(("code", "retry"), [(1000, True), (1011, True), (1012, True), (1008, False), (4000, False)])
async def test_how_a_connection_is_closed_decides_what_follows(code: int, retry: bool) -> None:
    _, lost = await events_from(code=code)
    assert lost.retry is retry


@given(st.permutations(range(6)))
def test_texts_are_said_in_the_order_of_speech(order: list[int]) -> None:
    items = Items()
    for turn in range(6):
        items.commit(f"i{turn}", f"i{turn - 1}" if turn else None, turn * 100, turn * 100 + 100)
    events: list[EngineEvent] = []
    for turn in order:
        events += items.complete(f"i{turn}", f"t{turn}", None)
    assert not items.open
    assert finals(events) == [(turn, f"t{turn}") for turn in range(6)]
    assert answered(events) == [turn * 100 + 100 for turn in range(6)]
