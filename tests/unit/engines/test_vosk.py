"""The Vosk adapter against a server by the book, and against servers that are not."""

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mictape.engines.base import Answered, FinalTurn, Lost, Partial, Received, Request, Word
from mictape.engines.vosk import AHEAD, VoskEngine, VoskOptions
from mictape.units import RATE
from servers.base import CERTIFICATE, Peer, Refusal, serve
from servers.vosk import EOF, RESET, Said, Spoken, VoskServer
from support.conversation import ADDRESS, answered, finals, listen, partials, received, recognize_all, silence
from support.waiting import until_async

HELLO = Said(2.0, Spoken("hello", 0.5, 0.9, 0.75), Spoken("world", 1.0, 1.4))
NOTHING = Said(4.0)
AGAIN = Said(6.0, Spoken("[laughs]", 4.5, 5.0), Spoken("again", 5.25, 5.5))


def engine(url: str, **options: object) -> VoskEngine:
    return VoskEngine(VoskOptions(url=url, **options), Path("log"))  # type: ignore[arg-type]


async def test_every_frame_is_answered_and_utterances_become_turns() -> None:
    async with serve(VoskServer(HELLO, NOTHING, AGAIN, most_unanswered=AHEAD + 1)) as server:
        events = await recognize_all(engine(server.url), silence(7.05))
    assert server.violations == []
    assert finals(events) == [
        FinalTurn(
            turn=0,
            text="hello world",
            words=(Word("hello", 8_000, 14_400, 0.75), Word("world", 16_000, 22_400, 1.0)),
            start=8_000,
            end=22_400,
        ),
        FinalTurn(
            turn=1,
            text="[laughs] again",
            words=(Word("[laughs]", 72_000, 80_000, 1.0), Word("again", 84_000, 88_000, 1.0)),
            start=72_000,
            end=88_000,
        ),
    ]
    assert partials(events) == [(0, "hello"), (0, "hello world"), (1, "[laughs]"), (1, "[laughs] again")]
    assert received(events) == [*range(1600, 7 * RATE + 1, 1600), 112_800, 112_800], (
        "one for each frame, one for the end"
    )
    assert answered(events) == [2 * RATE, 4 * RATE, 6 * RATE, 112_800], "a text answers for its frame, an empty one too"


async def test_the_settings_come_first_and_the_end_is_right_to_the_letter() -> None:
    vosk = VoskServer()
    async with serve(vosk) as server:
        asked = engine(server.url, max_alternatives=3, phrase_list=["yes", "no"], model="/models/de", words=False)
        await recognize_all(asked, silence(0.1), endpoints=[800], request=Request(key_terms=("kettle",)))
    assert server.violations == []
    assert vosk.config == {
        "sample_rate": 16000,
        "words": False,
        "max_alternatives": 3,
        "phrase_list": ["yes", "no"],
        "model": "/models/de",
    }, "key terms are no phrase list: that would forbid every other word"
    frames = [frame.payload for frame in server.peers[0].received]
    assert frames[1:] == [bytes(1600), RESET, bytes(1600), EOF]
    assert json.loads(frames[0]) == {"config": vosk.config}
    assert server.peers[0].closed == (1000, "")


async def test_what_is_not_set_is_not_said() -> None:
    vosk = VoskServer()
    async with serve(vosk) as server:
        await recognize_all(engine(server.url), silence(0.1))
    assert vosk.config == {"sample_rate": 16000, "words": True, "max_alternatives": 0}


async def test_an_endpoint_ends_the_utterance_and_times_go_on() -> None:
    async with serve(VoskServer(HELLO)) as server:
        events = await recognize_all(engine(server.url), silence(3), endpoints=[15_200])
    assert [(final.turn, final.text, final.start) for final in finals(events)] == [
        (0, "hello", 8_000),
        (1, "world", 16_000),
    ]
    assert answered(events) == [15_200, 32_800, 3 * RATE], "the endpoint, the frame with the end, all"


async def test_a_server_that_knows_no_reset_is_not_sent_one() -> None:
    async with serve(VoskServer(HELLO)) as server:
        events = await recognize_all(engine(server.url, reset=False), silence(3), endpoints=[15_200])
    assert RESET not in [frame.payload for frame in server.peers[0].received]
    assert [final.text for final in finals(events)] == ["hello world"]


async def test_of_several_readings_the_best_is_taken() -> None:
    async with serve(VoskServer(HELLO)) as server:
        events = await recognize_all(engine(server.url, max_alternatives=2), silence(2.5))
    assert [final.text for final in finals(events)] == ["hello world"]
    assert finals(events)[0].words == (Word("hello", 8_000, 14_400), Word("world", 16_000, 22_400))
    assert answered(events) == [2 * RATE, 40_000]


async def test_without_words_a_line_has_no_times() -> None:
    async with serve(VoskServer(HELLO)) as server:
        events = await recognize_all(engine(server.url, words=False), silence(2.5))
    assert finals(events) == [FinalTurn(0, "hello world")]


async def test_send_waits_until_few_frames_are_unanswered() -> None:
    vosk = VoskServer()
    vosk.answering.clear()
    async with serve(vosk) as server:
        connection = await engine(server.url).connect(Request())
        listening = asyncio.create_task(listen(connection))

        async def speak() -> None:
            for _ in range(5 * AHEAD):
                await connection.send(silence(0.1))
            await connection.finish()

        speaking = asyncio.create_task(speak())
        await until_async(lambda: vosk.unanswered > AHEAD)
        # A round trip that passes everything sent before it: nothing more is on its way.
        await (await connection._socket.ping())
        assert vosk.unanswered == AHEAD + 1
        assert not speaking.done()
        vosk.answering.set()
        await speaking
        assert answered(await listening) == [5 * AHEAD * 1600]
        await connection.close()


async def test_a_sender_that_waits_learns_that_the_connection_broke() -> None:
    vosk = VoskServer()
    vosk.answering.clear()
    async with serve(vosk) as server:
        connection = await engine(server.url).connect(Request())
        sending = [asyncio.create_task(connection.send(silence(0.1))) for _ in range(AHEAD + 2)]
        await until_async(lambda: vosk.unanswered > AHEAD)
        server.peers[0].drop()
        with pytest.raises(Lost) as lost:
            await asyncio.gather(*sending)
        assert lost.value.retry
        with pytest.raises(Lost):
            await listen(connection)
        await asyncio.gather(*sending, return_exceptions=True)
        await connection.close()


def answers(*messages: str | bytes) -> Callable[[Peer], Awaitable[None]]:
    """A server that answers frames with these, whatever they are, and then goes on as it should."""

    async def handler(peer: Peer) -> None:
        await peer.receive()
        left = iter(messages)
        while await peer.receive() != EOF:
            await peer.send(next(left, '{"partial": ""}'))
        await peer.send('{"text": "end"}')

    return handler


@pytest.mark.parametrize(
    "message", ['{"text": 5}', '{"result": []}', "{}", "[]", '{"alternatives": []}', '{"text": "a", "result": [{}]}']
)
async def test_an_answer_of_another_shape_is_logged_and_counted(message: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with serve(answers('{"partial": "one"}', message, '{"partial": "two"}')) as server:
            events = await recognize_all(engine(server.url), silence(0.3))
    assert partials(events) == [(0, "one"), (0, "two")]
    assert received(events) == [1600, 3200, 4800, 4800]
    assert events[-2:] == [FinalTurn(0, "end"), Answered(4800)]
    assert " sent a" in caplog.text


@pytest.mark.parametrize("message", ["<html>", "", '{"partial": "x', b"\x00\xff\x80", b'{"partial": "\xff"}'])
async def test_what_is_no_message_ends_the_connection(message: str | bytes) -> None:
    async with serve(answers(message)) as server:
        with pytest.raises(Lost, match=f"{ADDRESS} sent something that is no message"):
            await recognize_all(engine(server.url), silence(0.3))


async def test_answers_that_nobody_asked_for_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(peer: Peer) -> None:
        await peer.receive()
        await peer.send('{"text": "who is there"}')
        while await peer.receive() != EOF:
            pass
        await peer.send('{"text": ""}')

    with caplog.at_level(logging.WARNING):
        async with serve(handler) as server:
            connection = await engine(server.url).connect(Request())
            listening = asyncio.create_task(listen(connection))
            await until_async(lambda: "was not asked" in caplog.text)
            await connection.finish()
            assert await listening == [Received(0), Answered(0)]
            await connection.close()


async def test_the_last_text_is_the_end_whether_the_server_closes_or_not() -> None:
    async def handler(peer: Peer) -> None:
        await peer.receive()
        while await peer.receive() != EOF:
            await peer.send('{"partial": ""}')
        await peer.send('{"text": "end"}')
        await peer.wait_closed()

    async with serve(handler) as server:
        events = await recognize_all(engine(server.url), silence(0.1))
    assert events[-2:] == [FinalTurn(0, "end"), Answered(1600)]


async def test_a_partial_that_comes_to_nothing_is_taken_back_and_text_is_left_as_it_is() -> None:
    escape = r"\u001b[31m[/bold] "
    script = ('{"partial": "hm"}', '{"text": ""}', f'{{"partial": "{escape}"}}', f'{{"text": "{escape}"}}')
    async with serve(answers(*script)) as server:
        events = await recognize_all(engine(server.url), silence(0.4))
    said = [news for news in events if isinstance(news, Partial | FinalTurn | Answered)]
    text = "\x1b[31m[/bold] "
    assert said[:3] == [Partial(0, "hm"), Partial(0, ""), Answered(3200)]
    assert said[3:6] == [Partial(0, text), FinalTurn(0, text), Answered(6400)]


async def test_a_word_never_ends_after_the_sound() -> None:
    late = '{"text": "late", "result": [{"word": "late", "start": 0.05, "end": 0.13, "conf": 1}]}'
    async with serve(answers(late)) as server:
        events = await recognize_all(engine(server.url), silence(0.1))
    assert finals(events)[0].words == (Word("late", 800, 1600, 1.0),)


@pytest.mark.parametrize(
    ("code", "reason", "retry"), [(1000, "", True), (1011, "", True), (1012, "", True), (1003, "no sound", False)]
)
async def test_a_server_that_closes_before_the_end_is_lost(code: int, reason: str, *, retry: bool) -> None:
    async def handler(peer: Peer) -> None:
        await peer.receive()
        await peer.close(code, reason)

    async with serve(handler) as server:
        connection = await engine(server.url).connect(Request())
        with pytest.raises(Lost, match=f"{code} {reason}".rstrip()) as lost:
            await listen(connection)
        assert lost.value.retry is retry


async def test_a_server_that_vanishes_at_the_end_is_lost() -> None:
    async def handler(peer: Peer) -> None:
        while await peer.receive() != EOF:
            pass
        peer.drop()

    async with serve(handler) as server:
        with pytest.raises(Lost, match="broke"):
            await recognize_all(engine(server.url), silence(0.1))


async def test_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(VoskServer(HELLO), tls=True) as server:
        with pytest.raises(Lost, match=f"certificate of {ADDRESS} is not accepted: self-signed certificate"):
            await engine(server.url).connect(Request())
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert ssl.get_default_verify_paths().cafile == str(CERTIFICATE)
        events = await recognize_all(engine(server.url), silence(2.5))
    assert [final.text for final in finals(events)] == ["hello world"]


async def test_a_refused_connection_says_why() -> None:
    async with serve(VoskServer(), admit=lambda _: Refusal(503)) as server:
        with pytest.raises(Lost, match="HTTP 503") as lost:
            await engine(server.url).connect(Request())
        assert lost.value.retry
    with pytest.raises(Lost, match=f"{ADDRESS} cannot be reached") as lost:
        await engine(server.url).connect(Request())
    assert lost.value.retry


@pytest.mark.parametrize("url", ["http://127.0.0.1:2700", "127.0.0.1:2700", "ws://", "ws://host:x", "ws://[::1", ""])
async def test_a_url_that_cannot_be_one_is_refused_beforehand(url: str) -> None:
    failure = await engine(url).check(Request())
    assert failure is not None
    assert "[engines.vosk]" in failure.remedy
    assert not engine(url).capabilities.offline


async def test_it_says_what_it_is() -> None:
    local, remote = engine("ws://localhost:2700"), engine("wss://me:secret@asr.example:443/path?key=k", words=False)
    assert await local.check(Request()) is None
    assert (local.title, remote.title) == ("vosk · localhost:2700", "vosk · asr.example:443")
    assert local.capabilities.offline
    assert not remote.capabilities.offline
    assert local.capabilities.word_times and local.capabilities.confidence
    assert not remote.capabilities.word_times and not remote.capabilities.confidence
    assert not engine("ws://[::1]:2700", max_alternatives=2).capabilities.confidence
    assert engine("ws://[::1]:2700").capabilities.offline
