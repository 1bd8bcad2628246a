"""A server that speaks Soniox's protocol, strict about its client. It hears real sound (`servers.ear`)."""

from array import array
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec

from servers.base import Asked, Peer, Refusal
from servers.ear import Ear, Script, Stretch, spread, text_of

KEY: Final = "soniox-key-of-the-tests"


class Context(msgspec.Struct, forbid_unknown_fields=True):
    terms: list[str] = []


class Config(msgspec.Struct, forbid_unknown_fields=True):
    model: Literal["stt-rt-v5"]
    audio_format: Literal["pcm_s16le"]
    sample_rate: Literal[16000]
    num_channels: Literal[1]
    language_hints: list[str] = []
    language_hints_strict: bool = False
    context: Context | None = None
    enable_endpoint_detection: bool = False
    enable_speaker_diarization: bool = False
    enable_language_identification: bool = False
    max_endpoint_delay_ms: Annotated[int, msgspec.Meta(ge=500, le=3000)] = 2000
    endpoint_sensitivity: Annotated[float, msgspec.Meta(ge=-1, le=1)] = 0.0


@dataclass
class SonioxServer:
    """Says the texts of a script, one an utterance."""

    script: Script = ()
    fails_after_ms: int | None = None
    """After so much sound it asks for a new session."""
    configs: list[Config] = field(default_factory=list[Config])
    """What each client asked for."""

    def admit(self, asked: Asked) -> Refusal | None:
        return None if asked.path == "/transcribe-websocket" else Refusal(404)

    async def __call__(self, peer: Peer) -> None:  # noqa: PLR0912 (the protocol's messages, one after the other)
        ear, said = Ear(), 0
        if peer.asked.headers.get("authorization") != f"Bearer {KEY}":
            await self._fail(peer, 401, "Incorrect API key provided")
            return
        try:
            self.configs.append(config := msgspec.json.decode(await peer.receive(), type=Config))
        except msgspec.DecodeError as error:
            await self._fail(peer, 400, str(error))
            return
        while True:
            payload = await peer.receive()
            if payload == "":
                break
            ended: list[tuple[int, int]] = []
            marker = "<end>"
            if isinstance(payload, bytes):
                if not payload or len(payload) % 2:
                    await self._fail(peer, 400, "Invalid audio data format")
                    return
                ended = ear.take(payload)
            elif (order := msgspec.json.decode(payload)) == {"type": "finalize"}:
                ended, marker = ear.cut(), "<fin>"
            elif order != {"type": "keepalive"}:
                await self._fail(peer, 400, "Invalid control message")
                return
            if self.fails_after_ms is not None and ear.ms >= self.fails_after_ms:
                self.fails_after_ms = None
                await self._fail(peer, 503, "Cannot continue request (code 7). Please restart the request.")
                return
            for stretch in ended:
                tokens = self._tokens(said, ear.sound, stretch, config, final=True)
                said += 1
                await self._say(peer, ear, [*tokens, {"text": marker, "is_final": True}], until=stretch[1])
            if marker == "<fin>" and not ended:
                await self._say(peer, ear, [{"text": "<fin>", "is_final": True}])
            elif ear.start is not None:
                stretch = (ear.start, len(ear.sound))
                await self._say(peer, ear, self._tokens(said, ear.sound, stretch, config, final=False), until=ear.start)
        if not ear.sound:
            await self._fail(peer, 400, "No audio received.")
            return
        for stretch in ear.cut():
            await self._say(peer, ear, self._tokens(said, ear.sound, stretch, config, final=True))
        await self._say(peer, ear, [], finished=True)
        await peer.close()

    def _tokens(
        self, number: int, sound: "array[int]", stretch: Stretch, config: Config, *, final: bool
    ) -> list[dict[str, Any]]:
        """The utterance's words in two pieces each; of one that goes on all but the last word."""
        text = text_of(self.script, number, sound, stretch)
        words = spread(text, stretch)[: None if final else -1]
        return [
            {
                "text": piece,
                "start_ms": round(start * 1000),
                "end_ms": round(end * 1000),
                "confidence": 0.9,
                "is_final": final,
                **({"speaker": "1"} if config.enable_speaker_diarization else {}),
                **({"language": "en"} if config.enable_language_identification else {}),
            }
            for word, start, end in words
            for piece in (f" {word[:1]}", word[1:])
            if piece
        ]

    async def _say(
        self, peer: Peer, ear: Ear, tokens: list[dict[str, Any]], *, until: int | None = None, finished: bool = False
    ) -> None:
        final_ms = ear.ms if until is None else until // 16
        message = {"tokens": tokens, "final_audio_proc_ms": final_ms, "total_audio_proc_ms": ear.ms}
        await peer.send({**message, **({"finished": True} if finished else {})})

    async def _fail(self, peer: Peer, code: int, text: str) -> None:
        await peer.send({"tokens": [], "error_code": code, "error_message": text})
        await peer.close()
