"""The Deepgram adapter, both protocols, against servers by the book and servers that are not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from mictape.engines.base import (
    Answered,
    Changes,
    Connection,
    EngineEvent,
    FinalTurn,
    Lost,
    Notice,
    Partial,
    Received,
    Request,
    Word,
)
from mictape.engines.deepgram.engine import DeepgramEngine, DeepgramOptions, address
from mictape.units import RATE
from servers.base import CERTIFICATE, Peer, Refusal, Wrong, serve
from servers.deepgram import KEY, FluxServer, Segment, Spoken, Turn, V1Server, results, turn_info
from support.conversation import (
    ADDRESS,
    answered,
    finals,
    listen,
    partials,
    received,
    recognize_all,
    silence,
    without_address,
)
from support.waiting import until_async

BLOCK = 80 * RATE // 1000
"""What both protocols take: Flux no more than 80 ms."""

CLOSE_STREAM = '{"type":"CloseStream"}'

PLEASE = Segment(1.0, Spoken("Please", 0.25, 0.5), Spoken("water", 0.625, 0.875))
THE_PLANTS = Segment(2.0, Spoken("the", 1.125, 1.25), Spoken("plants.", 1.375, 1.75), ends="speech_final")
NOTHING = Segment(3.0)
AGAIN = Segment(4.5, Spoken("Again.", 3.5, 4.0), ends="UtteranceEnd")

PLANTS = Turn(2.0, *PLEASE.words, *THE_PLANTS.words)


def engine(url: str, key: str | None = KEY, **options: Any) -> DeepgramEngine:
    return DeepgramEngine(msgspec.convert({"url": url, **options}, DeepgramOptions), Path("log"), key)


def flux(url: str, **options: Any) -> DeepgramEngine:
    return engine(url, api="flux", **options)


async def events_of(asked: DeepgramEngine, seconds: float, **more: Any) -> list[EngineEvent]:
    """Everything said about so much sound; what it is like is the script's business."""
    return await recognize_all(asked, silence(seconds), block=BLOCK, **more)


def says(
    *messages: str | bytes | dict[str, Any], last: str | dict[str, Any] | None = None
) -> Callable[[Peer], Awaitable[None]]:
    """A server that answers the first sound with these, whatever they are, and `CloseStream` with `last`."""

    async def handler(peer: Peer) -> None:
        await peer.receive()
        for message in messages:
            await peer.send(message)
        while await peer.receive() != CLOSE_STREAM:
            pass
        if last is not None:
            await peer.send(last)

    return handler


METADATA: dict[str, Any] = {"type": "Metadata", "duration": 1.0}


# v1: receiving


async def test_an_utterance_is_what_was_frozen_until_it_ended() -> None:
    deepgram = V1Server(PLEASE, THE_PLANTS, NOTHING, AGAIN)
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(engine(server.url), 5)
    assert server.violations == []
    words = (
        Word("Please", 4_000, 8_000, 0.98),
        Word("water", 10_000, 14_000, 0.98),
        Word("the", 18_000, 20_000, 0.98),
        Word("plants.", 22_000, 28_000, 0.98),
    )
    assert finals(events) == [
        FinalTurn(0, "Please water the plants.", words, start=4_000, end=28_000),
        FinalTurn(1, "Again.", (Word("Again.", 56_000, 64_000, 0.98),), start=56_000, end=64_000),
    ]
    assert partials(events) == [
        (0, "Please"),
        (0, "Please water"),
        (0, "Please water"),
        (0, "Please water the"),
        (0, "Please water the plants."),
        (1, "Again."),
        (1, "Again."),
    ]
    assert answered(events) == [2 * RATE, 3 * RATE, round(4.5 * RATE), 5 * RATE, 5 * RATE], (
        "the end of each utterance, of sound without words, of the last result, and all"
    )
    assert received(events)[-1] == 5 * RATE
    assert server.peers[0].closed == (1000, "")


async def test_what_is_frozen_is_the_stable_part_of_a_partial() -> None:
    deepgram = V1Server(PLEASE, THE_PLANTS)
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(engine(server.url), 2)
    stable = [news.text[: news.stable] for news in events if isinstance(news, Partial)]
    assert stable == ["", "", "Please water", "Please water", "Please water"]
    assert all(news.start == 4_000 for news in events if isinstance(news, Partial))


async def test_an_utterance_end_that_comes_late_ends_nothing_else() -> None:
    first = Segment(1.0, Spoken("One.", 0.25, 0.5), ends="speech_final")
    second = Segment(2.0, Spoken("Two", 1.25, 1.5))
    third = Segment(3.0, Spoken("three.", 2.25, 2.5), ends="speech_final")
    deepgram = V1Server(first, second, third)
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(engine(server.url), 3.2)
    sent = [frame.payload for frame in server.peers[0].sent if "UtteranceEnd" in str(frame.payload)]
    assert len(sent) == 1, "the script has it come while the second utterance is open"
    assert [final.text for final in finals(events)] == ["One.", "Two three."]


async def test_an_utterance_end_of_an_unknown_word_ends_the_open_utterance() -> None:
    deepgram = says(
        results(PLEASE.words, 0.0, 1.0, is_final=True),
        {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": -1},
        last=METADATA,
    )
    async with serve(deepgram) as server:
        events = await events_of(engine(server.url), 1.2)
    assert answered(events) == [RATE, round(1.2 * RATE)]
    assert [final.text for final in finals(events)] == ["Please water"]


async def test_what_is_open_at_the_end_is_said() -> None:
    deepgram = V1Server(Segment(9.0, Spoken("Half", 0.25, 0.5), Spoken("done", 0.75, 2.0)))
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(engine(server.url), 1)
    assert [(final.text, final.start, final.end) for final in finals(events)] == [("Half", 4_000, 8_000)]
    assert answered(events) == [RATE], "the last result ends no utterance, Metadata does"


async def test_a_partial_that_comes_to_nothing_is_taken_back() -> None:
    hm = [Spoken("hm", 0.1, 0.2)]
    deepgram = says(
        results(hm, 0.0, 0.3), results([], 0.0, 0.4), results(hm, 0.0, 0.5), results([], 0, 1, is_final=True),
        last=METADATA,
    )  # fmt: skip
    async with serve(deepgram) as server:
        events = await events_of(engine(server.url), 1.2)
    assert partials(events) == [(0, "hm"), (0, ""), (0, "hm"), (0, "")]
    assert finals(events) == []
    assert answered(events)[0] == RATE


async def test_a_line_has_the_speaker_and_the_language_that_all_of_it_has() -> None:
    one = results([Spoken("One", 0.1, 0.2, speaker=1)], 0.0, 0.5, is_final=True)
    two = results([Spoken("two.", 0.6, 0.7, speaker=1)], 0.5, 0.5, is_final=True, speech_final=True)
    both = results(
        [Spoken("Three", 1.1, 1.2, speaker=0), Spoken("four.", 1.3, 1.4, speaker=1)],
        1.0, 1.0, is_final=True, speech_final=True,
    )  # fmt: skip
    for message in (one, two):
        message["channel"]["alternatives"][0]["languages"] = ["es", "en"]
    async with serve(says(one, two, both, last=METADATA)) as server:
        events = await events_of(engine(server.url, diarize_model="latest"), 2)
    assert [(final.speaker, final.language) for final in finals(events)] == [("1", "es"), (None, None)]
    words = finals(events)[1].words
    assert words is not None
    assert [word.speaker for word in words] == ["0", "1"]


# v1: what is sent


async def test_an_endpoint_freezes_the_utterance_and_times_go_on() -> None:
    deepgram = V1Server(Segment(2.0, *PLEASE.words, *THE_PLANTS.words, ends="speech_final"))
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(engine(server.url), 3, endpoints=[RATE])
    assert [order["type"] for order in deepgram.orders] == ["Finalize", "CloseStream"]
    assert [(final.turn, final.text, final.start) for final in finals(events)] == [
        (0, "Please water", 4_000),
        (1, "the plants.", 18_000),
    ]
    assert answered(events)[:2] == [RATE, 2 * RATE]
    assert received(events[: events.index(finals(events)[0])])[-1] == RATE, "at once, not when speech goes on"


async def test_an_endpoint_that_is_not_answered_still_ends_the_utterance() -> None:
    """Too little sound waits for the server to say anything, but nobody speaks on across a pause."""
    deepgram = V1Server(PLEASE, THE_PLANTS)
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(engine(server.url), 3, endpoints=[RATE + BLOCK])
    assert not any('from_finalize": true' in str(frame.payload) for frame in server.peers[0].sent)
    assert [final.text for final in finals(events)] == ["Please water", "the plants."]


async def test_keep_alive_is_a_text_frame_and_takes_no_time() -> None:
    deepgram = V1Server(PLEASE, THE_PLANTS)
    async with serve(deepgram, admit=deepgram.admit) as server:
        connection = await engine(server.url).connect(Request())
        listening = asyncio.create_task(listen(connection))
        await speak(connection, 1)
        await connection.keep_alive()
        await connection.keep_alive()
        await speak(connection, 1)
        await connection.finish()
        events = await listening
        await connection.close()
    assert server.violations == []
    assert [frame.payload for frame in server.peers[0].received].count('{"type":"KeepAlive"}') == 2
    assert finals(events)[0].end == 28_000


async def test_a_connection_that_is_sent_nothing_is_lost_with_the_reason() -> None:
    deepgram = V1Server(idle_s=0.1)
    async with serve(deepgram, admit=deepgram.admit) as server:
        connection = await engine(server.url).connect(Request())
        with pytest.raises(Lost, match=r"was sent nothing for 10 s.*1011 Deepgram did not receive audio data") as lost:
            await listen(connection)
    assert lost.value.retry


async def test_an_empty_block_is_never_sent() -> None:
    for name, deepgram in (("v1", V1Server()), ("flux", FluxServer())):
        async with serve(deepgram, admit=deepgram.admit) as server:
            connection = await engine(server.url, api=name).connect(Request())
            await connection.send(b"")
            await speak(connection, 0.16)
            await connection.finish()
            await listen(connection)
            await connection.close()
        assert server.violations == []


async def test_key_terms_are_replaced_on_a_living_connection() -> None:
    deepgram = V1Server()
    async with serve(deepgram, admit=deepgram.admit) as server:
        connection = await engine(server.url, keyterm=["kettle"]).connect(Request(key_terms=("Mictape", "kettle")))
        await speak(connection, 0.16)
        await connection.update(Changes(key_terms=("tape", "a “quoted” one")))
        await connection.update(Changes())
        await connection.update(Changes(key_terms=()))
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert [value for name, value in deepgram.query if name == "keyterm"] == ["kettle", "Mictape"]
    assert deepgram.orders[0] == {"type": "Configure", "keyterms": ["kettle", "tape", "a “quoted” one"]}
    assert deepgram.orders[1] == {"type": "Configure", "keyterms": ["kettle"]}
    assert len(deepgram.orders) == 3, "changes that change nothing are not sent"
    assert not any(isinstance(news, Notice) for news in events)


async def test_key_terms_that_change_quickly_wait_for_each_other() -> None:
    deepgram = V1Server()
    deepgram.configures_after = 2
    async with serve(deepgram, admit=deepgram.admit) as server:
        connection = await engine(server.url).connect(Request())
        await speak(connection, 0.16)
        reading = asyncio.create_task(listen(connection))
        await until_async(lambda: connection._reading)
        await connection.update(Changes(key_terms=("kettle",)))
        second = asyncio.create_task(connection.update(Changes(key_terms=("kettle", "tape"))))
        await until_async(lambda: bool(deepgram.orders))
        await speak(connection, 0.32)
        await second
        await speak(connection, 0.32)
        await connection.finish()
        events = await reading
        await connection.close()
    terms = [order["keyterms"] for order in deepgram.orders if order["type"] == "Configure"]
    assert terms == [["kettle"], ["kettle", "tape"]]
    assert not any(isinstance(news, Notice) for news in events)


async def test_a_model_without_key_terms_says_so() -> None:
    deepgram = V1Server()
    async with serve(deepgram, admit=deepgram.admit) as server:
        connection = await engine(server.url, model="nova-2").connect(Request(key_terms=("kettle",)))
        await speak(connection, 0.16)
        await connection.update(Changes(key_terms=("tape",)))
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert ("keywords", "kettle") in deepgram.query, "the older word for them"
    assert Notice("SERVER did not take the new settings: this model has no key terms") in without_address(events)


# v1: what goes wrong


async def test_a_close_without_the_last_word_is_lost_but_what_was_frozen_is_kept() -> None:
    deepgram = V1Server(PLEASE, THE_PLANTS)
    deepgram.metadata = False
    events: list[EngineEvent] = []
    async with serve(deepgram, admit=deepgram.admit) as server:
        connection = await engine(server.url).connect(Request())
        await speak(connection, 1.44)
        await connection.finish()
        with pytest.raises(Lost, match="before it had said everything") as lost:
            async for news in connection:  # a comprehension would lose what came before
                events.append(news)  # noqa: PERF401
    assert lost.value.retry
    assert [final.text for final in finals(events)] == ["Please water the"]
    assert answered(events) == [round(1.44 * RATE)]


@pytest.mark.parametrize(
    ("code", "reason", "sentence", "retry"),
    [
        (1000, "", "closed the connection", True),
        (1011, "NET-0000", "gave the connection up", True),
        (1008, "DATA-0000", "could not decode the sound", False),
        (1012, "", "closed the connection", True),
    ],
)
@pytest.mark.parametrize("api", ["v1", "flux"])
async def test_a_close_before_the_end_is_lost(api: str, code: int, reason: str, sentence: str, *, retry: bool) -> None:
    async def handler(peer: Peer) -> None:
        await peer.receive()
        raise Wrong(code, reason)

    async with serve(handler) as server:
        connection = await engine(server.url, api=api).connect(Request())
        await speak(connection, 0.08)
        with pytest.raises(Lost, match=f"^{ADDRESS} {sentence}.*{code} {reason}".rstrip()) as lost:
            await listen(connection)
    assert lost.value.retry is retry


async def test_a_server_that_is_far_behind_may_go_on_as_long_as_it_gets_any_further() -> None:
    async def handler(peer: Peer) -> None:
        while await peer.receive() != CLOSE_STREAM:
            pass
        await peer.send(results(PLEASE.words, 0.0, 0.5, is_final=False))
        await peer.wait_closed()

    async with serve(handler) as server:
        connection = await engine(server.url).connect(Request())
        await speak(connection, 1.0)
        await connection.finish()
        receiving = aiter(connection)
        connection._got_s -= 2 * connection._finish_s  # its time is over
        assert await anext(receiving) == Received(RATE // 2)
        connection._give_up()
        assert not connection._overdue, "it has just got further"
        connection._got_s -= 2 * connection._finish_s
        connection._give_up()
        with pytest.raises(Lost, match="did not finish within"):
            async for _ in receiving:
                pass
        await connection.close()


@pytest.mark.parametrize(
    ("status", "retry", "after"),
    [(400, False, 0), (401, False, 0), (402, False, 0), (403, False, 0), (429, True, 30), (500, True, 0)],
)
async def test_a_refused_connection_says_why(status: int, after: float, *, retry: bool) -> None:
    headers = {"Retry-After": str(after)} if after else {}
    async with serve(V1Server(), admit=lambda _: Refusal(status, headers=headers)) as server:
        with pytest.raises(Lost, match=f"HTTP {status}") as lost:
            await engine(server.url).connect(Request())
    assert lost.value.retry is retry
    assert lost.value.after == after


@pytest.mark.parametrize("api", ["v1", "flux"])
@pytest.mark.parametrize("garbage", [b"\x00\xff\x80", "<html>", "", '{"type":"Results"', b'{"type": "\xff"}'])
async def test_what_is_no_message_ends_the_connection(api: str, garbage: str | bytes) -> None:
    async with serve(says(garbage)) as server:
        with pytest.raises(Lost, match=f"{ADDRESS} sent something that is no message"):
            await events_of(engine(server.url, api=api), 0.5)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "Results", "is_final": True, "start": 0.0},
        {"type": "Results", "start": "0", "duration": 1.0, "channel": {"alternatives": []}},
        {"type": "UtteranceEnd"},
        {"type": "SomethingNew", "text": "hello"},
        {},
        "[]",
        "5",
    ],
)
async def test_a_message_of_another_shape_is_logged_and_the_next_is_taken(
    message: dict[str, Any] | str, caplog: pytest.LogCaptureFixture
) -> None:
    good = results(PLEASE.words, 0.0, 1.0, is_final=True, speech_final=True)
    with caplog.at_level(logging.WARNING):
        async with serve(says(message, good, last=METADATA)) as server:
            events = await events_of(engine(server.url), 1)
    assert [final.text for final in finals(events)] == ["Please water"]
    assert "sent a message of another shape" in caplog.text


async def test_an_error_message_is_reported_and_ends_nothing() -> None:
    error = {"type": "Error", "variant": "SchemaError", "description": "cannot parse", "message": "?"}
    async with serve(says(error, last=METADATA)) as server:
        events = await events_of(engine(server.url), 0.5)
    assert without_address(events) == [Notice("SERVER: cannot parse"), Answered(8_000)]


@pytest.mark.parametrize("bare", [{"alternatives": []}, {"alternatives": [{"transcript": ""}]}])
async def test_results_without_a_reading_answer_all_the_same(bare: dict[str, Any]) -> None:
    message = {"type": "Results", "start": 0.0, "duration": 0.5, "is_final": True, "channel": bare}
    async with serve(says(message, last=METADATA)) as server:
        events = await events_of(engine(server.url), 1)
    assert answered(events)[0] == 8_000


async def test_times_stay_within_what_was_sent() -> None:
    far = results([Spoken("far", -1.0, 1e300)], 1e300, 1e300, is_final=True, speech_final=True)
    async with serve(says(far, last=METADATA)) as server:
        events = await events_of(engine(server.url), 0.4)
    assert finals(events)[0].words == (Word("far", 0, 6_400, 0.98),)
    assert max(answered(events)) == 6_400


@pytest.mark.parametrize("api", ["v1", "flux"])
async def test_text_is_left_as_it_is(api: str) -> None:
    text = "\x1b[31m[/bold] [laughs] \u202e"
    word = [Spoken(text, 0.1, 0.2)]
    message = (
        results(word, 0.0, 0.4, is_final=True, speech_final=True)
        if api == "v1"
        else turn_info("EndOfTurn", 0, word, 0.0, 0.4)
    )
    async with serve(says(message, last=METADATA if api == "v1" else None)) as server:
        events = await events_of(engine(server.url, api=api), 0.4)
    assert [final.text for final in finals(events)] == [text]


# Flux


async def test_flux_ends_turns_itself() -> None:
    deepgram = FluxServer(PLANTS, Turn(4.5, *AGAIN.words, eager=True))
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(flux(server.url), 5)
    assert server.violations == []
    assert [(final.turn, final.text, final.start, final.end) for final in finals(events)] == [
        (0, "Please water the plants.", 4_000, 28_000),
        (1, "Again.", 56_000, 64_000),
    ]
    words = finals(events)[0].words
    assert words is not None
    assert words[0] == Word("Please", 4_000, 8_000, 0.98)
    assert [text for _, text in dict.fromkeys(partials(events))] == [
        *("Please", "Please water", "Please water the", "Please water the plants.", "Again."),
    ]
    assert answered(events) == [2 * RATE, round(4.5 * RATE), 5 * RATE]
    assert received(events)[:2] == [RATE // 4, RATE // 2]
    assert not any(isinstance(news, Notice) for news in events)


@pytest.mark.parametrize("closing", ["no code", "no close frame"])
async def test_flux_says_no_end_of_the_turn_that_is_open_at_the_end(closing: Any) -> None:
    deepgram = FluxServer(PLANTS)
    deepgram.closing = closing
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(flux(server.url), 1.12)
    assert [final.text for final in finals(events)] == ["Please water"]
    assert answered(events) == [round(1.12 * RATE)]


async def test_flux_that_vanishes_before_it_has_everything_is_lost() -> None:
    async def handler(peer: Peer) -> None:
        await peer.receive()
        await peer.send({**turn_info("Update", 0, PLEASE.words, 0.0, 1.0), "sequence_id": 0})
        while await peer.receive() != CLOSE_STREAM:
            pass
        peer.drop()

    async with serve(handler) as server:
        with pytest.raises(Lost, match="broke"):
            await events_of(flux(server.url), 2)


async def test_an_endpoint_ends_the_turn_of_flux() -> None:
    deepgram = FluxServer(PLANTS)
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(flux(server.url), 3.04, endpoints=[RATE])
    assert [order["type"] for order in deepgram.orders] == ["ForceEndTurn", "CloseStream"]
    assert [(final.turn, final.text) for final in finals(events)] == [(0, "Please water"), (1, "the plants.")]
    assert answered(events)[:2] == [RATE, 2 * RATE]


async def test_flux_has_no_word_that_keeps_it_alive() -> None:
    """Capabilities say so: it is the follower who sends silence, and takes it out of the times again."""
    deepgram = FluxServer(PLANTS)
    async with serve(deepgram, admit=deepgram.admit) as server:
        connection = await flux(server.url).connect(Request())
        await speak(connection, 1.04)
        await connection.keep_alive()
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert server.violations == []
    assert [frame.payload for frame in server.peers[0].received if isinstance(frame.payload, str)] == [CLOSE_STREAM]
    assert answered(events) == [round(1.04 * RATE)]


async def test_flux_is_sent_new_key_terms_and_has_warnings() -> None:
    deepgram = FluxServer()
    async with serve(deepgram, admit=deepgram.admit) as server:
        connection = await flux(server.url, keyterm=["Flux"]).connect(Request(key_terms=("kettle",)))
        await connection.update(Changes(key_terms=("tape",)))
        await speak(connection, 0.16)
        await connection.finish()
        await listen(connection)
        await connection.close()
    assert server.violations == []
    assert ("keyterm", "kettle") in deepgram.query
    assert deepgram.orders[0] == {"type": "Configure", "keyterms": ["Flux", "tape"]}
    warning = {"type": "Warning", "sequence_id": 0, "code": "SLOW", "description": "sound comes slowly"}
    refusal = {"type": "ConfigureFailure", "sequence_id": 1, "description": "too many"}
    async with serve(says(warning, refusal)) as server:
        events = await events_of(flux(server.url), 0.4)
    assert without_address(events)[:2] == [
        Notice("SERVER: sound comes slowly"),
        Notice("SERVER did not take the new settings: too many"),
    ]


async def test_a_number_left_out_is_noticed_and_unknown_messages_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    messages = [
        {"type": "Connected", "sequence_id": 0},
        {"type": "SomethingNew", "sequence_id": 1},
        {"type": "TurnInfo", "sequence_id": 2},
        {**turn_info("Update", 0, PLEASE.words, 0.0, 1.0), "sequence_id": 3},
        {**turn_info("Update", 0, PLEASE.words, 0.0, 1.2), "sequence_id": 7},
        {**turn_info("EndOfTurn", 0, PLEASE.words, 0.0, 1.5), "sequence_id": 8},
    ]
    with caplog.at_level(logging.WARNING):
        async with serve(says(*messages)) as server:
            events = await events_of(flux(server.url), 2)
    notices = [news for news in events if isinstance(news, Notice)]
    assert len(notices) == 1
    assert "left out" in notices[0].text
    assert "3 missing" in caplog.text
    assert [final.text for final in finals(events)] == ["Please water"]


async def test_a_turn_whose_end_was_lost_keeps_its_last_update_and_answers_nothing() -> None:
    messages = [
        turn_info("Update", 4, PLEASE.words, 0.0, 1.0),
        turn_info("Update", 5, THE_PLANTS.words, 1.0, 2.0),
        turn_info("EndOfTurn", 5, THE_PLANTS.words, 1.0, 2.0),
    ]
    async with serve(says(*messages)) as server:
        events = await events_of(flux(server.url), 2.4)
    assert [(final.turn, final.text) for final in finals(events)] == [(0, "Please water"), (1, "the plants.")]
    assert answered(events) == [2 * RATE, round(2.4 * RATE)]


async def test_a_turn_of_flux_that_comes_to_nothing_is_taken_back() -> None:
    hm = [Spoken("hm", 0.1, 0.2)]
    messages = [
        turn_info("StartOfTurn", 0, hm, 0.0, 0.5),
        turn_info("EndOfTurn", 0, [], 0.0, 1.0),
        turn_info("SomeNewEvent", 1, PLEASE.words, 1.0, 1.5),
        turn_info("EndOfTurn", 1, PLEASE.words, 1.0, 2.0),
    ]
    async with serve(says(*messages)) as server:
        events = await events_of(flux(server.url), 2)
    assert partials(events) == [(0, "hm"), (0, ""), (0, "Please water")]
    assert [final.turn for final in finals(events)] == [0], "turns in which nothing was said are not counted"
    assert answered(events) == [RATE, 2 * RATE, 2 * RATE]


async def test_a_turn_without_words_has_the_times_of_its_window() -> None:
    bare = {**turn_info("EndOfTurn", 0, PLEASE.words, 0.25, 1.0), "words": [], "languages": ["es", "en"]}
    async with serve(says(bare)) as server:
        events = await events_of(flux(server.url, model="flux-general-multi"), 1.2)
    assert finals(events) == [FinalTurn(0, "Please water", None, start=4_000, end=RATE, language="es")]


async def test_an_error_ends_a_connection_of_flux() -> None:
    error = {"type": "Error", "sequence_id": 0, "code": "INTERNAL_SERVER_ERROR", "description": "out of luck"}
    async with serve(says(error)) as server:
        with pytest.raises(Lost, match="INTERNAL_SERVER_ERROR: out of luck") as lost:
            await events_of(flux(server.url), 0.4)
    assert lost.value.retry


# Settings, key, what it says of itself


async def test_everything_that_can_be_set_is_a_parameter_the_server_knows() -> None:
    deepgram = V1Server()
    async with serve(deepgram, admit=deepgram.admit) as server:
        asked = engine(
            server.url,
            model="nova-3-medical", keyterm=["one", "two words"], language_hint=["de"], numerals=True,
            profanity_filter=False, redact=["pci", "ssn"], tag=["a"], mip_opt_out=True, language="en-GB",
            punctuate=True, smart_format=False, endpointing=False, utterance_end_ms=1500, vad_events=True,
            dictation=True, diarize=False, diarize_model="latest", keywords=["x:2"], replace=["a:b"], search=["s"],
            detect_entities=True, filler_words=True, no_delay=True, extra=["k:v"], version="2026-01-01.0",
        )  # fmt: skip
        await events_of(asked, 0.16, request=Request(language="de", key_terms=("three",)))
    values = msgspec.structs.asdict(asked._options)
    assert not [name for name, value in values.items() if value in (None, ()) and not name.startswith("e")]
    assert [value for name, value in deepgram.query if name == "keyterm"] == ["one", "two words", "three"]
    sent = dict(deepgram.query)
    assert sent["language"] == "de", "what a session asks for goes first"
    assert (sent["endpointing"], sent["smart_format"], sent["utterance_end_ms"]) == ("false", "false", "1500")
    assert [value for name, value in deepgram.query if name == "redact"] == ["pci", "ssn"]


async def test_what_is_not_set_is_left_to_the_server_but_for_readable_lines() -> None:
    v1, v2 = V1Server(), FluxServer()
    for api, deepgram in (("v1", v1), ("flux", v2)):
        async with serve(deepgram, admit=deepgram.admit) as server:
            await events_of(engine(server.url, api=api), 0.16)
    fixed = {"encoding": "linear16", "sample_rate": "16000"}
    assert dict(v1.query) == fixed | {
        **{"model": "nova-3", "smart_format": "true", "endpointing": "300", "utterance_end_ms": "1000"},
        **{"channels": "1", "interim_results": "true"},
    }
    assert dict(v2.query) == fixed | {"model": "flux-general-en"}


def test_there_is_no_word_for_utterances_that_no_missing_word_ends() -> None:
    options = DeepgramOptions(utterance_end_ms=False, endpointing=500)
    assert "utterance_end_ms" not in address(options, Request())
    assert "endpointing=500" in address(options, Request())


async def test_flux_is_asked_in_the_language_of_the_session() -> None:
    deepgram = FluxServer()
    async with serve(deepgram, admit=deepgram.admit) as server:
        asked = flux(server.url, eager_eot_threshold=0.4, eot_threshold=0.8, eot_timeout_ms=3000)
        await events_of(asked, 0.16, request=Request(language="de"))
        assert dict(deepgram.query)["model"] == "flux-general-multi"
        assert dict(deepgram.query)["language_hint"] == "de"
        assert dict(deepgram.query)["eot_timeout_ms"] == "3000"
        await events_of(flux(server.url, language_hint=["de", "es"]), 0.16)
        assert [value for name, value in deepgram.query if name == "language_hint"] == ["de", "es"]
        assert dict(deepgram.query)["model"] == "flux-general-multi"
        await events_of(flux(server.url, language_hint=["en-GB"]), 0.16)
        assert dict(deepgram.query)["model"] == "flux-general-en"
        with pytest.raises(Lost, match="does not know the language de") as lost:
            await flux(server.url, model="flux-general-en").connect(Request(language="de"))
    assert not lost.value.retry


@pytest.mark.parametrize(
    ("options", "language", "known"),
    [
        ({"api": "flux"}, "it-IT", True),
        ({"api": "flux"}, "pl", False),
        ({"api": "flux", "model": "flux-general-en"}, "it", False),
        ({"model": "nova-2"}, "pl", True),
        ({"model": "nova-2"}, "he", False),
        ({"model": "nova-3"}, "he", True),
    ],
)
async def test_a_model_knows_its_languages(options: dict[str, Any], language: str, known: bool) -> None:
    engine = DeepgramEngine(msgspec.convert(options, DeepgramOptions), Path("log"), KEY)
    assert (await engine.check(Request(language=language)) is None) is known


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("wss://api.deepgram.com", "wss://api.deepgram.com/v1/listen?"),
        ("wss://api.eu.deepgram.com/", "wss://api.eu.deepgram.com/v1/listen?"),
        ("ws://host:8080/own/path", "ws://host:8080/own/path?"),
        ("ws://host/own?a=1", "ws://host/own?a=1&"),
    ],
)
def test_a_url_without_a_path_gets_the_protocols(url: str, whole: str) -> None:
    assert address(DeepgramOptions(url=url), Request()).startswith(whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eot_threshold": 0.8}, 'eot_threshold is a setting of api = "flux"'),
        ({"api": "flux", "endpointing": False}, 'endpointing is a setting of api = "v1"'),
        ({"api": "flux", "keywords": ["x"]}, 'keywords is a setting of api = "v1"'),
        ({"endpointing": True}, "endpointing is a number of milliseconds or false"),
        ({"utterance_end_ms": 500}, ">= 1000"),
        ({"api": "flux", "eot_threshold": 0.2}, ">= 0.5"),
        ({"api": "v2"}, "Invalid enum value"),
        ({"multichannel": True}, "unknown field"),
    ],
)
def test_a_setting_that_does_not_fit_never_reaches_the_server(options: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(options, DeepgramOptions)


async def test_without_a_key_it_says_where_to_put_one() -> None:
    failure = await engine("wss://api.deepgram.com", key=None).check(Request())
    assert failure is not None
    assert "mictape login deepgram" in failure.remedy
    assert "DEEPGRAM_API_KEY" in failure.remedy
    with pytest.raises(Lost) as lost:
        await engine("wss://api.deepgram.com", key="").connect(Request())
    assert not lost.value.retry
    assert lost.value.cause.needs_key
    assert await engine("ws://127.0.0.1:1", key=None).check(Request()) is None, "a server of one's own may need none"


async def test_the_key_is_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    wrong = "a-key-that-nobody-may-see"
    deepgram = V1Server()
    with caplog.at_level(logging.DEBUG):
        async with serve(deepgram, admit=deepgram.admit) as server:
            asked = engine(server.url, key=wrong)
            with pytest.raises(Lost, match="does not accept the key") as lost:
                await asked.connect(Request())
    assert server.asked[0].headers["authorization"] == f"Token {wrong}"
    client_log = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    assert wrong not in "".join([repr(asked), repr(lost.value), str(lost.value.cause), *client_log])


async def test_it_says_what_it_can_do() -> None:
    nova = engine("wss://api.deepgram.com", diarize_model="latest")
    turns = flux("wss://api.deepgram.com")
    own = engine("ws://127.0.0.1:8080")
    assert await nova.check(Request()) is None
    assert (nova.title, turns.title) == ("deepgram · nova-3", "deepgram · flux-general-en")
    assert (nova.capabilities.keep_alive, turns.capabilities.keep_alive) == ("message", "silence")
    assert (nova.capabilities.block_ms, turns.capabilities.block_ms) == ((20, 250), (20, 80))
    assert (nova.capabilities.speakers, turns.capabilities.speakers) == (True, False)
    assert (nova.capabilities.billed, nova.capabilities.offline) == (True, False)
    assert (own.capabilities.billed, own.capabilities.offline) == (False, True)
    assert nova.capabilities.usd_per_hour == pytest.approx(0.408)
    assert turns.capabilities.usd_per_hour == pytest.approx(0.39)
    extras: tuple[dict[str, Any], ...] = (
        {"model": "nova-9"},
        {"keyterm": ["kettle"]},
        {"redact": ["pii"]},
        {"mip_opt_out": True},
    )
    for more in extras:
        assert engine("wss://api.deepgram.com", **more).capabilities.usd_per_hour is None, "right or absent"
    failure = await engine("https://api.deepgram.com").check(Request())
    assert failure is not None
    assert "[engines.deepgram]" in failure.remedy


async def test_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    deepgram = V1Server(PLEASE, THE_PLANTS)
    async with serve(deepgram, admit=deepgram.admit, tls=True) as server:
        events = await events_of(engine(server.url), 2)
    assert [final.text for final in finals(events)] == ["Please water the plants."]


# The server itself


@pytest.mark.parametrize(
    ("api", "frames", "violation"),
    [
        ("v1", [b""], "1008 DATA-0000 a block of 0 bytes"),
        ("v1", [bytes(2 * BLOCK + 1)], "1008 DATA-0000 a block of 2561 bytes"),
        ("v1", [bytes(2 * RATE)], "1008 DATA-0000 a block of 1000 ms"),
        ("v1", [b'{"type":"KeepAlive"}'], "1008 DATA-0000 a block of 0.625 ms"),
        ("v1", ['{"type":"KeepAlive"}'], "1011 NET-0001 a KeepAlive before any sound"),
        ("v1", ["hello"], "1008 DATA-0000 a text frame that is no JSON"),
        ("v1", ["{}"], "1008 DATA-0000 a text frame without a type"),
        ("v1", ['{"type":"Configure","keyterms":"tape"}'], "1008 keyterms are a list of strings"),
        ("v1", ['{"type":"Configure","keyterm":[]}'], "1008 Configure with type, keyterm"),
        ("v1", [bytes(2 * BLOCK)] * 20, "1008 sound comes faster than 1.25 times real time"),
        ("flux", [bytes(4 * BLOCK)], "1008 DATA-0000 a block of 160 ms"),
        ("flux", ['{"type":"KeepAlive"}'], "1008 Flux has no KeepAlive"),
        ("flux", ['{"type":"Finalize"}'], "1008 no such message: {'type': 'Finalize'}"),
    ],
)
async def test_the_server_is_strict(api: str, frames: list[str | bytes], violation: str) -> None:
    deepgram = V1Server(tolerance_s=1.0) if api == "v1" else FluxServer(tolerance_s=1.0)
    options = DeepgramOptions(api="v1" if api == "v1" else "flux")
    async with serve(deepgram, admit=deepgram.admit) as server:
        url = address(msgspec.structs.replace(options, url=server.url), Request())
        async with connect(url, additional_headers={"Authorization": f"Token {KEY}"}) as client:
            with suppress(ConnectionClosed):
                for frame in frames:
                    await client.send(frame)
            await client.wait_closed()
    assert server.violations == [violation]


@pytest.mark.parametrize("wrong", ["smart_format=True", "multichannel=true", "utterance_end_ms=10", "sample_rate=8000"])
async def test_the_server_knows_its_parameters(wrong: str) -> None:
    deepgram = V1Server()
    async with serve(deepgram, admit=deepgram.admit) as server:
        name = wrong.partition("=")[0]
        url = address(DeepgramOptions(url=server.url), Request()) + f"&{wrong}"
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, additional_headers={"Authorization": f"Token {KEY}"})
    assert refused.value.response.status_code == 400
    assert name.encode() in (refused.value.response.body or b"")


# Any script

Script = tuple[list[float], list[Spoken], list[int], float]
"""Borders in seconds, words between them, endpoints in samples, a length in seconds."""


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """The words are the same few again and again, as speech has them."""
    borders: list[float] = []
    words: list[Spoken] = []
    at = 0.0
    for number in range(draw(st.integers(1, 5))):
        for _ in range(draw(st.integers(0, 3))):
            at += 0.0625 * draw(st.integers(1, 4))
            words.append(Spoken(draw(st.sampled_from(["the", "no", "tape"])), at, at := at + 0.125))
        borders.append(at := at + 0.25 + 0.0625 * draw(st.integers(0, 8)) + 0.01 * number)
    length = BLOCK * (int(at * RATE) // BLOCK + draw(st.integers(1, 20)))
    endpoints = draw(st.lists(st.integers(1, length // BLOCK - 1), max_size=3)) if length > BLOCK else []
    return borders, words, sorted({BLOCK * point for point in endpoints}), length / RATE


async def events_of_script(api: str, script: Script, ends: Sequence[Any]) -> list[EngineEvent]:
    borders, words, endpoints, length = script
    starts = [0.0, *borders]
    inside = [
        [word for word in words if start <= word.start < end] for start, end in zip(starts, borders, strict=False)
    ]
    if api == "v1":
        deepgram = V1Server(
            *(
                Segment(until, *said, ends=end if said else "")
                for until, said, end in zip(borders, inside, ends, strict=False)
            )
        )
    else:
        deepgram = FluxServer(*(Turn(until, *said) for until, said in zip(borders, inside, strict=True)))
    async with serve(deepgram, admit=deepgram.admit) as server:
        events = await events_of(engine(server.url, api=api), length, endpoints=endpoints)
    assert server.violations == []
    return events


@pytest.mark.parametrize("api", ["v1", "flux"])
@given(script=scripts(), ends=st.lists(st.sampled_from(["", "speech_final", "UtteranceEnd"]), min_size=5, max_size=5))
async def test_every_word_is_said_once_and_in_order(api: str, script: Script, ends: list[str]) -> None:
    _, words, _, length = script
    events = await events_of_script(api, script, ends)
    lines = finals(events)
    assert [word for line in lines for word in line.text.split()] == [word.text for word in words]
    assert [line.turn for line in lines] == list(range(len(lines)))
    times = [time for line in lines for word in line.words or () for time in (word.start, word.end)]
    assert times == [round(time * RATE) for word in words for time in (word.start, word.end)]
    assert answered(events) == sorted(answered(events))
    assert answered(events)[-1] == round(length * RATE)
    covered = 0
    for news in events:  # nothing is said about what was answered
        if isinstance(news, Answered):
            covered = news.until
        elif isinstance(news, FinalTurn):
            assert news.end is not None
            assert news.end > covered  # a word may be on both sides of an endpoint, said behind it


async def speak(connection: Connection, seconds: float) -> None:
    for _ in range(round(seconds * RATE / BLOCK)):
        await connection.send(bytes(2 * BLOCK))


@pytest.mark.proof
async def test_ten_thousand_messages_are_read() -> None:
    crowd = [results(PLEASE.words, 0.0, 1.0)] * 10_000
    async with serve(says(*crowd, last=METADATA)) as server:
        connection = await engine(server.url).connect(Request())
        listening = asyncio.create_task(listen(connection))
        await speak(connection, 1.04)
        await until_async(lambda: len(server.peers[0].sent) == 10_000)
        await connection.finish()
        events = await listening
        await connection.close()
    assert len(partials(events)) == 10_001
    assert partials(events)[-1] == (0, ""), "it was never frozen"


# Servers of others that speak a part of the protocol: QuentinFuxa/WhisperLiveKit 0.2.26.


def word_of(text: str, start: float, **more: Any) -> dict[str, Any]:
    return {"word": text, "start": start, "end": start + 0.1, "confidence": 0.0, "speaker": 0, **more}


async def like_whisperlivekit(peer: Peer) -> None:
    """Rates no word, says a speaker unasked, and ends the connection at `Finalize`."""
    await peer.receive()
    words = [word_of("the", 0.0), word_of("kettle", 0.1)]
    best = {"transcript": "the kettle", "confidence": 0.0, "words": words}
    times = {"start": 0.0, "duration": 0.2, "is_final": True, "speech_final": True}
    await peer.send({"type": "Results", **times, "channel": {"alternatives": [best]}})
    while True:
        message = await peer.receive()
        if message == '{"type":"Finalize"}':
            await peer.close(4400, "Finalize is unsupported")
            return
        if message == CLOSE_STREAM:
            await peer.send({"type": "Metadata", "duration": 0.4})
            await peer.close()
            return


async def test_words_that_nobody_rated_and_speakers_nobody_asked_for_are_unknown() -> None:
    async with serve(like_whisperlivekit) as server:
        events = await events_of(engine(server.url, None), 0.4)
        with_speakers = await events_of(engine(server.url, None, diarize=True), 0.4)
    assert "authorization" not in server.asked[0].headers, "a server of one's own needs no key"
    (final,) = finals(events)
    assert final.words is not None
    assert {(word.confidence, word.speaker) for word in final.words} == {(None, None)}
    assert finals(with_speakers)[0].speaker == "0"


async def test_settings_that_a_server_of_others_refuses_are_not_tried_again() -> None:
    async def refuses(peer: Peer) -> None:
        await peer.send({"type": "Error", "description": "endpointing requires VAC."})
        await peer.close(4400, "invalid Deepgram session")

    async with serve(refuses) as server:
        with pytest.raises(Lost, match=r"refused the session .*Check \[engines.deepgram\]") as lost:
            await events_of(engine(server.url, None), 0.4)
    assert not lost.value.retry


async def test_an_order_that_a_server_does_not_know_is_sent_once() -> None:
    async with serve(like_whisperlivekit) as server:
        asked = engine(server.url, None)
        with pytest.raises(Lost, match="does not know how to end an utterance") as lost:
            await events_of(asked, 0.4, endpoints=[1600])
        assert lost.value.retry
        assert [final.text for final in finals(await events_of(asked, 0.4, endpoints=[1600]))] == ["the kettle"]


async def test_a_token_of_its_grant_is_shown_as_one() -> None:
    async with serve(like_whisperlivekit) as server:
        await events_of(engine(server.url, "eyJhbGciOi.eyJzdWIi.c2ln"), 0.4)
    assert server.asked[0].headers["authorization"] == "Bearer eyJhbGciOi.eyJzdWIi.c2ln"
