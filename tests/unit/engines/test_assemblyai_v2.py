"""AssemblyAI's retired protocol v2 against a server of the book, and that server against clients that are wrong."""

import base64
import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from mictape.engines.assemblyai.v2 import AssemblyAIV2Engine, AssemblyAIV2Options
from mictape.engines.base import Answered, EngineEvent, FinalTurn, Lost, Notice, Partial, Request
from mictape.failure import ExitCode
from mictape.units import RATE
from servers.assemblyai import KEY, Said, Utterance
from servers.assemblyai_v2 import V2Server
from servers.base import Peer, Server, serve
from support.conversation import answered, finals, partials, recognize_all, without_address
from support.conversation import silence as silent
from support.waiting import until_async

BLOCK: Final = 3200
KETTLE: Final = Utterance(Said("the", 310, 420), Said("kettle", 440, 900), formatted="The kettle.")
DOOR: Final = Utterance(Said("the", 2310, 2420), Said("door", 2440, 2900), formatted="The door.")
TERMINATE: Final = '{"terminate_session": true}'


def ms(milliseconds: int) -> int:
    return milliseconds * RATE // 1000


def engine_at(server: Server, key: str | None = KEY, **options: Any) -> AssemblyAIV2Engine:
    settings: dict[str, Any] = {"url": server.url} | options
    return AssemblyAIV2Engine(AssemblyAIV2Options(**settings), Path("unused"), key)


async def events_from(assemblyai: V2Server, seconds: float = 4.0, **options: Any) -> list[EngineEvent]:
    """Everything said about so much sound, in a session that breaks no rule."""
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        events = await recognize_all(engine_at(server, **options), silent(seconds), block=BLOCK)
    assert server.violations == []
    return events


async def test_a_session_as_in_the_tutorial() -> None:
    assemblyai = V2Server((KETTLE, DOOR))
    events = await events_from(assemblyai)
    assert partials(events) == [(0, "the"), (0, "the kettle"), (1, "the"), (1, "the door")]
    assert [(final.turn, final.text) for final in finals(events)] == [(0, "The kettle."), (1, "The door.")]
    first = finals(events)[0]
    assert (first.start, first.end) == (ms(310), ms(900))
    assert first.words is not None
    assert (first.words[1].text, first.words[1].start, first.words[1].confidence) == ("kettle", ms(440), 0.93)
    assert answered(events) == [ms(1400), ms(3400)]  # audio_end, and nothing else
    (session,) = assemblyai.sessions
    assert session.blocks == [BLOCK] * 20
    assert set(session.framed) == {str}
    assert json.loads(str(session.peer.received[0].payload)) == {
        "audio_data": base64.b64encode(bytes(2 * BLOCK)).decode()
    }


async def test_empty_partials_are_passed_over() -> None:
    assert await events_from(V2Server(), seconds=1) == []


async def test_the_end_of_the_utterance_can_be_asked_for() -> None:
    assemblyai = V2Server((KETTLE,))
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        events = await recognize_all(engine_at(server), silent(1.2), block=BLOCK, endpoints=[3 * BLOCK])
    assert [final.text for final in finals(events)] == ["the", "kettle"]


async def test_every_setting_reaches_the_server(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assemblyai = V2Server((KETTLE,))
    options: dict[str, Any] = {
        **{"word_boost": ("Łódź", "a&b=c"), "disable_partial_transcripts": True},
        **{"enable_extra_session_information": True, "end_utterance_silence_threshold": 20_000},
    }
    assert set(options) == set(AssemblyAIV2Options.__struct_fields__) - {"url", "authorize"}
    events = await events_from(assemblyai, seconds=2, **options)
    assert [type(news) for news in events] == [FinalTurn, Answered]
    (session,) = assemblyai.sessions
    assert session.peer.asked.query == {
        **{"sample_rate": "16000", "word_boost": json.dumps(["Łódź", "a&b=c"])},
        **{"disable_partial_transcripts": "true", "enable_extra_session_information": "true"},
    }
    assert session.orders == [{"end_utterance_silence_threshold": 20_000}, {"terminate_session": True}]
    assert "got 2.0 s of sound" in caplog.text


@pytest.mark.parametrize("wrong", [{"end_utterance_silence_threshold": 20_001}, {"word_bost": ["x"]}])
def test_settings_are_strict(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, AssemblyAIV2Options)


async def test_words_left_out_are_reported() -> None:
    assemblyai = V2Server()
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        request = Request(key_terms=("x" * 2500, "tea"))
        events = await recognize_all(engine_at(server), b"", request=request)
    assert without_address(events) == [Notice("SERVER takes 1 of 2 key terms: 2500 characters together")]


@pytest.mark.parametrize("authorize", ["header", "token"])
async def test_the_key_is_shown_in_one_place(authorize: str) -> None:
    assemblyai = V2Server()
    await events_from(assemblyai, seconds=0.2, authorize=authorize)
    asked = assemblyai.sessions[0].peer.asked
    shown = {"header": asked.headers.get("authorization"), "token": asked.query.get("token")}
    assert {where: key for where, key in shown.items() if key} == {authorize: KEY}


async def lost_at(assemblyai: V2Server, key: str = KEY) -> Lost:
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        with pytest.raises(Lost) as lost:
            await recognize_all(engine_at(server, key), silent(2), block=BLOCK)
        await until_async(lambda: server.open == 0)
    return lost.value


async def test_a_wrong_key_is_fatal() -> None:
    lost = await lost_at(V2Server(), "a-wrong-one")
    assert lost.retry is False
    assert "Not authorized" in str(lost)


async def test_the_vendors_answer_of_today_is_reported_for_what_it_is() -> None:
    lost = await lost_at(V2Server(retired=True))
    assert lost.retry is False
    assert "retired its protocol v2" in lost.cause.what
    assert "--engine assemblyai" in lost.cause.remedy


async def test_the_vendors_own_url_is_not_even_tried() -> None:
    engine = AssemblyAIV2Engine(AssemblyAIV2Options(), Path("unused"), KEY)
    failure = await engine.check(Request())
    assert failure is not None
    assert "retired" in failure.what
    assert failure.code == ExitCode.ENGINE
    with pytest.raises(Lost) as lost:
        await engine.connect(Request())
    assert lost.value.retry is False


@pytest.mark.parametrize(
    ("last", "retry"),
    [
        *(("4002 Insufficient Funds", False), ("4003 Paid only", False), ("4004 Session Not Found", True)),
        *(("4008 Session Expired", True), ("4010 Session Previously Closed", True), ("4029 Audio too fast", True)),
        *(("4030 Handled by another", True), ("4031 Session idle for too long", True), ("4032 Too short", True)),
        *(("4100 Invalid JSON", False), ("4101 Invalid schema", False), ("4102 Too many streams", True)),
        *(("4103 Reconnected", True), ("4104 Could not parse word boost", False), ("1013 Temporary", True)),
    ],
)
async def test_an_error_gets_its_meaning_from_the_close_code_and_its_words_from_the_message(
    last: str, retry: bool
) -> None:
    lost = await lost_at(V2Server(last=last))
    assert lost.retry is retry
    assert last in lost.cause.what


async def test_a_clean_close_in_mid_stream_is_a_loss() -> None:
    async def leave(peer: Peer) -> None:
        await peer.send({"message_type": "SessionBegins", "session_id": "x", "expires_at": "2026"})

    async with serve(leave) as server:
        connection = await engine_at(server).connect(Request())
        with pytest.raises(Lost) as lost:
            async for _ in connection:
                pass
        await connection.close()
    assert lost.value.retry is True


async def test_a_message_of_another_shape_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    async def odd(peer: Peer) -> None:
        await peer.send({"message_type": "SessionBegins", "session_id": "x", "expires_at": "2026"})
        await peer.send({"message_type": "FinalTranscript", "audio_start": 0, "audio_end": 100})
        await peer.send({"message_type": "Unheard"})
        await peer.send({"message_type": "PartialTranscript", "audio_start": 0, "audio_end": 9, "text": "so"})
        await peer.send({"message_type": "SessionTerminated"})
        await peer.wait_closed()

    async with serve(odd) as server:
        assert await recognize_all(engine_at(server), b"") == [Partial(0, "so", start=0)]
    assert "text" in caplog.text


async def test_only_english_is_known() -> None:
    engine = AssemblyAIV2Engine(AssemblyAIV2Options(url="ws://127.0.0.1:1"), Path("unused"))
    assert await engine.check(Request(language="en-US")) is None
    assert await engine.check(Request(language="de")) is not None


# The server, and clients that are wrong.

ASK: Final = f"/v2/realtime/ws?sample_rate=16000&token={KEY}"


def audio(samples: int) -> str:
    return json.dumps({"audio_data": base64.b64encode(bytes(2 * samples)).decode()})


@pytest.mark.parametrize(
    ("path", "frames", "code"),
    [
        (ASK, [audio(1599)], 4032),
        (ASK, [audio(32_001)], 4033),
        (ASK, [bytes(2 * 1599)], 4032),
        (ASK, ['{"audio_data": "AA=="}'], 4034),
        (ASK, ['{"audio_data": "not base64!"}'], 4034),
        (ASK, ['{"audio_data": 1}'], 4101),
        (ASK, ["{"], 4100),
        (ASK, ['{"terminate_session": 1}'], 4101),
        (ASK, ['{"end_utterance_silence_threshold": 20001}'], 4101),
        (ASK, ['{"stop": true}'], 4101),
        (ASK, [audio(32_000)] * 31, 4029),
        (ASK + "&word_boost=tea", [], 4104),
        (ASK + "&model=x", [], 4101),
        (f"/v2/realtime/ws?sample_rate=0&token={KEY}", [], 4000),
        ("/v2/realtime/ws?sample_rate=16000&token=x", [], 4001),
    ],
)
async def test_a_client_that_is_wrong_is_reported_and_closed(path: str, frames: list[str | bytes], code: int) -> None:
    assemblyai = V2Server()
    async with serve(assemblyai, admit=assemblyai.admit) as server, connect(server.url + path) as client:
        with pytest.raises(ConnectionClosedError) as closed:
            for frame in frames:
                await client.send(frame)
            while True:
                await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code
    assert server.violations[0].startswith(str(code))
    assert list(json.loads(str(server.peers[0].sent[-1].payload))) == ["error"]


async def test_sound_in_binary_frames_is_taken_too() -> None:
    assemblyai = V2Server((KETTLE,))
    async with serve(assemblyai, admit=assemblyai.admit) as server, connect(server.url + ASK) as client:
        for _ in range(10):
            await client.send(bytes(2 * BLOCK))
        await client.send(TERMINATE)
        said = [json.loads(message) async for message in client]
    assert [message["text"] for message in said if message["message_type"] == "FinalTranscript"] == ["The kettle."]
    assert said[-1] == {"message_type": "SessionTerminated"}
    assert server.violations == []
