"""The sherpa-onnx adapter against servers by the book, and against servers that are not."""

import asyncio
import logging
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest

from mictape.engines.base import Answered, EngineEvent, FinalTurn, Lost, Partial, Received, Request, Word
from mictape.engines.sherpa import AHEAD, OfflineConnection, SherpaEngine, SherpaOptions, floats
from mictape.units import RATE
from servers.base import CERTIFICATE, Peer, Refusal, serve
from servers.sherpa import DONE, OfflineServer, OnlineServer, Segment, Text, Token
from support.conversation import ADDRESS, answered, finals, listen, partials, received, recognize_all, silence
from support.waiting import until_async

HELLO = Segment(2.5, Token(" hel", 0.5), Token("lo", 0.75), Token(" world", 1.25))
NOTHING = Segment(5.0)
AGAIN = Segment(8.0, Token("▁[laughs]", 5.5), Token("▁a", 6.0), Token("gain", 6.25))


def online(url: str) -> SherpaEngine:
    return SherpaEngine(SherpaOptions(url=url), Path("log"))


def offline(url: str, longest_utterance_s: float = 30.0) -> SherpaEngine:
    options = SherpaOptions(mode="offline", url=url, longest_utterance_s=longest_utterance_s)
    return SherpaEngine(options, Path("log"))


def test_samples_become_floats() -> None:
    pcm = struct.pack("<5h", -32768, -16384, 0, 1, 32767)
    assert struct.unpack("<5f", floats(pcm)) == (-1.0, -0.5, 0.0, 1 / 32768, 32767 / 32768)


async def test_segments_become_turns() -> None:
    sherpa = OnlineServer(HELLO, NOTHING, AGAIN)
    pcm = struct.pack("<h", 16384) * RATE + silence(8.5)
    async with serve(sherpa) as server:
        events = await recognize_all(online(server.url), pcm)
    assert server.violations == []
    assert server.peers[0].received[-1].payload == DONE
    assert sherpa.sound == floats(pcm)
    assert finals(events) == [
        FinalTurn(0, "hello world", (Word("hello", 8_000), Word("world", 20_000)), start=8_000, end=24_800),
        FinalTurn(1, "[laughs] again", (Word("[laughs]", 88_000), Word("again", 96_000)), start=88_000, end=104_800),
    ]
    assert partials(events) == [
        (0, "hel"),
        (0, "hello"),
        (0, "hello world"),
        (1, "[laughs]"),
        (1, "[laughs] a"),
        (1, "[laughs] again"),
    ]
    ends = [24_800, 104_800]  # behind the last token of a segment
    begins = [40_960, 81_920, 128_000]  # of the next segment: what lies before is said
    assert answered(events) == [*sorted([*ends, *begins]), len(pcm) // 2]
    assert received(events) == sorted(received(events))
    assert received(events)[-1] <= len(pcm) // 2


async def test_a_final_segment_is_said_at_once() -> None:
    async with serve(OnlineServer(HELLO)) as server:
        connection = await online(server.url).connect(Request())
        await connection.send(silence(2.6))  # to the segment's end and no further
        events: list[EngineEvent] = []
        async for news in connection:
            events.append(news)
            if isinstance(news, Answered):
                break
        assert answered(events) == [24_800], "the word sounds on behind the time at which its token is found"
        assert [final.text for final in finals(events)] == ["hello world"]
        await connection.close()


@pytest.mark.parametrize(
    "tokens", [["so", "it", "is"], [" so", " it", " <0xE2>"], [" so", " it"], [" so", " it", " is", "."]]
)
async def test_tokens_that_are_not_the_text_give_no_words(tokens: list[str]) -> None:
    result: dict[str, object] = {"text": "so it is", "tokens": tokens, "timestamps": [0.0, 0.1, 0.2], "segment": 0}
    async with serve(online_saying(result | {"start_time": 0.0, "is_final": True})) as server:
        events = await recognize_all(online(server.url), silence(1))
    assert finals(events) == [FinalTurn(0, "so it is", start=0, end=8000)]


async def test_a_segment_that_the_server_leaves_open_is_final_in_the_end() -> None:
    async with serve(OnlineServer(HELLO, kind="cpp without final")) as server:
        events = await recognize_all(online(server.url), silence(1.5))
    assert events[-3:] == [
        FinalTurn(0, "hello world", (Word("hello", 8_000), Word("world", 20_000)), start=8_000, end=24_000),
        Answered(24_000),
        Answered(24_000),
    ]


async def test_the_python_server_has_no_times_and_says_nothing_of_ends() -> None:
    async with serve(OnlineServer(HELLO, NOTHING, AGAIN, kind="python")) as server:
        events = await recognize_all(online(server.url), silence(9.5))
    assert server.violations == []
    assert finals(events) == [FinalTurn(0, "hello world"), FinalTurn(1, "[laughs] again")]
    assert partials(events)[3:] == [(1, "[laughs]"), (1, "[laughs] a"), (1, "[laughs] again")]
    assert answered(events) == [152_000], "nothing, until all is said"
    assert events.index(FinalTurn(0, "hello world")) < events.index(Partial(1, "[laughs]"))
    assert server.peers[0].closed == (1000, "")


def online_saying(*messages: dict[str, object] | str | bytes) -> Callable[[Peer], Awaitable[None]]:
    """An online server that says this after the first frame, and then goes on as it should."""

    async def handler(peer: Peer) -> None:
        await peer.receive()
        for message in messages:
            await peer.send(message)
        while await peer.receive() != DONE:
            pass
        await peer.send("Done!")
        await peer.wait_closed()

    return handler


async def test_text_is_left_as_it_is_and_taken_back_where_it_came_to_nothing() -> None:
    text = "\x1b[31m[/bold] "
    begun: dict[str, object] = {"segment": 3, "start_time": 0.0, "timestamps": [], "tokens": []}
    script = (
        begun | {"text": "hm"},
        begun | {"text": "", "is_final": True},
        begun | {"text": text, "start_time": 0.5},
        begun | {"text": text, "start_time": 0.5, "is_final": True},
    )
    async with serve(online_saying(*script)) as server:
        events = await recognize_all(online(server.url), silence(1))
    said = [news for news in events if not isinstance(news, Received)]
    begins = Answered(RATE // 2)
    assert said == [Partial(0, "hm"), Partial(0, ""), begins, Partial(0, text), FinalTurn(0, text), Answered(RATE)]


async def test_a_token_found_in_the_padding_is_not_beyond_the_sound() -> None:
    late: dict[str, object] = {"text": "late", "tokens": [" late"], "timestamps": [0.9], "start_time": 0.5}
    async with serve(online_saying(late | {"segment": 0, "is_final": True})) as server:
        events = await recognize_all(online(server.url), silence(1))
    assert finals(events) == [FinalTurn(0, "late", (Word("late", RATE),), start=RATE, end=RATE)]
    assert answered(events) == [RATE // 2, RATE, RATE]


@pytest.mark.parametrize("message", ['{"segment": 0}', '{"text": "x"}', '{"text": 5, "segment": 0}', "[]", "3"])
async def test_a_message_of_another_shape_is_logged(message: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with serve(online_saying(message, {"text": "good", "segment": 0})) as server:
            events = await recognize_all(online(server.url), silence(1))
    assert finals(events) == [FinalTurn(0, "good")]
    assert "sent a message of another shape" in caplog.text


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("message", ["<html>", "", '{"text": "x', "done!", b"\x00\xff\x80"])
async def test_what_is_no_message_ends_the_connection(message: str | bytes, mode: str) -> None:
    async with serve(online_saying(message)) as server:
        with pytest.raises(Lost, match=f"{ADDRESS} sent something that is no message"):
            await recognize_all(online(server.url) if mode == "online" else offline(server.url), silence(1))


async def test_a_server_that_is_done_before_us_is_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with serve(online_saying("Done!", {"text": "more", "segment": 0})) as server:
            connection = await online(server.url).connect(Request())
            listening = asyncio.create_task(listen(connection))
            await connection.send(silence(0.1))
            await until_async(lambda: "unasked" in caplog.text)
            await connection.finish()
            assert finals(await listening) == [FinalTurn(0, "more")]
            await connection.close()


async def test_an_utterance_is_sent_whole_and_answered_once() -> None:
    sherpa = OfflineServer(Text("hello world", (" hello", " world"), (0.5, 0.75)), "", Text("again", lang="<|en|>"))
    pcm = struct.pack("<h", -8192) * RATE + silence(5.05)
    async with serve(sherpa) as server:
        events = await recognize_all(offline(server.url), pcm, endpoints=[20_800, 40_000])
    assert server.violations == []
    assert server.peers[0].closed == (1000, "Done")
    assert sherpa.utterances == [floats(pcm[:41_600]), floats(pcm[41_600:80_000]), floats(pcm[80_000:])]
    assert events == [
        Received(20_800),
        FinalTurn(0, "hello world", (Word("hello", 8_000), Word("world", 12_000)), start=0, end=20_800),
        Answered(20_800),
        Received(40_000),
        Answered(40_000),
        Received(96_800),
        FinalTurn(1, "again", start=40_000, end=96_800, language="en"),
        Answered(96_800),
    ]
    frames = [frame.payload for frame in server.peers[0].received]
    assert frames[0] == struct.pack("<ii", 16_000, 4 * 20_800)
    assert frames[-1] == DONE


async def test_nothing_to_say_is_said_as_nothing() -> None:
    sherpa = OfflineServer()
    async with serve(sherpa) as server:
        assert await recognize_all(offline(server.url), b"", endpoints=[0]) == []
        assert answered(await recognize_all(offline(server.url), silence(1), endpoints=[0, RATE])) == [RATE]
    assert server.violations == []
    assert len(sherpa.utterances) == 1


async def test_an_utterance_that_never_ends_is_cut() -> None:
    sherpa = OfflineServer("one", "two", "three")
    async with serve(sherpa) as server:
        events = await recognize_all(offline(server.url, 1.0), silence(2.5))
    assert [(final.text, final.start, final.end) for final in finals(events)] == [
        ("one", 0, RATE),
        ("two", RATE, 2 * RATE),
        ("three", 2 * RATE, 40_000),
    ]


async def test_one_utterance_at_a_time_and_few_wait() -> None:
    sherpa = OfflineServer(*"abcde")
    sherpa.answering.clear()
    async with serve(sherpa) as server:
        connection = await offline(server.url).connect(Request())
        listening = asyncio.create_task(listen(connection))
        for _ in range(1 + AHEAD):
            await connection.send(silence(1))
            await connection.endpoint()
        await connection.send(silence(1))
        third = asyncio.create_task(connection.endpoint())
        await until_async(lambda: sherpa.utterances)
        await (await connection._socket.ping())  # passes all that was sent before it
        assert len(sherpa.utterances) == 1
        assert not third.done(), "what comes faster than it is recognised has to wait"
        sherpa.answering.set()
        await third
        await connection.send(silence(0.5))
        await connection.finish()
        assert [final.text for final in finals(await listening)] == ["a", "b", "c", "d"]
        await connection.close()
    assert server.violations == []


async def test_finish_does_not_wait_for_a_reader() -> None:
    async with serve(OfflineServer("a", "b")) as server:
        connection = await offline(server.url).connect(Request())
        await connection.send(silence(1))
        await connection.endpoint()
        await connection.send(silence(1))
        await connection.finish()
        events = await listen(connection)
        await connection.close()
    assert answered(events) == [RATE, 2 * RATE]
    assert server.violations == []


async def test_an_utterance_that_the_server_finds_too_long_is_not_tried_again() -> None:
    async def handler(peer: Peer) -> None:
        await peer.receive()
        await peer.close(1009, "Max utterance length is configured to 2 seconds. Payload is too large!")

    async with serve(handler) as server:
        with pytest.raises(Lost, match="Payload is too large") as lost:
            await recognize_all(offline(server.url), silence(3))
    assert not lost.value.retry


async def test_an_end_with_an_utterance_unanswered_is_lost_however_proper_it_looks() -> None:
    async def handler(peer: Peer) -> None:
        for _ in ("header", "sound"):
            await peer.receive()
        await peer.close(1000, "Invalid payload: Done")

    async with serve(handler) as server:
        connection = await offline(server.url).connect(Request())
        await connection.send(silence(1))
        await connection.finish()
        with pytest.raises(Lost, match="unanswered"):
            await listen(connection)


async def test_an_answer_of_another_shape_is_logged_and_not_taken_for_one(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(peer: Peer) -> None:
        await peer.receive()
        await peer.send({"texts": []})
        while await peer.receive() != DONE:
            pass

    with caplog.at_level(logging.WARNING):
        async with serve(handler) as server:
            assert await recognize_all(offline(server.url), silence(0.5)) == [Received(8_000)]
    assert "another shape" in caplog.text


@pytest.mark.parametrize("mode", ["online", "offline"])
async def test_a_server_that_vanishes_is_lost(mode: Literal["online", "offline"]) -> None:
    async def handler(peer: Peer) -> None:
        await peer.receive()
        peer.drop()

    async with serve(handler) as server:
        with pytest.raises(Lost, match="broke") as lost:
            await recognize_all(online(server.url) if mode == "online" else offline(server.url), silence(0.5))
        assert lost.value.retry


async def test_a_sender_that_waits_learns_that_the_connection_broke() -> None:
    sherpa = OfflineServer()
    sherpa.answering.clear()
    async with serve(sherpa) as server:
        connection = await offline(server.url, 0.1).connect(Request())
        assert isinstance(connection, OfflineConnection)

        async def speak() -> None:
            while True:
                await connection.send(silence(0.1))

        speaking = asyncio.create_task(speak())
        await until_async(lambda: len(connection._waiting) > AHEAD)
        server.peers[0].drop()
        with pytest.raises(Lost):
            await speaking
        with pytest.raises(Lost):
            await listen(connection)


async def test_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with serve(OnlineServer(HELLO), tls=True) as server:
        events: list[EngineEvent] = await recognize_all(online(server.url), silence(3))
    assert [final.text for final in finals(events)] == ["hello world"]


async def test_a_busy_server_says_so() -> None:
    async with serve(OnlineServer(), admit=lambda _: Refusal(503)) as server:
        with pytest.raises(Lost, match="HTTP 503") as lost:
            await online(server.url).connect(Request())
        assert lost.value.retry


async def test_it_says_what_it_is() -> None:
    streaming, whole = online("ws://127.0.0.1:6006"), offline("wss://asr.example")
    assert await streaming.check(Request()) is None
    assert (streaming.title, whole.title) == (
        "sherpa-onnx · online · 127.0.0.1:6006",
        "sherpa-onnx · offline · asr.example",
    )
    assert (streaming.capabilities.endpointing, whole.capabilities.endpointing) == ("engine", "follower")
    assert (streaming.capabilities.partials, whole.capabilities.partials) == (True, False)
    assert (streaming.capabilities.offline, whole.capabilities.offline) == (True, False)
    failure = await online("http://127.0.0.1:6006").check(Request())
    assert failure is not None
    assert "[engines.sherpa-onnx]" in failure.remedy
