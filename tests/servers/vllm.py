"""A server that speaks vLLM's `/v1/realtime`, strict about its client.

Each utterance's words come one with each block of sound; the whole text comes when the utterance is ended.

    async with vllm_server(["one two"]) as server:
        ...  # connect to server.url
    assert not server.violations
"""

import asyncio
import base64
import binascii
from array import array
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec
from websockets.exceptions import ConnectionClosed

from servers.base import Asked, Peer, Realtime, Refusal, Wrong, serve
from servers.ear import Script, text_of

RATE: Final = 16_000
MODEL: Final = "mistralai/Voxtral-Mini-4B-Realtime-2602"
LONGEST_BLOCK: Final = 2 * RATE
"""Bytes: a second."""


class Update(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="session.update"):
    model: str


class Append(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="input_audio_buffer.append"):
    audio: str


class Commit(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="input_audio_buffer.commit"):
    final: bool = False


_CLIENT: Final = msgspec.json.Decoder(Update | Append | Commit)


@dataclass
class Talk:
    """One client's session, for tests to look into."""

    peer: Peer
    script: Script
    answering: asyncio.Event
    stuck: bool = False
    model: str | None = None
    generating: bool = False
    sounds: "list[array[int]]" = field(default_factory=list)
    """The sound of each utterance."""
    finals: int = 0
    """Final commits."""

    @property
    def utterances(self) -> list[int]:
        """Samples of each utterance."""
        return [len(sound) for sound in self.sounds]

    async def run(self) -> None:
        """Talk until the client goes; it may not go in the middle of an utterance."""
        await self.peer.send({"type": "session.created", "id": f"sess-{id(self):x}", "created": 1_790_000_000})
        try:
            while True:
                await self._on(await self._next())
        except ConnectionClosed:
            if self.generating:
                raise Wrong(1000, "gone in the middle of an utterance") from None

    async def _next(self) -> Update | Append | Commit:
        payload = await self.peer.receive()
        if isinstance(payload, bytes):
            raise Wrong(1003, "a binary frame")
        try:
            return _CLIENT.decode(payload)
        except msgspec.ValidationError as error:
            await self._refuse("invalid_event", str(error))
            raise
        except msgspec.DecodeError as error:
            await self._refuse("invalid_json", str(error))
            raise

    async def _on(self, message: Update | Append | Commit) -> None:
        match message:
            case Update(model=model):
                if model == MODEL:
                    self.model = model
                else:
                    await self._error("model_not_found", f"no model {model}")
            case _ if self.model is None:
                await self._refuse("model_not_validated", "no model was named")
            case Commit(final=False):
                if self.generating:
                    await self._refuse("invalid_event", "an utterance is open")
                self.generating = True
                self.sounds.append(array("h"))
            case Commit():
                await self._end()
            case Append(audio=audio):
                await self._on_sound(audio)

    async def _on_sound(self, audio: str) -> None:
        try:
            sound = base64.b64decode(audio, validate=True)
        except binascii.Error:
            sound = b""
        if not sound or len(sound) % 2 or len(sound) > LONGEST_BLOCK:
            await self._refuse("invalid_audio", f"a block of {len(sound)} bytes")
        if not self.generating:
            await self._refuse("invalid_event", "sound before an utterance was started")
        self.sounds[-1].frombytes(sound)
        if self.stuck:
            await self.peer.send({"type": "transcription.delta", "delta": ""})
            return
        words, said = self._text().split(), len(self.sounds[-1]) * 10 // RATE - 1
        if 0 <= said < len(words):
            delta = f" {words[said]}" if said else words[0]
            with suppress(ConnectionClosed):  # a client that has gone already may have ended the utterance before
                await self.peer.send({"type": "transcription.delta", "delta": delta})

    async def _end(self) -> None:
        """The server throws away what it is sent until it has answered, so nothing may be sent."""
        if not self.generating:
            await self._refuse("invalid_event", "no utterance is open")
        self.generating = False
        self.finals += 1
        early = asyncio.ensure_future(self.peer.receive())
        answering = asyncio.ensure_future(self.answering.wait())
        await asyncio.wait((early, answering), return_when=asyncio.FIRST_COMPLETED)
        answering.cancel()
        early.cancel()
        await asyncio.wait((early,))
        if not early.cancelled():
            early.result()
            raise Wrong(1008, "sent something that is thrown away")
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        await self.peer.send({"type": "transcription.done", "text": self._text(), "usage": usage})

    def _text(self) -> str:
        if self.stuck:
            return ""
        sound = self.sounds[-1]
        return text_of(self.script, len(self.sounds) - 1, sound, (0, len(sound)))

    async def _error(self, code: str, text: str) -> None:
        await self.peer.send({"type": "error", "error": text, "code": code})

    async def _refuse(self, code: str, text: str) -> None:
        await self._error(code, text)
        raise Wrong(1008, text)


@dataclass
class VllmServer(Realtime[Talk]):
    """A server while it runs, and what it has seen."""

    answering: asyncio.Event
    """Cleared: an utterance that was ended is not answered until it is set again."""


@asynccontextmanager
async def vllm_server(script: Script = (), *, key: str | None = None, stuck: int = 0) -> AsyncGenerator[VllmServer]:
    """Serve until the block ends.

    Args:
        script: The texts of each connection's utterances, those behind it are empty; or by their sound.
        key: What the server was started with; None: anybody may come.
        stuck: On so many connections, the first ones, the model writes blanks only (vllm-project/vllm#47614).
    """
    talks: list[Talk] = []
    answering = asyncio.Event()
    answering.set()

    def admit(asked: Asked) -> Refusal | None:
        if key is not None and asked.headers.get("authorization") != f"Bearer {key}":
            return Refusal(401)
        return None if asked.path == "/v1/realtime" else Refusal(404)

    async def handler(peer: Peer) -> None:
        talks.append(Talk(peer, script, answering, stuck=len(talks) < stuck))
        await talks[-1].run()

    async with serve(handler, admit=admit) as server:
        yield VllmServer(server, talks, answering)
