"""An independent judge: Deepgram's own SDK against the conformance server, in an environment of its own.

The SDK reads messages without looking whether they are complete, so the judge holds each against its model again.
What the SDK sends, the server's rules judge: both have to agree on the protocol.
"""

from pathlib import Path
from typing import Final

import pytest

from servers.base import serve
from servers.deepgram import KEY, FluxServer, Segment, Spoken, Turn, V1Server
from support.judges import environment_with, judged

PACKAGE: Final = "deepgram-sdk==7.17.0"

WORDS: Final = (Spoken("Please", 0.25, 0.5, speaker=0), Spoken("water.", 0.625, 0.875, speaker=0))

COMMON: Final = """
import json, sys
from deepgram import DeepgramClient
from deepgram.environment import DeepgramClientEnvironment

url, key = sys.argv[1:]
places = dict.fromkeys(DeepgramClientEnvironment.PRODUCTION.__dict__, url)
client = DeepgramClient(api_key=key, environment=DeepgramClientEnvironment(**places))

def told(connection):
    for message in connection:
        complete = type(message).model_validate(message.dict())  # raises for what is missing or of another type
        print(json.dumps([type(message).__name__, complete.dict()], default=str))
"""

V1: Final = """
settings = dict(model="nova-3", encoding="linear16", sample_rate=16000, channels=1, interim_results="true")
with client.listen.v1.connect(**settings, utterance_end_ms=1000, keyterm=["one", "two"]) as connection:
    for number in range(40):
        connection.send_media(bytes(3200))
        if number == 20:
            connection.send_keep_alive()
            connection.send_finalize()
            from deepgram.listen.v1.types import ListenV1Configure
            connection.send_configure(ListenV1Configure(keyterms=["three"]))
    connection.send_close_stream()
    told(connection)
"""

FLUX: Final = """
with client.listen.v2.connect(model="flux-general-en", encoding="linear16", sample_rate=16000) as connection:
    for number in range(40):
        connection.send_media(bytes(2560))
        if number == 20:
            connection.send_force_end_turn()
            connection.send_configure({"type": "Configure", "keyterms": ["three"]})
    connection.send_close_stream()
    told(connection)
"""

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the SDK."""
    return environment_with(PACKAGE, tmp_path_factory.mktemp("judge") / "venv")


async def test_the_sdk_and_the_v1_server_understand_each_other(python: Path) -> None:
    again = Segment(3.0, Spoken("Again.", 2.25, 2.5), ends="UtteranceEnd")
    deepgram = V1Server(Segment(1.0, *WORDS, ends="speech_final"), again, Segment(9.0, Spoken("End.", 3.25, 3.5)))
    async with serve(deepgram, admit=deepgram.admit) as server:
        reported = await judged(python, COMMON + V1, server.url, KEY)
    assert server.violations == []
    assert [value for name, value in deepgram.query if name == "keyterm"] == ["one", "two"]
    assert [order["type"] for order in deepgram.orders] == ["KeepAlive", "Finalize", "Configure", "CloseStream"]
    final = [
        message["channel"]["alternatives"][0]["transcript"]
        for kind, message in reported
        if kind == "ListenV1Results" and message["is_final"]
    ]
    assert [text for text in final if text] == ["Please water.", "Again.", "End."]
    assert {kind for kind, _ in reported} == {
        *("ListenV1Results", "ListenV1UtteranceEnd", "ListenV1ConfigureSuccess", "ListenV1Metadata"),
    }
    assert reported[-1][0] == "ListenV1Metadata"


async def test_the_sdk_and_the_flux_server_understand_each_other(python: Path) -> None:
    deepgram = FluxServer(Turn(1.25, *WORDS, eager=True), Turn(9.0, Spoken("Again.", 1.3, 1.5), Spoken("End.", 2, 3)))
    async with serve(deepgram, admit=deepgram.admit) as server:
        reported = await judged(python, COMMON + FLUX, server.url, KEY)
    assert server.violations == []
    assert [order["type"] for order in deepgram.orders] == ["ForceEndTurn", "Configure", "CloseStream"]
    assert reported[0][0] == "ListenV2Connected"
    assert {kind for kind, _ in reported[1:]} == {"ListenV2TurnInfo", "ListenV2ConfigureSuccess"}
    turns = [(message["event"], message["transcript"]) for _, message in reported if "event" in message]
    assert [text for event, text in turns if event == "EndOfTurn"] == ["Please water.", "Again."]
    assert turns[-1] == ("Update", "End.")
    assert ("EagerEndOfTurn", "Please water.") in turns
    assert [message["sequence_id"] for _, message in reported] == list(range(len(reported)))
