"""An independent judge: OpenAI's own SDK against the conformance server, in an environment of its own.

The SDK takes messages as they come, so the judge holds each against the SDK's model of its type. What the SDK sends,
the server's rules judge: both have to agree on the protocol.
"""

from pathlib import Path
from typing import Final

import pytest

from servers.openai import KEY, OpenAIServer, Utterance, openai_server
from support.judges import environment_with, judged

PACKAGE: Final = "openai[realtime]==3.57.0"
"""In an environment of its own because the extra keeps websockets below 16."""

JUDGE: Final = """
import asyncio, base64, json, sys
from openai import AsyncOpenAI
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

url, key, detection = sys.argv[1:]
model = "gpt-transcribe" if detection == "vad" else "gpt-live-transcribe"
events = TypeAdapter(RealtimeServerEvent)
speech, silence = b"\\1\\0" * 2400, bytes(4800)
session = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": {"type": "near_field"},
            "transcription": {"model": model, "languages": ["en"], "keywords": ["kettle"]},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 400} if detection == "vad" else None,
        }
    },
    "include": ["item.input_audio_transcription.logprobs"],
}

async def main():
    client = AsyncOpenAI(api_key=key, base_url=url)
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        await connection.session.update(session=session)
        for block in (silence * 5, *[speech] * 5, *[silence] * 8, *[speech] * 3):
            await connection.input_audio_buffer.append(audio=base64.b64encode(block).decode())
        await connection.input_audio_buffer.commit()
        await connection.input_audio_buffer.commit()
        await connection.input_audio_buffer.clear()
        async for event in connection:
            message = event.to_dict()
            complete = events.validate_python(message)  # raises for what is missing or of another type
            print(json.dumps([type(complete).__name__, message]))
            if event.type == "input_audio_buffer.cleared":
                break

asyncio.run(main())
"""

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the SDK."""
    return environment_with(PACKAGE, tmp_path_factory.mktemp("judge") / "venv")


def place_of(server: OpenAIServer) -> str:
    """Where the SDK looks for it."""
    return server.url.replace("ws:", "http:").removesuffix("/realtime")


SCRIPT: Final = [
    Utterance("Please water them.", deltas=("please", " water"), languages=("en",)),
    Utterance(failed={"type": "server_error", "code": "busy", "message": "too much to do"}),
]


async def test_the_sdk_and_the_server_understand_each_other(python: Path) -> None:
    async with openai_server(SCRIPT) as server:
        reported = await judged(python, JUDGE, place_of(server), KEY, "vad")
    assert server.violations == []
    transcription = "ConversationItemInputAudioTranscription"
    assert [kind for kind, _ in reported] == [
        "SessionCreatedEvent",
        "SessionUpdatedEvent",
        "InputAudioBufferSpeechStartedEvent",
        "InputAudioBufferSpeechStoppedEvent",
        "InputAudioBufferCommittedEvent",
        "ConversationItemAdded",
        f"{transcription}DeltaEvent",
        f"{transcription}DeltaEvent",
        f"{transcription}CompletedEvent",
        "InputAudioBufferSpeechStartedEvent",
        "InputAudioBufferCommittedEvent",
        "ConversationItemAdded",
        f"{transcription}FailedEvent",
        "RealtimeErrorEvent",  # the second commit
        "InputAudioBufferClearedEvent",
    ]
    said = [message["transcript"] for _, message in reported if "transcript" in message]
    assert said == ["Please water them."]


async def test_the_sdk_ends_utterances_itself(python: Path) -> None:
    async with openai_server(SCRIPT) as server:
        reported = await judged(python, JUDGE, place_of(server), KEY, "none")
    assert server.violations == []
    assert [end - start for start, end in server.talks[0].items] == [24 * 2100]
    assert not [kind for kind, _ in reported if "Speech" in kind]


async def test_what_the_service_refuses_of_its_default_model_the_server_refuses_in_its_words(python: Path) -> None:
    chosen = 'model = "gpt-transcribe" if detection == "vad" else "gpt-live-transcribe"'
    script = JUDGE.replace(chosen, 'model = "gpt-live-transcribe"').replace('"input_audio_buffer.cleared"', '"error"')
    async with openai_server(SCRIPT) as server:
        reported = await judged(python, script, place_of(server), KEY, "vad")
    (error,) = (message["error"] for kind, message in reported if kind == "RealtimeErrorEvent")
    assert error["message"] == "Turn detection is not supported for this transcription model"
