"""AssemblyAI's protocol v3 against a server of the book, and that server against clients that are wrong."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from mictape.engines import remote, websocket
from mictape.engines.assemblyai.messages import Turn
from mictape.engines.assemblyai.messages import Word as WireWord
from mictape.engines.assemblyai.options import AssemblyAIOptions, address
from mictape.engines.assemblyai.v3 import AssemblyAIConnection, AssemblyAIEngine, live_text
from mictape.engines.base import Answered, Changes, EngineEvent, FinalTurn, Lost, Notice, Partial, Request, Speakers
from mictape.failure import ExitCode
from mictape.units import RATE
from servers.assemblyai import KEY, Said, Script, Speech, Utterance, V3Server, V3Session, silence, value_of
from servers.base import CERTIFICATE, Asked, Peer, Server, serve
from support.conversation import ADDRESS, answered, finals, partials, received, recognize_all, without_address
from support.conversation import silence as silent
from support.waiting import TIMEOUT_S, until_async

ENGLISH: Final = "universal-streaming-english"
KETTLE: Final = Utterance(
    Said("the", 300, 400), Said("kettle", 450, 800), Said("boils", 900, 1300), formatted="The kettle boils."
)
DOOR: Final = Utterance(Said("the", 2300, 2400), Said("door", 2450, 2800), formatted="The door.")


def ms(milliseconds: int) -> int:
    return milliseconds * RATE // 1000


def engine_at(server: Server, key: str | None = KEY, **options: Any) -> AssemblyAIEngine:
    settings: dict[str, Any] = {"url": server.url} | options
    return AssemblyAIEngine(AssemblyAIOptions(**settings), Path("unused"), key)


async def events_from(script: Script, seconds: float = 4.0, **options: Any) -> list[EngineEvent]:
    """Everything said about so much sound, in a session that breaks no rule."""
    assemblyai = V3Server(script, fastest=None)
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        events = await recognize_all(engine_at(server, **options), silent(seconds))
    assert server.violations == []
    return events


@asynccontextmanager
async def connected(
    assemblyai: V3Server, request: Request | None = None, **options: Any
) -> AsyncGenerator[tuple[AssemblyAIConnection, V3Session]]:
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        connection = await engine_at(server, **options).connect(request or Request())
        try:
            yield connection, assemblyai.sessions[0]
        finally:
            await connection.close()


async def lost_to(script: Script, **options: Any) -> Lost:
    """How a connection ends that is never finished by us."""
    async with connected(V3Server(script), **options) as (connection, _):
        with pytest.raises(Lost) as lost:
            async with asyncio.timeout(TIMEOUT_S):
                async for _ in connection:
                    pass
    return lost.value


# Turns.


async def test_live_text_comes_from_the_words_and_each_turn_ends_once_and_is_formatted_after() -> None:
    events = await events_from(Speech(KETTLE, DOOR), speech_model=ENGLISH, format_turns=True)
    assert partials(events) == [
        *((0, text) for text in ("the", "the kettle", "the kettle boils")),
        *((1, text) for text in ("the", "the door")),
    ]
    assert [news.stable for news in events if isinstance(news, Partial)] == [0, 3, 10, 0, 3]
    assert [(final.turn, final.text) for final in finals(events)] == [
        *((0, "the kettle boils"), (0, "The kettle boils.")),
        *((1, "the door"), (1, "The door.")),
    ]
    first = finals(events)[0]
    assert (first.start, first.end) == (ms(300), ms(1300))
    assert first.words is not None
    assert [(word.text, word.start, word.end) for word in first.words][1] == ("kettle", ms(450), ms(800))
    assert first.words[0].confidence == 0.97
    assert answered(events) == [ms(1300), ms(2800), ms(4000)]


async def test_the_formatted_turn_may_never_come() -> None:
    events = await events_from(Speech(Utterance(Said("well", 200, 500))), speech_model=ENGLISH, format_turns=True)
    assert [(final.turn, final.text) for final in finals(events)] == [(0, "well")]


async def test_a_pro_model_replaces_its_text_and_ends_a_turn_formatted() -> None:
    events = await events_from(Speech(KETTLE, DOOR))
    assert partials(events)[:3] == [(0, "the"), (0, "the kettle"), (0, "the kettle boils")]
    assert {news.stable for news in events if isinstance(news, Partial)} == {0}
    assert [(final.turn, final.text) for final in finals(events)] == [(0, "The kettle boils."), (1, "The door.")]
    assert received(events) == [ms(300), ms(2300)]  # SpeechStarted


async def test_silence_answers_and_heartbeats_are_received() -> None:
    events = await events_from(Speech(Utterance(Said("yes", 5200, 5500)), heartbeat_ms=2000), seconds=8)
    assert answered(events) == [ms(until) for until in (1000, 2000, 3000, 4000, 5000, 5500, 6500, 7500, 8000)]
    assert [ms(2000), ms(4000), ms(6000), ms(8000)] == [at for at in received(events) if at != ms(5200)]


async def test_silence_does_not_answer_for_a_turn_that_may_still_be_said() -> None:
    async def script(session: V3Session) -> None:
        await session.received_ms(2900)
        await session.say("Silence", start_ms=0, end_ms=1000)
        await session.turn(0, KETTLE.words[:1])
        await session.say("Silence", start_ms=1500, end_ms=2500)
        await session.say("Silence", start_ms=800, end_ms=900)  # what a worker says again after a reconnect
        await session.turn(0, KETTLE.words, end=True)
        await session.message("Terminate")

    events = await events_from(script, seconds=3)
    shown = [news for news in events if isinstance(news, Answered | FinalTurn)]
    assert [type(news) for news in shown] == [Answered, FinalTurn, Answered, Answered]
    assert answered(events) == [ms(1000), ms(2500), ms(3000)]


async def test_turns_are_numbered_in_the_order_of_speech_and_stay_ended() -> None:
    async def script(session: V3Session) -> None:
        await session.turn(7, KETTLE.words[:2])
        await session.turn(7, KETTLE.words, end=True)
        await session.turn(7, KETTLE.words[:1])  # late: it must not open the turn again
        await session.turn(8, ())  # nothing was said
        await session.turn(8, (), end=True)
        await session.turn(9, DOOR.words, end=True)
        await session.message("Terminate")

    events = await events_from(script, seconds=1)
    assert partials(events) == [(0, "the kettle")]
    assert [final.turn for final in finals(events)] == [0, 1]


async def test_live_text_that_comes_to_nothing_is_taken_back() -> None:
    async def script(session: V3Session) -> None:
        await session.turn(0, KETTLE.words[:1])
        await session.turn(0, (), end=True)
        await session.message("Terminate")

    assert [(final.turn, final.text) for final in finals(await events_from(script, seconds=1))] == [(0, "")]


async def test_speakers_are_letters_and_may_be_revised() -> None:
    async def script(session: V3Session) -> None:
        said = Said("hello", 100, 300, speaker="A")
        await session.turn(0, [said], end=True, speaker_label="PENDING")
        await session.turn(1, [said], end=True, speaker_label="B", language_code="en")
        await session.turn(2, [Said("so", 400, 500, speaker="UNKNOWN")], end=True, speaker_label=None)
        revisions = [{"turn_order": 0, "speaker_label": "A"}, {"turn_order": 2, "speaker_label": "PENDING"}]
        await session.say("SpeakerRevision", revisions=[*revisions, {"turn_order": 99, "speaker_label": "C"}])
        await session.message("Terminate")

    events = await events_from(script, seconds=1, speaker_labels=True)
    assert [final.speaker for final in finals(events)] == [None, "B", None]
    assert [final.words[0].speaker for final in finals(events) if final.words] == ["A", "A", None]
    assert finals(events)[1].language == "en"
    assert Speakers({0: "A"}) in events


@pytest.mark.parametrize(
    ("transcript", "words", "shown"),
    [
        ("please water", [("please", True), ("water", True), ("the", False)], ("please water the", 12)),
        ("And the door", [("And", False), ("the", False), ("door", False)], ("And the door", 0)),
        ("今日は雨", [("今日", True), ("は", True), ("雨", False)], ("今日は雨", 3)),
        ("so be it", [("so", False), ("be", True), ("it", True)], ("so be it", 0)),
        ("", [("so", False)], ("so", 0)),
        ("", [], ("", 0)),
        ("words unknown", [], ("words unknown", 0)),
    ],
)
def test_live_text(transcript: str, words: list[tuple[str, bool]], shown: tuple[str, int]) -> None:
    events = tuple(WireWord(text, 0, 0, word_is_final=final) for text, final in words)
    assert live_text(Turn(0, False, transcript, events)) == shown


async def test_text_is_left_as_it_was_said() -> None:
    nasty = "[red]\x1b[31m[/etc/hosts] <b> \N{RIGHT-TO-LEFT OVERRIDE}"

    async def script(session: V3Session) -> None:
        await session.turn(0, [Said(nasty, 0, 100)])
        await session.turn(0, [Said(nasty, 0, 100)], end=True)
        await session.message("Terminate")

    events = await events_from(script, seconds=1)
    assert partials(events) == [(0, nasty)]
    assert finals(events)[0].text == nasty


# What is asked for.


async def test_every_setting_reaches_the_server() -> None:
    options: dict[str, Any] = {
        **{"speech_model": "universal-3-5-pro", "mode": "max_accuracy", "domain": "medical-v1", "format_turns": True},
        **{"min_turn_silence": 50, "max_turn_silence": 10_000, "end_of_turn_confidence_threshold": 0.5},
        **{"vad_threshold": 0.25, "turn_left_pad_ms": 10, "continuous_partials": False, "interruption_delay": 0},
        **{"include_partial_turns": True, "keyterms_prompt": ("Łódź", "a&b=c"), "prompt": "Tea? 100 %"},
        **{"agent_context": "Yes.", "previous_context_n_turns": 0, "language_codes": ("en", "de")},
        **{"language_detection": True, "speaker_labels": True, "max_speakers": 10},
        **{"speaker_labels_revision_interval_ms": 120_000, "voice_focus": "far-field", "voice_focus_threshold": 1.0},
        **{"filter_profanity": True, "redact_pii": True, "redact_pii_policies": ("person_name",)},
        **{"redact_pii_sub": "hash", "inactivity_timeout": 3600, "session_heartbeat": False},
        **{"acknowledge_silence": False, "llm_gateway": {"model": "m", "messages": [], "max_tokens": 1}},
        **{"webhook_url": "http://127.0.0.1/", "webhook_auth_header_name": "X", "webhook_auth_header_value": "y"},
        **{"customer_support_audio_capture": False},
    }
    assert set(options) == set(AssemblyAIOptions.__struct_fields__) - {"url", "region", "authorize"}
    async with connected(V3Server(), **options) as (_, session):
        got = dict(session.parameters)
        assert session.peer.asked.headers["assemblyai-version"] == "2025-05-12"
    got["llm_gateway"] = json.loads(got["llm_gateway"])
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
    assert got == wanted | {"sample_rate": 16000, "encoding": "pcm_s16le"}


async def test_what_is_not_set_is_not_sent() -> None:
    async with connected(V3Server(), speech_model=ENGLISH) as (_, session):
        assert session.parameters == {
            **{"sample_rate": 16000, "encoding": "pcm_s16le"},
            **{"speech_model": ENGLISH, "session_heartbeat": True},
        }


@pytest.mark.parametrize(
    "wrong",
    [
        *({"speech_modle": "x"}, {"min_turn_silence": 49}, {"vad_threshold": 1.1}, {"mode": "fast"}),
        *({"max_speakers": 0}, {"keyterms_prompt": ["x"] * 101}, {"speaker_labels": "yes"}, {"prompt": "x" * 1751}),
    ],
)
def test_settings_are_strict(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, AssemblyAIOptions)


def test_regions_and_urls() -> None:
    def at(**options: Any) -> str:
        return address(AssemblyAIOptions(**options), Request(), []).split("?")[0]

    assert at() == "wss://streaming.assemblyai.com/v3/ws"
    assert at(region="us") == "wss://streaming.us.assemblyai.com/v3/ws"
    assert at(region="eu") == "wss://streaming.eu.assemblyai.com/v3/ws"
    assert at(url="ws://localhost:8080") == "ws://localhost:8080/v3/ws"
    assert at(url="ws://localhost:8080/elsewhere?a=b") == "ws://localhost:8080/elsewhere"
    assert "a=b&" in address(AssemblyAIOptions(url="ws://x/y?a=b"), Request(), [])


async def test_language_and_key_terms_of_the_request() -> None:
    request = Request(language="de-AT", key_terms=("Wien", "x" * 51, "Graz"))
    options: dict[str, Any] = {"keyterms_prompt": ("Graz", "Linz")}
    async with connected(V3Server(silence), request, **options) as (connection, session):
        assert session.parameters["language_codes"] == ["de"]
        assert session.parameters["keyterms_prompt"] == ["Graz", "Linz", "Wien"]
        await connection.finish()
        events = [news async for news in connection]
    assert without_address(events)[0] == Notice("SERVER takes 3 of 4 key terms: 100 of at most 50 characters each")


async def test_a_model_knows_its_languages() -> None:
    engine = AssemblyAIEngine(AssemblyAIOptions(speech_model=ENGLISH), Path("unused"), KEY)
    assert await engine.check(Request(language="en-GB")) is None
    failure = await engine.check(Request(language="ja"))
    assert failure is not None
    assert "ja" in failure.what
    assert failure.code == ExitCode.ENGINE
    for model, language, known in (
        ("universal-3-6-pro", "ja", True),
        ("universal-3-6-pro", "pl", False),
        ("universal-3-5-pro", "ca", True),
        ("universal-3-5-pro", "ur", False),
        ("universal-3-5-pro", "ko", False),
        ("whisper-rt", "pl", True),
    ):
        engine = AssemblyAIEngine(AssemblyAIOptions(speech_model=model), Path("unused"), KEY)
        assert (await engine.check(Request(language=language)) is None) is known, (model, language)


@pytest.mark.parametrize(
    ("model", "codes", "part"),
    [
        ("universal-3-6-pro", ("en", "pl"), "does not know the language pl"),
        ("universal-streaming-multilingual", ("de",), "takes no language_codes"),
        ("universal-3-6-pro", ("en", "de"), None),
    ],
)
async def test_languages_of_the_settings_are_checked_before_the_server_ignores_them(
    model: str, codes: tuple[str, ...], part: str | None
) -> None:
    engine = AssemblyAIEngine(AssemblyAIOptions(speech_model=model, language_codes=codes), Path("unused"), KEY)
    failure = await engine.check(Request())
    assert (failure is None) if part is None else (failure is not None and part in failure.what)


async def test_orders() -> None:
    async with connected(V3Server(silence)) as (connection, session):
        await connection.update(Changes(key_terms=("kettle", "tea")))
        await connection.update(Changes())
        await connection.keep_alive()
        await connection.endpoint()
        await connection.finish()
        assert [news async for news in connection] == []
    assert session.orders == [
        {"type": "UpdateConfiguration", "keyterms_prompt": ["kettle", "tea"]},
        *({"type": kind} for kind in ("KeepAlive", "ForceEndpoint", "Terminate")),
    ]


async def test_an_endpoint_ends_the_turn() -> None:
    assemblyai = V3Server(Speech(KETTLE), fastest=None)
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        events = await recognize_all(engine_at(server), silent(2), endpoints=[ms(1000)])
    assert [final.text for final in finals(events)] == ["the kettle", "boils"]


# Keys.


@pytest.mark.parametrize("authorize", ["header", "token"])
async def test_the_key_is_shown_in_one_place(authorize: str) -> None:
    async with connected(V3Server(), authorize=authorize) as (_, session):
        asked = session.peer.asked
        shown = {"header": asked.headers.get("authorization"), "token": asked.query.get("token")}
    assert {where: key for where, key in shown.items() if key} == {authorize: KEY}


async def test_without_a_key_nothing_is_opened() -> None:
    engine = AssemblyAIEngine(AssemblyAIOptions(), Path("unused"))
    failure = await engine.check(Request())
    assert failure is not None
    assert failure.code == ExitCode.ENGINE
    assert "mictape login assemblyai" in failure.remedy
    assert "ASSEMBLYAI_API_KEY" in failure.remedy
    with pytest.raises(Lost) as lost:
        await engine.connect(Request())
    assert (lost.value.cause, lost.value.retry) == (failure, False)


@pytest.mark.parametrize("refusal", ["http", "close"])
@pytest.mark.parametrize("key", [None, "a-wrong-one"])
async def test_a_key_that_is_refused_is_not_tried_again(refusal: Any, key: str | None) -> None:
    assemblyai = V3Server(refusal=refusal)
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        with pytest.raises(Lost) as lost:
            await engine_at(server, key).connect(Request())
        await until_async(lambda: server.open == 0)
    assert lost.value.retry is False
    assert "mictape login assemblyai" in str(lost.value)
    assert ("needs an API key" in str(lost.value)) == (key is None)


async def test_a_server_of_ones_own_may_want_no_key() -> None:
    assemblyai = V3Server(key=None)
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        engine = engine_at(server, None)
        assert await engine.check(Request()) is None
        await (await engine.connect(Request())).close()
    assert "authorization" not in server.asked[0].headers
    assert engine.capabilities.billed is False
    assert engine.capabilities.offline is True


@pytest.mark.parametrize("authorize", ["header", "token"])
async def test_the_key_is_in_no_log_and_no_error(authorize: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assemblyai = V3Server()
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        engine = engine_at(server, authorize=authorize)
        await (await engine.connect(Request())).close()
        with pytest.raises(Lost) as lost:
            await engine_at(server, KEY, authorize=authorize, url="ws://127.0.0.1:1").connect(Request())
        reported = caplog.text + repr(engine) + repr(lost.value) + str(lost.value.cause)
    client = [line for line in reported.splitlines() if "websockets.server" not in line and " server.py" not in line]
    assert KEY not in "\n".join(client)


# How a connection begins and ends.


async def test_another_model_than_asked_for_is_reported() -> None:
    assemblyai = V3Server(silence, model=ENGLISH)
    async with connected(assemblyai) as (connection, _):
        await connection.finish()
        events = [news async for news in connection]
    assert without_address(events) == [Notice(f"SERVER uses the model {ENGLISH} instead of universal-3-6-pro")]


async def test_warnings_are_reported_and_the_connection_goes_on() -> None:
    async def script(session: V3Session) -> None:
        await session.say("Warning", warning_code=4200, warning="Slow down")
        await session.say("LLMGatewayResponse", turn_order=0, transcript="x", data={})
        await session.message("Terminate")

    events = await events_from(script, seconds=1)
    assert without_address(events) == [Notice("SERVER: Slow down"), Answered(RATE)]


@pytest.mark.parametrize(
    ("code", "text", "retry", "after"),
    [
        (1008, "Not authorized", False, 0),
        (1008, "Too many concurrent sessions", True, 15),
        (1008, "Account related issue: insufficient account balance", False, 0),
        (1008, "Account temporarily disabled", False, 0),
        (1009, "Message too big", False, 0),
        (1011, "Internal error", True, 0),
        (1013, "Temporary server condition", True, 5),
        (3005, "Session Cancelled: An error occurred", True, 0),
        (3005, "Too many concurrent sessions", True, 15),
        (3005, "Invalid Message Type", False, 0),
        (3006, "Invalid Message Type: nonsense", False, 0),
        (3006, "Session closed due to inactivity", True, 0),
        (3007, "Input duration violation: 20 ms. Expected between 50 and 1000 ms", True, 1),
        (3007, "Audio Transmission Rate Exceeded", True, 1),
        (3008, "Session expired: maximum session duration exceeded", True, 0),
        (3009, "Too many concurrent sessions", True, 15),
        (4001, "Not Authorized", False, 0),
        (4008, "Session Expired", True, 0),
        (4999, "Nobody knows " + "this one " * 30, True, 0),
    ],
)
async def test_what_the_error_message_says_wins(code: int, text: str, retry: bool, after: float) -> None:
    lost = await lost_to(lambda session: session.fail(code, text))
    assert (lost.retry, lost.after) == (retry, after)
    assert f"{code} {text.strip()}" in lost.cause.what
    assert lost.cause.code == ExitCode.ENGINE


async def test_an_error_without_a_code_waits_for_the_close_frame() -> None:
    async def script(session: V3Session) -> None:
        await session.peer.send({"error": "The words before the code"})
        await session.peer.close(4002, "other words")

    lost = await lost_to(script)
    assert lost.retry is False
    assert "4002 The words before the code" in lost.cause.what


async def test_an_error_is_an_end_even_when_no_close_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSE_S", 0.05)

    async def script(session: V3Session) -> None:
        await session.peer.send({"type": "Error", "error": "Something happened"})
        await session.peer.wait_closed()

    assert "Something happened" in (await lost_to(script)).cause.what


async def close_clean(session: V3Session) -> None:
    await session.peer.close()


async def drop(session: V3Session) -> None:
    session.peer.drop()


@pytest.mark.parametrize("script", [close_clean, drop])
async def test_every_other_end_in_mid_stream_is_a_loss(script: Script) -> None:
    assert (await lost_to(script)).retry is True


async def test_an_error_after_terminate_is_a_loss_too() -> None:
    async def script(session: V3Session) -> None:
        await session.message("Terminate")
        await session.fail(3005, "Session Cancelled")

    with pytest.raises(Lost, match="Session Cancelled"):
        await events_from(script, seconds=1)


async def test_an_error_without_a_code_after_terminate_is_one_even_when_the_close_is_clean() -> None:
    async def script(session: V3Session) -> None:
        await session.message("Terminate")
        await session.peer.send({"error": "All is lost"})
        await session.peer.close()

    with pytest.raises(Lost, match="All is lost"):
        await events_from(script, seconds=1)


async def test_termination_is_the_end_whether_or_not_the_server_closes() -> None:
    async def script(session: V3Session) -> None:
        await session.message("Terminate")
        await session.say("Termination")
        await session.peer.wait_closed()

    async with asyncio.timeout(5):  # less than the ten seconds after which a server is too late
        assert await events_from(script, seconds=1) == [Answered(RATE)]


async def test_only_termination_answers_for_everything() -> None:
    async def script(session: V3Session) -> None:
        await session.received_ms(2900)
        await session.turn(0, KETTLE.words, end=True)
        await session.message("Terminate")
        await session.peer.close()

    assert answered(await events_from(script, seconds=3)) == [ms(1300)]


async def test_a_message_of_another_shape_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    async def script(session: V3Session) -> None:
        await session.say("Tomorrow", what="nobody knows yet")
        await session.say("Turn", turn_order=0, end_of_turn=True, words=[])  # without a transcript
        await session.say("Heartbeat", total_audio_received_ms="many")
        await session.peer.send("[]")
        await session.turn(0, KETTLE.words, end=True)
        await session.message("Terminate")

    events = await events_from(script, seconds=1)
    assert [type(news) for news in events] == [FinalTurn, Answered]
    assert "transcript" in caplog.text


@pytest.mark.parametrize("garbage", ["{", b"\x80\x81\x82", "", '{"type":"Turn"', '{"of":' + "[" * 100_000])
async def test_what_is_no_message_ends_the_connection(garbage: str | bytes) -> None:
    async def script(session: V3Session) -> None:
        await session.peer.send(garbage)
        await session.peer.wait_closed()

    lost = await lost_to(script)
    assert "no message" in lost.cause.what


async def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "OPEN_S", 0.3)
    monkeypatch.setattr(remote, "OWN_SERVER_S", 0.3)

    async def mute(peer: Peer) -> None:
        await peer.wait_closed()

    async with serve(mute) as server:
        with pytest.raises(Lost, match="says nothing"):
            await engine_at(server).connect(Request())


async def test_secured_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    assemblyai = V3Server(silence)
    async with serve(assemblyai, admit=assemblyai.admit, tls=True) as server:
        with pytest.raises(Lost, match=f"certificate of {ADDRESS} is not accepted: self-signed certificate"):
            await engine_at(server).connect(Request())
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert await recognize_all(engine_at(server), b"") == []


# The server, and clients that are wrong.

ASK: Final = f"/v3/ws?sample_rate=16000&token={KEY}"


async def ended_with(path: str, *frames: str | bytes, **options: Any) -> tuple[int, str]:
    """Code and text that a client is turned away with which sends these frames."""
    assemblyai = V3Server(**options)
    said: dict[str, Any] = {}
    async with serve(assemblyai, admit=assemblyai.admit) as server, connect(server.url + path) as client:
        with pytest.raises(ConnectionClosedError) as closed:
            for frame in frames:
                await client.send(frame)
            async with asyncio.timeout(TIMEOUT_S):
                while said.get("type") != "Error":
                    said = json.loads(await client.recv())
                await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == said["error_code"]
    assert server.violations == [f"{said['error_code']} {said['error']}"]
    return said["error_code"], said["error"]


@pytest.mark.parametrize(
    ("path", "frames", "code", "words"),
    [
        (ASK, [bytes(640)], 3007, "20 ms"),
        (ASK, [bytes(2 * 16001)], 3007, "duration violation"),
        (ASK, [bytes((128 << 10) + 2)], 1009, "too big"),
        (ASK, ["{"], 3006, "Invalid JSON"),
        (ASK, ["[]"], 3006, "Invalid Message"),
        (ASK, ['{"type":"Stop"}'], 3006, "Invalid Message"),
        (ASK, ['{"type":"Terminate","now":true}'], 3006, "Invalid Message"),
        (ASK, ['{"type":"UpdateConfiguration"}'], 3006, "Invalid Message"),
        (ASK, ['{"type":"UpdateConfiguration","sample_rate":8000}'], 3006, "Invalid Message"),
        (ASK, ['{"type":"UpdateConfiguration","vad_threshold":7}'], 3006, "vad_threshold"),
        (ASK + "&speech_modle=x", [], 3006, "speech_modle"),
        (ASK + "&speaker_labels=perhaps", [], 3006, "speaker_labels"),
        (ASK + "&keyterms_prompt=[%22" + "x" * 51 + "%22]", [], 3006, "keyterms_prompt"),
        (f"/v3/ws?token={KEY}", [], 3006, "sample_rate"),
        (ASK, [bytes(32000)] * 7, 3007, "Rate Exceeded"),
    ],
)
async def test_a_client_that_is_wrong_is_reported_and_closed(
    path: str, frames: list[str | bytes], code: int, words: str
) -> None:
    ended = await ended_with(path, *frames)
    assert ended[0] == code
    assert words in ended[1]


async def test_nothing_may_come_after_terminate() -> None:
    async def slow(session: V3Session) -> None:
        await session.message("Terminate")
        await session.receive()

    ended = await ended_with(ASK, '{"type":"Terminate"}', bytes(3200), script=slow)
    assert ended == (3006, "Nothing may come after Terminate")


def test_values_may_be_written_as_the_vendors_clients_do() -> None:
    assert [value_of("format_turns", value) for value in ("True", "true", "False", False)] == [True, True, False, False]
    assert value_of("keyterms_prompt", '["a", "b"]') == value_of("keyterms_prompt", ["a", "b"]) == ["a", "b"]


def test_the_key_comes_raw_and_the_path_is_the_protocols() -> None:
    assemblyai = V3Server()
    assert assemblyai.admit(Asked("/v3/ws", {}, {"authorization": KEY})) is None
    assert assemblyai.admit(Asked("/v3/ws", {}, {"authorization": f"Bearer {KEY}"})) is not None
    assert assemblyai.admit(Asked("/v2/ws", {}, {"authorization": KEY})) is not None


def test_the_engine_says_what_it_can() -> None:
    engine = AssemblyAIEngine(AssemblyAIOptions(), Path("unused"), KEY)
    assert engine.url.startswith("wss://")
    assert engine.title == "assemblyai · universal-3-6-pro"
    assert engine.capabilities.billed
    assert engine.capabilities.usd_per_hour == 0.45
    assert engine.capabilities.connections_per_minute == 5
    assert not engine.capabilities.offline
    assert not engine.capabilities.speakers


@pytest.mark.parametrize(
    ("text", "part", "needs_key"),
    [
        ("Not authorized", "does not accept the key", True),
        ("insufficient account balance", "has no funds", False),
        ("account temporarily disabled", "has disabled the account", False),
    ],
)
async def test_a_bad_key_is_not_an_account_in_trouble(text: str, part: str, needs_key: bool) -> None:
    lost = await lost_to(lambda session: session.fail(1008, text))
    assert part in lost.cause.what
    assert lost.cause.needs_key is needs_key


async def test_a_temporary_token_that_is_used_up_is_no_bad_key() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.close(1008, "Not authorized")

    async with serve(refuse) as server:
        with pytest.raises(Lost, match="temporary token: it opens one connection") as lost:
            await engine_at(server, authorize="token").connect(Request())
    assert not lost.value.cause.needs_key, "another key would not help"


async def test_a_server_of_one_s_own_may_have_other_models() -> None:
    lost = await lost_to(lambda session: session.fail(3006, "Unknown model"))
    assert "universal-3-5-pro" in lost.cause.remedy


async def test_a_language_that_the_model_does_not_know_is_refused_beforehand() -> None:
    engine = AssemblyAIEngine(AssemblyAIOptions(), Path("unused"), "k" * 32)
    failure = await engine.check(Request("pl"))
    assert failure is not None
    assert "does not know the language pl" in failure.what
    assert await engine.check(Request("zh-TW")) is None
