"""A server that speaks OpenAI's Realtime API as far as a transcription session goes, strict about its client.

It hears real sound: samples that are not zero are speech, and its voice detector cuts them into utterances as the
session's settings say. What each utterance is said to be, and how it ends, is the script's.

    async with openai_server([Utterance("Please water the plants.")]) as server:
        ...  # connect to server.url with KEY
    assert not server.violations
"""

import base64
import binascii
import json
from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from servers.base import Asked, Peer, Realtime, Refusal, Wrong, serve
from servers.ear import Recognize

KEY: Final = "sk-of-the-tests"

RATE: Final = 24_000
MS: Final = RATE // 1000
"""Samples of a millisecond."""
WINDOW_MS: Final = 20
"""The voice detector's step."""
SMALLEST_COMMIT_MS: Final = 100
LONGEST_BLOCK_MS: Final = 1000
"""Longer ones are allowed by the service, but a live client that sends them is not live."""
REFUSED: Final = 4000

MODELS: Final = ("gpt-live-transcribe", "gpt-realtime-whisper", "gpt-transcribe", "gpt-4o-transcribe", "whisper-1")

Strict = dict[str, Any]


@dataclass(frozen=True)
class Utterance:
    """What the server says of one utterance, in the order in which they are committed."""

    text: str = ""
    deltas: tuple[str, ...] = ()
    """Sent between the commit and the end."""
    live: tuple[str, ...] = ()
    """Sent when its speech begins, as native streaming models do."""
    later: int = 0
    """It ends only when so many more utterances have ended."""
    failed: Mapping[str, Any] | None = None
    """It ends with this error instead of the text."""
    languages: tuple[str, ...] = ()
    logprobs: tuple[tuple[str, float], ...] = ()
    """The text's tokens, said when the session asks for them."""


class Format(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["audio/pcm"]
    rate: Literal[24000]


class Transcription(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    language: str | None = None
    languages: list[str] = []
    keywords: list[str] = []
    prompt: str | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class ServerVad(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="server_vad"):
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500


class SemanticVad(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="semantic_vad"):
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"


class NoiseReduction(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["near_field", "far_field"]
    strength: float = 1.0


class Input(msgspec.Struct, forbid_unknown_fields=True):
    format: Format
    transcription: Transcription
    turn_detection: ServerVad | SemanticVad | None
    noise_reduction: NoiseReduction | None = None


class Audio(msgspec.Struct, forbid_unknown_fields=True):
    input: Input


class Session(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["transcription"]
    audio: Audio
    include: list[Literal["item.input_audio_transcription.logprobs"]] = []


class Update(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="session.update"):
    session: Session
    event_id: str | None = None


class Append(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="input_audio_buffer.append"):
    audio: str
    event_id: str | None = None


class Commit(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="input_audio_buffer.commit"):
    event_id: str | None = None


class Clear(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="input_audio_buffer.clear"):
    event_id: str | None = None


_CLIENT: Final = msgspec.json.Decoder(Update | Append | Commit | Clear)


@dataclass
class Talk:
    """One client's session, for tests to look into."""

    peer: Peer
    script: "Sequence[Utterance] | Recognize"
    expires_ms: int | None = None
    without_logprobs: bool = False
    session: Session | None = None
    sound: "array[int]" = field(default_factory=lambda: array("h"))
    """Every sample appended, at `RATE`."""
    items: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Samples of each item's beginning and end, in the order of commits."""
    commits: int = 0
    """Commits of the client's that became items."""
    _ids: list[str] = field(default_factory=list[str])
    _event: int = 0
    _buffer: int = 0
    """Where the uncommitted sound begins."""
    _received: int = 0
    """Where the voice detector goes on."""
    _speech: int | None = None
    _quiet: int = 0
    _late: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Items that end later: how many others have to end first, and which they are."""

    async def run(self) -> None:
        """Talk until the client goes."""
        await self._say("session.created", session=_described(None))
        while True:
            message = await self._next()
            if isinstance(message, Update):
                await self._on_update(message)
                continue
            if self.session is None:
                await self._refuse("invalid_request_error", "the session is not set up yet")
            match message:
                case Append():
                    await self._on_append(message)
                case Commit():
                    await self._on_commit(message)
                case Clear():
                    self._buffer = self._received = len(self.sound)
                    self._speech = None
                    await self._say("input_audio_buffer.cleared")

    async def _next(self) -> Update | Append | Commit | Clear:
        payload = await self.peer.receive()
        if isinstance(payload, bytes):
            raise Wrong(1003, "a binary frame")
        try:
            return _CLIENT.decode(payload)
        except msgspec.DecodeError as error:
            await self._refuse("invalid_request_error", str(error))
            raise

    async def _on_update(self, update: Update) -> None:
        received = update.session.audio.input
        if received.transcription.model not in MODELS:
            await self._error("model_not_found", f"there is no model {received.transcription.model}", update.event_id)
            return
        if refusal := _refusal(received):
            await self._error("invalid_value", refusal, update.event_id)
            return
        if self.without_logprobs and update.session.include:
            await self._error("invalid_value", "logprobs cannot be included for this model", update.event_id)
            return
        self.session = update.session
        await self._say("session.updated", session=_described(update.session))

    async def _on_append(self, append: Append) -> None:
        try:
            sound = base64.b64decode(append.audio, validate=True)
        except binascii.Error:
            await self._refuse("invalid_request_error", "not base64")
            raise
        if not sound or len(sound) % 2 or len(sound) > 2 * MS * LONGEST_BLOCK_MS:
            await self._refuse("invalid_request_error", f"a block of {len(sound)} bytes")
        self.sound.frombytes(sound)
        if self.expires_ms is not None and len(self.sound) >= self.expires_ms * MS:
            await self._error("session_expired", "the session is too old", None)
            await self.peer.close(1001)
        await self._listen()

    async def _listen(self) -> None:
        """The voice detector: zeros are silence."""
        assert self.session is not None
        vad = self.session.audio.input.turn_detection
        if vad is None:
            if self._speech is None and any(self.sound[self._buffer :]):
                self._speech = self._buffer
                for delta in self._scripted(len(self.items)).live:
                    await self._say_of("delta", f"{self._id()}_of_client", delta=delta)
            return
        silence_ms = vad.silence_duration_ms if isinstance(vad, ServerVad) else 500
        prefix_ms = vad.prefix_padding_ms if isinstance(vad, ServerVad) else 300
        while self._received + WINDOW_MS * MS <= len(self.sound):
            loud = any(self.sound[self._received : self._received + WINDOW_MS * MS])
            self._received += WINDOW_MS * MS
            if loud and self._speech is None:
                await self._on_speech(max(self._buffer, self._received - (WINDOW_MS + prefix_ms) * MS))
            self._quiet = 0 if loud else self._quiet + WINDOW_MS
            if self._speech is not None and self._quiet >= silence_ms:
                await self._say(
                    "input_audio_buffer.speech_stopped", audio_end_ms=self._received // MS, item_id=self._id()
                )
                await self._commit(self._speech, self._received)

    async def _on_speech(self, start: int) -> None:
        self._speech = start
        await self._say("input_audio_buffer.speech_started", audio_start_ms=start // MS, item_id=self._id())
        for delta in self._scripted(len(self.items)).live:
            await self._say_of("delta", self._id(), delta=delta)

    async def _on_commit(self, commit: Commit) -> None:
        held_ms = (len(self.sound) - self._buffer) // MS
        if held_ms < SMALLEST_COMMIT_MS:
            text = f"buffer too small: {held_ms} ms"
            await self._error("input_audio_buffer_commit_empty", text, commit.event_id)
            return
        self.commits += 1
        await self._commit(self._buffer, len(self.sound), by_client=True)

    async def _commit(self, start: int, end: int, *, by_client: bool = False) -> None:
        number = len(self.items)
        previous = self._ids[-1] if self._ids else None
        # What the client commits is not the item that the voice detector may have spoken of already.
        item_id = f"{self._id()}_of_client" if by_client else self._id()
        self._ids.append(item_id)
        self.items.append((start, end))
        self._buffer, self._received, self._speech, self._quiet = end, end, None, 0
        await self._say("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)
        await self._say("conversation.item.added", previous_item_id=previous, item=_item(item_id))
        await self._end_item(number)

    async def _end_item(self, number: int) -> None:
        scripted = self._scripted(number)
        for delta in scripted.deltas:
            await self._say_of("delta", self._ids[number], delta=delta)
        if scripted.later:
            self._late.append((scripted.later, number))
            return
        await self._end_text(number)
        self._late = [(more - 1, late) for more, late in self._late]
        for late in [late for more, late in self._late if more == 0]:
            await self._end_text(late)
        self._late = [(more, late) for more, late in self._late if more > 0]

    async def _end_text(self, number: int) -> None:
        scripted = self._scripted(number)
        start, end = self.items[number]
        if scripted.failed is not None:
            await self._say_of("failed", self._ids[number], error=dict(scripted.failed))
            return
        more: Strict = {"languages": [{"code": code} for code in scripted.languages]} if scripted.languages else {}
        if self.session is not None and self.session.include and scripted.logprobs:
            more["logprobs"] = [{"token": token, "logprob": value, "bytes": []} for token, value in scripted.logprobs]
        usage = {"type": "duration", "seconds": (end - start) / RATE}
        await self._say_of("completed", self._ids[number], transcript=scripted.text, usage=usage, **more)

    def _scripted(self, number: int) -> Utterance:
        if callable(self.script):
            start, end = self.items[number] if number < len(self.items) else (0, 0)
            return Utterance(self.script(self.sound[start:end]))
        return self.script[number] if number < len(self.script) else Utterance()

    def _id(self) -> str:
        """The next item's, as long as the client does not commit first."""
        return f"item_{len(self.items)}"

    async def _say_of(self, what: str, item_id: str, **more: object) -> None:
        await self._say(f"conversation.item.input_audio_transcription.{what}", item_id=item_id, content_index=0, **more)

    async def _say(self, kind: str, **more: object) -> None:
        self._event += 1
        await self.peer.send({"type": kind, "event_id": f"event_{self._event}", **more})

    async def _error(self, code: str, text: str, because_of: str | None) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": text, "param": None, "event_id": because_of}
        await self._say("error", error=error)

    async def _refuse(self, code: str, text: str) -> None:
        await self._error(code, text, None)
        raise Wrong(REFUSED, text)


def _refusal(received: Input) -> str | None:
    """Why the service does not take these settings: its own words where they are known, else what its guide says."""
    asked = received.transcription
    if asked.model.startswith(("gpt-live-transcribe", "gpt-realtime-whisper")) and received.turn_detection is not None:
        return "Turn detection is not supported for this transcription model"  # openwhispr/openwhispr#2077
    newer = asked.model.startswith(("gpt-live-transcribe", "gpt-transcribe"))
    if newer and asked.language is not None:
        return "language is not supported for this transcription model, use languages"  # livekit/agents#6613
    if not newer and (asked.languages or asked.keywords):
        return "languages and keywords are not supported for this transcription model"
    if any(sign in word for word in asked.keywords for sign in "<>\r\n"):
        return "keywords must not contain <, >, CR or LF"  # livekit/agents#6613
    return None


def _described(session: Session | None) -> Strict:
    """A session as the service describes it."""
    known: Strict = msgspec.to_builtins(session) if session else {"type": "transcription"}
    return {"id": "sess_1", "object": "realtime.transcription_session", "expires_at": 1_800_000_000, **known}


def _item(item_id: str) -> Strict:
    content = [{"type": "input_audio", "transcript": None}]
    return {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": content}


_WRONG_KEY: Final = {
    "type": "invalid_request_error",
    "code": "invalid_api_key",
    "message": "Incorrect API key provided: sk-4sJHr*****w8ZP."
    " You can find your API key at https://platform.openai.com/account/api-keys.",
    "param": None,
}
"""The service's own words (chatanywhere/GPT_API_free#427)."""

OpenAIServer = Realtime[Talk]
"""A server while it runs, and what it has seen."""


@asynccontextmanager
async def openai_server(
    script: "Sequence[Utterance] | Recognize" = (),
    *,
    expires_ms: int | None = None,
    key: str = KEY,
    tls: bool = False,
    without_logprobs: bool = False,
    refuses_by: Literal["upgrade", "message", "close"] = "message",
) -> AsyncGenerator[OpenAIServer]:
    """Serve until the block ends.

    Args:
        script: What is said of the utterances of each connection, those behind it are nothing; or by their sound.
        expires_ms: A connection ends when it has received so much.
        key: The only one that is accepted.
        tls: With the tests' certificate.
        without_logprobs: Refuse to say how likely the tokens are.
        refuses_by: How a wrong key is refused. The service opens the connection, may say why, and closes it
            (twilio-samples/speech-assistant-openai-realtime-api-python#4, openai/openai-realtime-api-beta#2).
    """
    talks: list[Talk] = []

    def admit(asked: Asked) -> Refusal | None:
        if refuses_by == "upgrade" and asked.headers.get("authorization") != f"Bearer {key}":
            return Refusal(401, json.dumps({"error": _WRONG_KEY}))
        if asked.path != "/v1/realtime":
            return Refusal(404)
        if asked.query.get("intent") != "transcription" or "model" in asked.query:
            return Refusal(400, "a transcription session is asked for by its intent, and names its model later")
        return None

    async def handler(peer: Peer) -> None:
        request = peer._connection.request
        if request is not None and request.headers.get("authorization") != f"Bearer {key}":
            if refuses_by == "message":
                await peer.send({"type": "error", "event_id": "event_1", "error": _WRONG_KEY})
            raise Wrong(3000, "invalid_request_error.invalid_api_key")
        talks.append(Talk(peer, script, expires_ms, without_logprobs))
        await talks[-1].run()

    async with serve(handler, admit=admit, tls=tls) as server:
        yield OpenAIServer(server, talks)
