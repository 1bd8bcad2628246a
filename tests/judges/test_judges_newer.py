"""Independent judges: the SDKs of Soniox, ElevenLabs, Mistral and OpenAI against the conformance servers.

Each in an environment of its own. Each sends speech, silence and speech, and prints what its models made of the
answers; the servers' own rules judge what it sent.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from servers.base import serve
from servers.elevenlabs import KEY as ELEVENLABS_KEY
from servers.elevenlabs import ScribeServer
from servers.mistral import KEY as MISTRAL_KEY
from servers.mistral import VoxtralServer
from servers.openai_http import KEY as HTTP_KEY
from servers.openai_http import transcription_server
from servers.soniox import KEY as SONIOX_KEY
from servers.soniox import SonioxServer
from support.judges import environment_with, judged

pytestmark = pytest.mark.proof

TWO: Final = ("Please water the plants.", "Thank you.")

SOUND: Final = """
import asyncio, base64, io, json, sys, wave
speech, silence = b"\\1\\0" * 1600, bytes(3200)
blocks = [*[speech] * 10, *[silence] * 10, *[speech] * 6]
def say(kind, fields):
    print(json.dumps([kind, fields]))
"""

SONIOX: Final = (
    SOUND
    + """
from soniox.realtime import async_stt
from soniox.types.realtime import RealtimeSTTConfig
url, key = sys.argv[1:]
config = RealtimeSTTConfig(
    model="stt-rt-v5", audio_format="pcm_s16le", sample_rate=16000, num_channels=1, language_hints=["en"],
    enable_endpoint_detection=True, enable_speaker_diarization=True, context={"terms": ["Mictape"]},
)
async def main():
    made = next(each for name, each in vars(async_stt).items() if name.endswith("STTSession"))
    session = made(url, config, key)
    async with session:
        for block in blocks:
            await session.send_byte_chunk(block)
        await session.keep_alive()
        await session.finalize()
        await session.finish()
        async for event in session.receive_events():
            say(type(event).__name__, event.model_dump(mode="json"))
asyncio.run(main())
"""
)

ELEVENLABS: Final = (
    SOUND
    + """
from elevenlabs.realtime.scribe import AudioFormat, CommitStrategy, ScribeRealtime
from elevenlabs.realtime.connection import RealtimeEvents
url, key = sys.argv[1:]
async def main():
    over = asyncio.Event()
    count = 0
    connection = await ScribeRealtime(key, url).connect({
        "model_id": "scribe_v2_realtime", "audio_format": AudioFormat.PCM_16000, "sample_rate": 16000,
        "commit_strategy": CommitStrategy.MANUAL, "include_timestamps": True, "keyterms": ["Mictape"],
    })
    def timed(data):
        nonlocal count
        count += 1
        say("timed", data)
        if count == 2:
            over.set()
    connection.on(RealtimeEvents.SESSION_STARTED, lambda data: say("started", data))
    connection.on(RealtimeEvents.COMMITTED_TRANSCRIPT, lambda data: say("committed", data))
    connection.on(RealtimeEvents.COMMITTED_TRANSCRIPT_WITH_TIMESTAMPS, timed)
    connection.on(RealtimeEvents.ERROR, lambda data: say("error", data))
    for at, block in enumerate(blocks):
        await connection.send({"audio_base_64": base64.b64encode(block).decode()})
        if at in (15, len(blocks) - 1):
            await connection.commit()
    await over.wait()
    await connection.close()
asyncio.run(main())
"""
)

MISTRAL: Final = (
    SOUND
    + """
from mistralai.client import Mistral
from mistralai.client.models import AudioFormat
url, key = sys.argv[1:]
async def main():
    client = Mistral(api_key=key, server_url=url)
    connection = await client.audio.realtime.connect(
        model="voxtral-mini-transcribe-realtime-latest",
        audio_format=AudioFormat(encoding="pcm_s16le", sample_rate=16000),
    )
    async with connection:
        await connection.update_session(
            language="en", turn_detection={"start_threshold": 0.5, "end_threshold": 0.33, "min_silence_ms": 500}
        )
        for block in blocks:
            await connection.send_audio(block)
        await connection.flush_audio()
        await connection.end_audio()
        async for event in connection:
            say(type(event).__name__, event.model_dump(mode="json"))
asyncio.run(main())
"""
)

OPENAI: Final = (
    SOUND
    + """
from openai import OpenAI
url, key = sys.argv[1:]
file = io.BytesIO()
with wave.open(file, "wb") as out:
    out.setparams((1, 2, 16000, 0, "NONE", ""))
    out.writeframes(b"".join(blocks))
client = OpenAI(api_key=key, base_url=url)
say("models", client.models.list().model_dump(mode="json"))
for more in ({"response_format": "json"}, {"response_format": "verbose_json", "timestamp_granularities": ["word"]}):
    answer = client.audio.transcriptions.create(
        model="whisper-1", file=("utterance.wav", file.getvalue(), "audio/wav"), language="en", prompt="Mictape", **more
    )
    say(type(answer).__name__, answer.model_dump(mode="json"))
"""
)


def environment(package: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(package, tmp_path_factory.mktemp("judge") / "venv")


def kinds(reported: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [kind for kind, _ in reported]


async def test_soniox(tmp_path_factory: pytest.TempPathFactory) -> None:
    python = environment("soniox==2.10.0", tmp_path_factory)
    soniox = SonioxServer(TWO)
    async with serve(soniox, admit=soniox.admit) as server:
        reported = await judged(python, SONIOX, f"{server.url}/transcribe-websocket", SONIOX_KEY)
    assert server.violations == []
    tokens = [token for _, event in reported for token in event["tokens"] if token["is_final"]]
    assert (
        "".join(token["text"] for token in tokens if not token["text"].startswith("<")).split() == " ".join(TWO).split()
    )
    assert [token["text"] for token in tokens if token["text"].startswith("<")] == ["<end>", "<fin>"]
    assert reported[-1][1]["finished"]


async def test_elevenlabs(tmp_path_factory: pytest.TempPathFactory) -> None:
    python = environment("elevenlabs==2.78.0", tmp_path_factory)
    scribe = ScribeServer(TWO)
    async with serve(scribe, admit=scribe.admit) as server:
        reported = await judged(python, ELEVENLABS, server.url, ELEVENLABS_KEY)
    assert server.violations == []
    assert kinds(reported) == ["started", "committed", "timed", "committed", "timed"]
    assert [data["text"] for kind, data in reported if kind == "timed"] == list(TWO)


async def test_mistral(tmp_path_factory: pytest.TempPathFactory) -> None:
    python = environment("mistralai[realtime]==3.7.0", tmp_path_factory)
    voxtral = VoxtralServer(TWO)
    async with serve(voxtral, admit=voxtral.admit) as server:
        reported = await judged(python, MISTRAL, server.url.replace("ws:", "http:"), MISTRAL_KEY)
    assert "UnknownRealtimeEvent" not in kinds(reported), reported
    assert kinds(reported)[-1] == "TranscriptionStreamDone"
    deltas = "".join(event["text"] for kind, event in reported if kind == "TranscriptionStreamTextDelta")
    assert deltas.split() == " ".join(TWO).split()
    assert "TurnDetectionEndEvent" in kinds(reported)


async def test_openai_http(tmp_path_factory: pytest.TempPathFactory) -> None:
    python = environment("openai==3.57.0", tmp_path_factory)
    with transcription_server(TWO) as server:
        reported = await judged(python, OPENAI, server.url, HTTP_KEY)
    assert server.violations == []
    assert kinds(reported)[1:] == ["Transcription", "TranscriptionVerbose"]
    assert [event["text"].strip() for _, event in reported[1:]] == list(TWO)
