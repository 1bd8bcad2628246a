"""vLLM's `/v1/realtime`: an open model on machines of one's own, one utterance after the other.

The events are named like OpenAI's and mean other things (vLLM's `entrypoints/speech_to_text/realtime`): the model
stands at the top of `session.update`, which is not answered; a commit starts generating, a commit with `final` ends
it; deltas append, and `transcription.done` has the whole text. What is sent between the final commit and `done` is
thrown away. The server keeps an utterance in its memory while it is open and may fail when a client vanishes in the
middle of one, so none is ever left open.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Final

import msgspec
from websockets.asyncio.client import ClientConnection

from mictape.engines.base import Answered, Capabilities, EngineEvent, FinalTurn, Lost, Partial, Received, Request
from mictape.engines.network import CLOSE_S
from mictape.engines.openai.messages import recognise
from mictape.engines.remote import RemoteEngine
from mictape.engines.verdicts import Service, Verdict
from mictape.engines.websocket import Frame, SocketConnection

LONGEST_S: Final = 600.0
"""The model's context is full after about 15 minutes, and the server's memory grows with a session."""


_NOT_SPOKEN: Final = Verdict("{service} does not understand Mictape", "Check the engine's url", retry=False)

ERRORS: Final[Mapping[str, Verdict]] = {
    "model_not_found": Verdict("{service} has no such model", "Set model in [engines.vllm]", retry=False),
    "model_not_validated": Verdict("{service} did not take the model", "Set model in [engines.vllm]", retry=False),
    "invalid_json": _NOT_SPOKEN,
    "invalid_event": _NOT_SPOKEN,
    "unknown_event": _NOT_SPOKEN,
    "invalid_audio": Verdict("{service} could not use the sound"),
    "idle_timeout": Verdict("{service} closed a connection that was idle"),
    "processing_error": Verdict("{service} failed to transcribe"),
}
"""Every code there is. After each the utterance is lost, so a new connection sends it again where that can help."""


class VllmOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.vllm]`."""

    url: str = "ws://127.0.0.1:8000/v1/realtime"
    """Where the server listens."""
    model: str = "mistralai/Voxtral-Mini-4B-Realtime-2602"
    """The model it serves, under the name it was started with."""


class _Update(msgspec.Struct, frozen=True, tag_field="type", tag="session.update"):
    """Names the model. Not answered, unless with an error."""

    model: str


class _Append(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.append"):
    """16-bit mono PCM at 16 kHz; on the wire in base64."""

    audio: bytes


class _Commit(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.commit", omit_defaults=True):
    """Starts an utterance, or with `final` ends it."""

    final: bool = False


class _Delta(msgspec.Struct, frozen=True, tag_field="type", tag="transcription.delta"):
    """More of the utterance's text."""

    delta: str


class _Done(msgspec.Struct, frozen=True, tag_field="type", tag="transcription.done"):
    """The utterance's whole text. It may be empty."""

    text: str


class _Created(msgspec.Struct, frozen=True, tag_field="type", tag="session.created"):
    """The session is there; the model is not named yet."""


class _Error(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """What went wrong, in words, and a code of `ERRORS`."""

    error: str
    code: str | None = None


_EVENT: Final = msgspec.json.Decoder(_Created | _Delta | _Done | _Error)


def _encoded(message: _Update | _Append | _Commit) -> Frame:
    return msgspec.json.encode(message).decode()


class VllmConnection(SocketConnection):
    """A conversation with a vLLM server. The first sound after an endpoint begins the next utterance."""

    finish_s = 30.0
    """The model is at most 2.4 s behind by its own setting, and shares its machine with others."""

    def __init__(self, socket: ClientConnection, service: Service, *, patience_s: float) -> None:
        super().__init__(socket, service, patience_s=patience_s)
        self._opened = False
        self._open = False
        """An utterance was started and not ended."""
        self._ended_at: int | None = None
        """Samples sent at the final commit, until `done` answers it."""
        self._turn = 0
        self._text = ""

    async def configure(self, model: str) -> None:
        """Receive what the server is, and name the model. Raises `Lost`."""
        await self.greeting()
        with contextlib.suppress(Lost):  # what the server said before it closed says more, and is received next
            await self._send((_encoded(_Update(model)),))

    async def send(self, pcm: bytes) -> None:
        """Send a block, after the text of an utterance that was ended has come. Raises `Lost`."""
        await self._until(lambda: self._ended_at is None)
        await super().send(pcm)

    async def finish(self) -> None:
        """End the utterance that is open; without one all is said."""
        await super().finish()
        if self._ended_at is None:
            self.said_all()
            await self._socket.close()

    async def close(self) -> None:
        """Let go at once, but never in the middle of an utterance."""
        with contextlib.suppress(Lost, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._send(self.finish_frames())
        await super().close()

    def audio_frames(self, pcm: bytes) -> Iterator[Frame]:
        """The block in one event; before the first one of an utterance what starts it."""
        if not pcm:
            return
        if not self._open:
            self._open = True
            yield _encoded(_Commit())
        yield _encoded(_Append(pcm))

    def endpoint_frames(self) -> Iterable[Frame]:
        """What ends the utterance that is open."""
        if not self._open:
            return ()
        self._open = False
        self._ended_at = self._sent
        return (_encoded(_Commit(final=True)),)

    def finish_frames(self) -> Iterable[Frame]:
        """The same: a server that has nothing open has nothing to say."""
        return self.endpoint_frames()

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """What an event says. Raises `Lost` when it is an error."""
        if not self._opened:
            self._opened = recognise(message, "vllm", self._service)
            self.greeted()
        match self._read(message, _EVENT.decode):
            case _Delta(delta=more):
                self._text += more
                if more:  # a model that is stuck sends empty ones, 12 a second
                    yield Partial(self._turn, self._text)
            case _Done(text=text):
                yield from self._on_done(text)
            case _Error(error=said, code=code):
                raise self.lost(ERRORS.get(code or "", ERRORS["processing_error"]), said)
            case _:
                pass

    def _on_done(self, text: str) -> Iterator[EngineEvent]:
        until = self._ended_at
        if until is None:
            # Full context or a restart inside: what was sent since is gone, so none of it counts as received.
            raise self.lost(Verdict("{service} ended an utterance by itself"))
        yield Received(until)
        if text:
            yield FinalTurn(self._turn, text)
            self._turn += 1
        elif self._text:
            yield Partial(self._turn, "")
        self._text = ""
        yield Answered(until)
        self._ended_at = None
        if self._finishing and not self._open:
            self.said_all()


class VllmEngine(RemoteEngine[VllmOptions, VllmConnection]):
    """A vLLM server with a realtime model, on this machine or another one."""

    Options: ClassVar = VllmOptions
    name = "vllm"
    vendor = "vLLM"
    key_variable = "VLLM_API_KEY"
    """Only for servers that were started with a key."""

    def _model(self) -> str:
        return self._options.model.rpartition("/")[2]

    def _able(self) -> Capabilities:
        return Capabilities(
            block_ms=(20, 1000),
            longest_s=LONGEST_S,
            endpointing="follower",
        )

    async def _open(self, request: Request) -> VllmConnection:
        """The protocol has no word for a language or key terms."""
        del request
        socket = await self._socket(self.url, self._bearer())
        connection = VllmConnection(socket, self.service, patience_s=self.patience_s)
        await connection.configure(self._options.model)
        return connection
