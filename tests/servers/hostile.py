"""A server that is hostile: whatever protocol a client speaks, it is answered with what no server should say.

It accepts every upgrade and every frame. What it says depends on the attack and on the words of the client's protocol,
so that the hostile part is reached and not a first check before it.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from websockets.exceptions import ConnectionClosed

from servers.base import Peer, Refusal, Server, serve

Message = Mapping[str, Any]
HUGE: Final = 64 << 20
NESTED: Final = 200_000


@dataclass(frozen=True)
class Speech:
    """How an engine's servers greet, and say a partial and a final of words with times in seconds."""

    greeting: tuple[Message, ...]
    partial: Callable[[int, str, float, float], Message]
    """Of turn, text, start and end."""
    final: Callable[[int, str, float, float], Message]


def _word(text: str, start: float, end: float, scale: float = 1.0) -> dict[str, Any]:
    return {"text": text, "word": text, "start": start * scale, "end": end * scale, "confidence": 7.5}


def _turn(turn: int, text: str, start: float, end: float, *, over: bool) -> Message:
    words = [_word(text, start, end, 1000.0)]
    return {"type": "Turn", "turn_order": turn, "end_of_turn": over, "transcript": text, "words": words}


def _results(text: str, start: float, end: float, *, over: bool) -> Message:
    best = {"transcript": text, "words": [_word(text, start, end)]}
    times = {"start": start, "duration": end - start if end - start == end - start else end}
    return {"type": "Results", **times, "channel": {"alternatives": [best]}, "is_final": over, "speech_final": over}


def _flux(turn: int, text: str, start: float, end: float, *, over: bool) -> Message:
    window = {"turn_index": turn, "audio_window_start": start, "audio_window_end": end}
    kind = "EndOfTurn" if over else "Update"
    return {"type": "TurnInfo", "event": kind, **window, "transcript": text, "words": [_word(text, start, end)]}


def _item(kind: str, turn: int, **more: object) -> Message:
    return {"type": f"conversation.item.input_audio_transcription.{kind}", "item_id": f"item_{turn}", **more}


def _v2(kind: str, text: str, start: float, end: float) -> Message:
    times = {"audio_start": start * 1000, "audio_end": end * 1000}
    return {"message_type": kind, **times, "text": text, "words": [_word(text, start, end, 1000.0)]}


def _online(turn: int, text: str, start: float, *, over: bool) -> Message:
    tokens = {"tokens": [f" {text}"], "timestamps": [start], "start_time": start}
    return {"text": text, "segment": turn, **tokens, "is_final": over}


def _tokens(text: str, start: float, end: float, *, over: bool) -> Message:
    token = {"text": text, "start_ms": start * 1000, "end_ms": end * 1000, "confidence": 7.5, "is_final": over}
    marker = [{"text": "<end>", "is_final": True}] if over else []
    return {"tokens": [token, *marker], "final_audio_proc_ms": end * 1000, "total_audio_proc_ms": end * 1000}


SPEECH: Final[Mapping[str, Speech]] = {
    "assemblyai": Speech(
        ({"type": "Begin", "id": "x"},),
        lambda n, text, a, b: _turn(n, text, a, b, over=False),
        lambda n, text, a, b: _turn(n, text, a, b, over=True),
    ),
    "assemblyai-v2": Speech(
        ({"message_type": "SessionBegins", "session_id": "x"},),
        lambda n, text, a, b: _v2("PartialTranscript", text, a, b),
        lambda n, text, a, b: _v2("FinalTranscript", text, a, b),
    ),
    "deepgram": Speech(
        (),
        lambda n, text, a, b: _results(text, a, b, over=False),
        lambda n, text, a, b: _results(text, a, b, over=True),
    ),
    "deepgram flux": Speech(
        ({"type": "Connected"},),
        lambda n, text, a, b: _flux(n, text, a, b, over=False),
        lambda n, text, a, b: _flux(n, text, a, b, over=True),
    ),
    "openai": Speech(
        ({"type": "session.created", "session": {}}, {"type": "session.updated", "session": {}}),
        lambda n, text, a, b: _item("delta", n, delta=text),
        lambda n, text, a, b: _item("completed", n, transcript=text),
    ),
    "vllm": Speech(
        ({"type": "session.created", "id": "x"},),
        lambda n, text, a, b: {"type": "transcription.delta", "delta": text},
        lambda n, text, a, b: {"type": "transcription.done", "text": text},
    ),
    "sherpa-onnx": Speech(
        (),
        lambda n, text, a, b: _online(n, text, a, over=False),
        lambda n, text, a, b: _online(n, text, a, over=True),
    ),
    "vosk": Speech(
        (),
        lambda n, text, a, b: {"partial": text},
        lambda n, text, a, b: {"text": text, "result": [{**_word(text, a, b), "conf": 7.5}]},
    ),
    "soniox": Speech(
        (),
        lambda n, text, a, b: _tokens(text, a, b, over=False),
        lambda n, text, a, b: _tokens(text, a, b, over=True),
    ),
    "elevenlabs": Speech(
        ({"message_type": "session_started"},),
        lambda n, text, a, b: {"message_type": "partial_transcript", "text": text},
        lambda n, text, a, b: {
            "message_type": "committed_transcript_with_timestamps",
            "text": text,
            "words": [{**_word(text, a, b), "type": "word", "logprob": 7.5}],
        },
    ),
    "mistral": Speech(
        ({"type": "session.created"}, {"type": "session.updated"}),
        lambda n, text, a, b: {"type": "transcription.text.delta", "text": text},
        lambda n, text, a, b: {"type": "turn.end", "time_s": b},
    ),
}


def nested(_: Speech) -> Iterator[str]:
    """Brackets in brackets."""
    yield "[" * NESTED + "]" * NESTED
    yield '{"a":' * NESTED + "1" + "}" * NESTED


def huge(_: Speech) -> Iterator[str]:
    """One message that is longer than any transcript."""
    yield json.dumps({"type": "x", "text": "a" * HUGE})


def partials(speech: Speech) -> Iterator[str]:
    """Partials without end, each a little longer."""
    text = "word"
    while True:
        yield json.dumps(speech.partial(0, text, 0.0, 0.1))
        text = f"{text[-900:]} and more"


def turns(speech: Speech) -> Iterator[str]:
    """Turns without end."""
    number = 0
    while True:
        yield json.dumps(speech.partial(number, "word", 0.0, 0.1))
        yield json.dumps(speech.final(number, "word", 0.0, 0.1))
        number += 1


def words(speech: Speech) -> Iterator[str]:
    """A turn of more words than anybody says, as long as a message may be."""
    text = "a " * 100_000
    yield json.dumps(speech.partial(0, text, 0.0, 0.1))
    yield json.dumps(speech.final(0, text, 0.0, 0.1))


TIMES: Final = (-1e9, -1.0, 1e18, 1e300)


def times(speech: Speech) -> Iterator[str]:
    """Times before the beginning, beyond any end, and such as are no numbers."""
    for number, seconds in enumerate(TIMES):
        yield json.dumps(speech.partial(number, "word", seconds, -seconds))
        yield json.dumps(speech.final(number, "word", seconds, -seconds))
    yield json.dumps(speech.final(len(TIMES), "word", float("inf"), float("nan")))


ATTACKS: Final[Mapping[str, Callable[[Speech], Iterator[str]]]] = {
    each.__name__: each for each in (nested, huge, partials, turns, words, times)
}
"""What is said after the greeting and the first frame."""


@asynccontextmanager
async def hostile(speech: Speech, attack: Callable[[Speech], Iterator[str]]) -> AsyncGenerator[Server]:
    """Serve until the block ends."""

    async def talk(peer: Peer) -> None:
        for message in speech.greeting:
            await peer.send(message)
        reading = asyncio.create_task(_read(peer))
        try:
            for at, message in enumerate(attack(speech)):
                await peer.send(message)
                peer.sent.clear()
                if at % 100 == 0:
                    await asyncio.sleep(0)
            await peer.wait_closed()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async with serve(talk) as server:
        yield server


async def _read(peer: Peer) -> None:
    try:
        while True:
            await peer.receive()
            peer.received.clear()
    except ConnectionClosed:
        return


@asynccontextmanager
async def junk_close(speech: Speech, code: int, reason: str) -> AsyncGenerator[Server]:
    """Greet, and close with a code and a reason that are nobody's."""

    async def talk(peer: Peer) -> None:
        for message in speech.greeting:
            await peer.send(message)
        await peer.receive()
        await peer.close(code, reason)

    async with serve(talk) as server:
        yield server


@asynccontextmanager
async def elsewhere(to: str) -> AsyncGenerator[Server]:
    """Refer every client to another address."""

    async def talk(peer: Peer) -> None:
        await peer.wait_closed()

    async with serve(talk, admit=lambda asked: Refusal(307, "", {"Location": to})) as server:
        yield server
