"""vLLM's adapter against a server that speaks the protocol: real sockets."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mictape.engines.base import Answered, EngineEvent, FinalTurn, Lost, Partial, Received, Request
from mictape.engines.vllm import VllmConnection, VllmEngine, VllmOptions
from servers.base import Peer, serve
from servers.openai import openai_server
from servers.vllm import MODEL, vllm_server
from support.conversation import ADDRESS
from support.waiting import until_async

ASK = Request()
BLOCK = bytes(2 * 1600)
"""100 ms."""


def engine(url: str, key: str | None = None, **options: Any) -> VllmEngine:
    return VllmEngine(msgspec.convert({"url": url, **options}, VllmOptions), Path("log"), key)


async def send(connection: VllmConnection, blocks: int) -> None:
    for _ in range(blocks):
        await connection.send(BLOCK)


async def listen(connection: VllmConnection, events: list[EngineEvent] | None = None) -> list[EngineEvent]:
    """Everything until the end; into `events` as it comes."""
    everything: list[EngineEvent] = [] if events is None else events
    async for said in connection:
        everything.append(said)  # noqa: PERF401 (others look at it meanwhile)
    return everything


async def test_an_utterance_goes_from_the_first_sound_to_the_final_commit() -> None:
    async with vllm_server(["Please water them."]) as server:
        connection = await engine(server.url).connect(ASK)
        await send(connection, 5)
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert events == [
        Partial(0, "Please"),
        Partial(0, "Please water"),
        Partial(0, "Please water them."),
        Received(8000),
        FinalTurn(0, "Please water them."),
        Answered(8000),
    ]
    assert not server.violations
    assert server.talks[0].model == MODEL


async def test_the_sound_after_an_endpoint_begins_the_next_utterance() -> None:
    async with vllm_server(["One.", "", "Three."]) as server:
        connection = await engine(server.url).connect(ASK)
        listening = asyncio.create_task(listen(connection))
        for blocks in (3, 2, 1):
            await send(connection, blocks)
            await connection.endpoint()
            await connection.endpoint()  # nothing is open
        await connection.finish()
        events = await listening
        await connection.close()
    assert not server.violations
    assert server.talks[0].utterances == [4800, 3200, 1600]
    assert [said for said in events if not isinstance(said, Received)] == [
        Partial(0, "One."),
        FinalTurn(0, "One."),
        Answered(4800),
        Answered(8000),
        Partial(1, "Three."),
        FinalTurn(1, "Three."),
        Answered(9600),
    ]


async def test_no_sound_is_sent_before_the_text_of_the_last_utterance_came() -> None:
    async with vllm_server(["One.", "Two."]) as server:
        server.answering.clear()
        connection = await engine(server.url).connect(ASK)
        events: list[EngineEvent] = []
        listening = asyncio.create_task(listen(connection, events))
        await send(connection, 1)
        await connection.endpoint()
        sending = asyncio.create_task(send(connection, 1))
        await until_async(lambda: server.talks[0].finals == 1)
        await (await connection._socket.ping())  # whatever was sent before has arrived
        assert not sending.done()
        server.answering.set()
        await sending
        await connection.finish()
        await listening
        await connection.close()
    assert not server.violations
    assert [said.text for said in events if isinstance(said, FinalTurn)] == ["One.", "Two."]


async def test_waiting_for_a_text_ends_with_the_connection() -> None:
    async with vllm_server(["One."]) as server:
        server.answering.clear()
        connection = await engine(server.url).connect(ASK)
        listening = asyncio.create_task(listen(connection))
        await send(connection, 1)
        await connection.endpoint()
        sending = asyncio.create_task(send(connection, 1))
        await until_async(lambda: server.talks[0].finals == 1)
        server.talks[0].peer.drop()
        for waiting in (sending, listening):
            with pytest.raises(Lost, match="broke"):
                await waiting
        await connection.close()


@pytest.mark.parametrize("said", [0, 1])
async def test_finishing_without_an_open_utterance(said: int) -> None:
    async with vllm_server(["One."]) as server:
        connection = await engine(server.url).connect(ASK)
        events: list[EngineEvent] = []
        listening = asyncio.create_task(listen(connection, events))
        await send(connection, said)
        await connection.endpoint()
        await until_async(lambda: len(events) == 4 * said)
        await connection.finish()
        assert await listening is events
        await connection.close()
    assert not server.violations
    assert server.talks[0].finals == said


async def test_no_utterance_is_left_open() -> None:
    async with vllm_server(["One."]) as server:
        connection = await engine(server.url).connect(ASK)
        await send(connection, 1)
        await connection.close()
        await until_async(lambda: not server.server.open)
    assert not server.violations
    assert server.talks[0].finals == 1


async def test_an_utterance_that_turns_out_empty_takes_its_partial_back() -> None:
    async with serve(_saying({"type": "transcription.delta", "delta": "eh"}, done="")) as server:
        connection = await engine(server.url).connect(ASK)
        await send(connection, 1)
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert events == [Partial(0, "eh"), Received(1600), Partial(0, ""), Answered(1600)]


async def test_what_is_said_is_passed_on_as_it_is() -> None:
    text = "[laughs] [/etc/hosts] \x1b[31mred\x1b[0m "
    async with serve(_saying(done=text)) as server:
        connection = await engine(server.url).connect(ASK)
        await send(connection, 1)
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert events[1] == FinalTurn(0, text)


# What goes wrong.

CREATED = {"type": "session.created", "id": "sess-1", "created": 1}


def _saying(*messages: str | bytes | dict[str, Any], done: str | None = None) -> Any:
    """A server that says this to each client, and then this text when the utterance is ended."""

    async def handler(peer: Peer) -> None:
        await peer.send(CREATED)
        for message in messages:
            await peer.send(message)
        while done is not None:
            if '"final":true' in str(await peer.receive()):
                await peer.send({"type": "transcription.done", "text": done, "usage": None})

    return handler


async def lost_after(*messages: str | bytes | dict[str, Any]) -> tuple[Sequence[EngineEvent], Lost]:
    events: list[EngineEvent] = []
    async with serve(_saying(*messages)) as server:
        connection = await engine(server.url).connect(ASK)
        with pytest.raises(Lost) as lost:
            await listen(connection, events)
        await connection.close()
    return events, lost.value


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        ("invalid_json", False),
        ("processing_error", True),
        ("model_not_found", False),
        ("model_not_validated", False),
        ("invalid_audio", True),
        ("unknown_event", False),
        ("invalid_event", False),
        ("of_tomorrow", True),
        (None, True),
    ],
)
async def test_every_error_ends_the_connection_with_a_sentence(code: str | None, retry: bool) -> None:
    _, lost = await lost_after({"type": "error", "error": "so it is", "code": code})
    assert "so it is" in str(lost)
    assert lost.retry is retry


async def test_a_model_that_is_not_served_is_fatal() -> None:
    async with vllm_server() as server:
        connection = await engine(server.url, model="other/model").connect(ASK)
        with pytest.raises(Lost, match=r"\[engines.vllm\]") as lost:
            await listen(connection)
        assert not lost.value.retry
        await connection.close()


async def test_an_utterance_that_the_server_ends_is_lost_not_answered() -> None:
    events, lost = await lost_after({"type": "transcription.done", "text": "One."})
    assert not events
    assert lost.retry


async def test_messages_of_another_shape_are_passed_over() -> None:
    events, lost = await lost_after(
        {"type": "transcription.progress"},
        {"type": "transcription.delta"},
        {"type": "transcription.delta", "delta": "one"},
    )
    assert events == [Partial(0, "one")]
    assert lost.retry  # a clean end, but nobody asked for it


@pytest.mark.parametrize("garbage", ["{", b"\xff\x00\x01", ""])
async def test_what_is_no_message_ends_the_connection(garbage: str | bytes) -> None:
    _, lost = await lost_after(garbage)
    assert "no message" in str(lost)


async def test_a_server_of_another_dialect_is_recognised() -> None:
    async with openai_server(key="k") as server:
        with pytest.raises(Lost, match=r"OpenAI's protocol.*--engine openai") as lost:
            await engine(f"{server.url}?intent=transcription", "k").connect(ASK)
        assert not lost.value.retry


@pytest.mark.parametrize("first", [{"type": "transcription.segment", "text": "x"}, {"type": "session.created"}, "[]"])
async def test_a_greeting_that_nobody_knows_is_reported(first: Any) -> None:
    async def handler(peer: Peer) -> None:
        await peer.send(first)
        await peer.wait_closed()

    async with serve(handler) as server:
        with pytest.raises(Lost, match="not vLLM's protocol"):
            await engine(server.url).connect(ASK)


async def test_a_server_with_a_key() -> None:
    async with vllm_server(key="k") as server:
        await (await engine(server.url, "k").connect(ASK)).close()
        with pytest.raises(Lost, match="does not accept the key"):
            await engine(server.url, "another").connect(ASK)
        with pytest.raises(Lost, match=f"{ADDRESS} needs an API key") as lost:
            await engine(server.url).connect(ASK)
    assert lost.value.cause.needs_key


async def test_a_url_that_cannot_be_one_is_found_before_connecting() -> None:
    assert await engine("ws://127.0.0.1:8000/v1/realtime").check(ASK) is None
    assert "url" in str(await engine("http://h").check(ASK))
    with pytest.raises(Lost) as lost:
        await engine("http://h").connect(ASK)
    assert not lost.value.retry


def test_what_it_can_do_is_reported() -> None:
    able = engine("ws://127.0.0.1:8000/v1/realtime").capabilities
    assert (able.endpointing, able.longest_s, able.rate, able.billed) == (
        "follower",
        600,
        16_000,
        False,
    )
    assert able.offline
    assert not engine("ws://gpu.example:8000/v1/realtime").capabilities.offline
