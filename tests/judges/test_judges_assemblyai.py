"""Independent judges: AssemblyAI's own SDKs against the conformance servers, each in an environment of its own.

The SDK of v3 checks every message against its models, in a thread that a malformed one kills without a word: hence
`threading.excepthook`. What the SDKs send, the servers' rules judge: both have to agree on the protocol.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from servers.assemblyai import KEY, Said, Speech, Utterance, V3Server, V3Session
from servers.assemblyai_v2 import V2Server
from servers.base import Server, serve
from support.judges import environment_with, judged

CURRENT: Final = "assemblyai==1.8.2"
LAST_WITH_V2: Final = "assemblyai==0.63.0"

KETTLE: Final = Utterance(
    Said("the", 300, 400), Said("kettle", 450, 800), Said("boils", 900, 1300), formatted="The kettle boils."
)
DOOR: Final = Utterance(Said("the", 2300, 2400), Said("door", 2450, 2800), formatted="The door.", speaker="B")

V3: Final = """
import json, sys, threading, time
from assemblyai.streaming.v3 import (
    RealTimeEvents, RealTimeParameters, RealTimeSessionParameters, RealTimeTranscriber, RealTimeTranscriberOptions
)

def tell(kind, **fields):
    print(json.dumps([kind, fields], default=str), flush=True)

threading.excepthook = lambda args: tell("EXCEPTION", what=repr(args.exc_value))
url, key, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = RealTimeTranscriber(RealTimeTranscriberOptions(api_key=key, api_host=url, connect_timeout=10))
for event in RealTimeEvents:
    client.on(event, lambda _, said: tell(type(said).__name__, code=getattr(said, "code", None), said=str(said)) if
              isinstance(said, Exception) else tell(type(said).__name__, **said.model_dump()))
client.connect(RealTimeParameters(sample_rate=16000, **settings))
if client._websocket:
    for number in range(40):
        client.stream(bytes(3200))
        if number == 3:
            client.set_params(RealTimeSessionParameters(keyterms_prompt=["tea"], min_turn_silence=500))
            client.keep_alive()
    client.force_endpoint()
    client.disconnect(terminate=True)
tell("DONE")
"""

V2: Final = """
import json, os, sys, threading
import assemblyai

def tell(kind, **fields):
    print(json.dumps([kind, fields], default=str), flush=True)

threading.excepthook = lambda args: tell("EXCEPTION", what=repr(args.exc_value))
failed = threading.Semaphore(0)
url, key, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
assemblyai.settings.base_url, assemblyai.settings.api_key = url, key
transcriber = assemblyai.RealtimeTranscriber(
    sample_rate=16000,
    on_open=lambda said: tell(type(said).__name__, **said.dict()),
    on_data=lambda said: tell(type(said).__name__, **said.dict()),
    on_error=lambda said: (tell(type(said).__name__, said=str(said)), failed.release()),
    on_extra_session_information=lambda said: tell(type(said).__name__, **said.dict()),
    **settings,
)
transcriber.connect()
for number in range(20):
    transcriber.stream(bytes(6400))
"""

V2_TO_THE_END: Final = """
transcriber.force_end_utterance()
transcriber.close()
tell("DONE")
"""

V2_TO_THE_ERROR: Final = """
failed.acquire(timeout=20)
failed.acquire(timeout=20)
tell("DONE")
os._exit(0)  # a session that failed never lets its threads end
"""

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(CURRENT, tmp_path_factory.mktemp("judge") / "venv")


@pytest.fixture(scope="module")
def last_with_v2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(LAST_WITH_V2, tmp_path_factory.mktemp("judge") / "venv")


async def reported_to(
    python: Path, script: str, server: Server, settings: dict[str, Any], key: str = KEY
) -> list[tuple[str, dict[str, Any]]]:
    """What the SDK has made of everything the server said: type and fields, `EXCEPTION` where it broke."""
    reported = await judged(python, script, server.url, key, json.dumps(settings))
    assert reported[-1][0] == "DONE"
    return reported[:-1]


def texts(reported: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, str]]:
    """Number and text of each ended turn."""
    return [(said["turn_order"], said["transcript"]) for _, said in reported if said.get("end_of_turn")]


@pytest.mark.parametrize("tls", [False, True])
async def test_a_universal_streaming_session(current: Path, tls: bool) -> None:
    assemblyai = V3Server(Speech(KETTLE, DOOR, heartbeat_ms=1000))
    settings = {"speech_model": "universal-streaming-english", "format_turns": True, "session_heartbeat": True}
    async with serve(assemblyai, admit=assemblyai.admit, tls=tls) as server:
        reported = await reported_to(current, V3, server, settings)
    assert server.violations == []
    assert texts(reported) == [(0, "the kettle boils"), (0, "The kettle boils."), (1, "the door"), (1, "The door.")]
    kinds = [kind for kind, _ in reported]
    assert kinds[0] == "BeginEvent"
    assert kinds[-1] == "TerminationEvent"
    assert kinds.count("HeartbeatEvent") == 4
    assert set(kinds[1:-1]) == {"TurnEvent", "HeartbeatEvent"}
    orders = assemblyai.sessions[0].orders
    assert [order["type"] for order in orders] == ["UpdateConfiguration", "KeepAlive", "ForceEndpoint", "Terminate"]


async def test_a_pro_session_with_everything_that_is_said(current: Path) -> None:
    async def script(session: V3Session) -> None:
        await session.say("Warning", warning_code=4200, warning="Take care")
        await session.say("LLMGatewayResponse", turn_order=0, transcript="x", data={"choices": []})
        await Speech(KETTLE, DOOR)(session)
        await session.say("SpeakerRevision", revisions=[{"turn_order": 0, "speaker_label": "A", "words": []}])

    assemblyai = V3Server(script)
    settings = {"speech_model": "universal-3-6-pro", "speaker_labels": True, "acknowledge_silence": True}
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        reported = await reported_to(current, V3, server, settings)
    assert server.violations == []
    assert texts(reported) == [(0, "The kettle boils."), (1, "The door.")]
    assert [said["speaker_label"] for _, said in reported if said.get("end_of_turn")] == ["PENDING", "B"]
    assert {kind for kind, _ in reported} == {
        *("BeginEvent", "WarningEvent", "LLMGatewayResponseEvent", "SpeechStartedEvent", "TurnEvent"),
        *("SilenceEvent", "SpeakerRevisionEvent", "TerminationEvent"),
    }


async def test_an_error_is_understood_as_one(current: Path) -> None:
    assemblyai = V3Server(lambda session: session.fail(3008, "Session expired"))
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        reported = await reported_to(current, V3, server, {})
    assert [(kind, said.get("code")) for kind, said in reported] == [("BeginEvent", None), ("RealTimeError", 3008)]


async def test_a_wrong_key_is_refused(current: Path) -> None:
    assemblyai = V3Server()
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        reported = await reported_to(current, V3, server, {}, key="wrong")
    assert [(kind, said["code"]) for kind, said in reported] == [("RealTimeError", 401)]


async def test_the_judge_sees_a_message_that_is_malformed(current: Path) -> None:
    async def script(session: V3Session) -> None:
        await session.say("Turn", turn_order=0)
        await session.message("Terminate")

    assemblyai = V3Server(script)
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        reported = await reported_to(current, V3, server, {})
    assert "EXCEPTION" in [kind for kind, _ in reported]


async def test_a_v2_session(last_with_v2: Path) -> None:
    assemblyai = V2Server((KETTLE, DOOR))
    settings = {"word_boost": ["kettle"], "end_utterance_silence_threshold": 500}
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        reported = await reported_to(last_with_v2, V2 + V2_TO_THE_END, server, settings)
    assert server.violations == []
    finals = [said["text"] for kind, said in reported if kind == "RealtimeFinalTranscript"]
    assert finals == ["The kettle boils.", "The door."]
    assert {kind for kind, _ in reported} == {
        *("RealtimeSessionOpened", "RealtimePartialTranscript", "RealtimeFinalTranscript"),
        "RealtimeSessionInformation",
    }
    (session,) = assemblyai.sessions
    assert set(session.framed) == {bytes}


async def test_a_v2_session_that_expires(last_with_v2: Path) -> None:
    assemblyai = V2Server(last="4008 The words of the message")
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        reported = await reported_to(last_with_v2, V2 + V2_TO_THE_ERROR, server, {})
    errors = [said["said"] for kind, said in reported if kind == "RealtimeError"]
    assert errors[0] == "The words of the message"
    assert set(errors[1:]) == {"Session Expired"}  # the SDK's own words, by the code, from one thread or both
