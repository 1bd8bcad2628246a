"""A server that speaks Mistral's realtime transcription, strict about its client; it hears real sound."""

import base64
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from servers.base import Asked, Peer, Refusal
from servers.ear import Ear, Script, Stretch, spread, text_of

KEY: Final = "mistral-key-of-the-tests"
LONGEST_APPEND: Final = 262_144


class Format(msgspec.Struct, forbid_unknown_fields=True):
    encoding: Literal["pcm_s16le"]
    sample_rate: Literal[16000]


class Turns(msgspec.Struct, forbid_unknown_fields=True):
    start_threshold: float = 0.5
    eager_end_threshold: float = 0.5
    end_threshold: float = 0.33
    min_silence_ms: int = 500


class Session(msgspec.Struct, forbid_unknown_fields=True):
    audio_format: Format | None = None
    turn_detection: Turns | None = None
    target_streaming_delay_ms: int | None = None
    language: str | None = None
    context_bias: list[str] | None = None
    diarize: bool | None = None

    def updated(self, changes: "Session") -> "Session":
        """The same with everything that a later message has set."""
        given = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not None}
        return msgspec.structs.replace(self, **given)


class Update(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="session.update"):
    session: Session


class Append(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="input_audio.append"):
    audio: str


class Flush(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="input_audio.flush"):
    pass


class End(msgspec.Struct, forbid_unknown_fields=True, tag_field="type", tag="input_audio.end"):
    pass


_CLIENT: Final = msgspec.json.Decoder(Update | Append | Flush | End)


@dataclass
class VoxtralServer:
    """Says the texts of a script, one an utterance."""

    script: Script = ()
    fails: int | None = None
    """The first sound is answered with this error."""
    sessions: list[Session] = field(default_factory=list[Session])
    """What each client asked for."""

    def admit(self, asked: Asked) -> Refusal | None:
        if asked.path != "/v1/audio/transcriptions/realtime" or "model" not in asked.query:
            return Refusal(404)
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            return Refusal(401, '{"detail":"Unauthorized"}')
        return None

    async def __call__(self, peer: Peer) -> None:
        said = 0
        ear: Ear | None = None
        asked: Session | None = None
        await peer.send({"type": "session.created", "session": _described(None)})
        while True:
            try:
                order = _CLIENT.decode(await peer.receive())
            except msgspec.DecodeError as error:
                await self._fail(peer, 422, str(error))
                return
            match order:
                case Update(session=session):
                    if ear is not None:
                        await self._fail(peer, 422, "the session cannot be updated after audio")
                        return
                    first = not asked
                    asked = session if asked is None else asked.updated(session)
                    self.sessions[len(self.sessions) - (not first) :] = [asked]
                    await peer.send({"type": "session.updated", "session": _described(asked)})
                case Append(audio=audio):
                    pcm = base64.b64decode(audio, validate=True)
                    if asked is None or not pcm or len(pcm) > LONGEST_APPEND:
                        await self._fail(peer, 400, f"{len(pcm)} bytes")
                        return
                    if self.fails is not None:
                        await self._fail(peer, self.fails, "as the test wants it")
                        return
                    turns = asked.turn_detection
                    ear = ear or Ear(turns.min_silence_ms if turns else None)
                    began = ear.start
                    for stretch in ear.take(pcm):
                        await self._turn(peer, text_of(self.script, said, ear.sound, stretch), stretch)
                        said += 1
                        end = {"time_s": len(ear.sound) / 16_000, "end_reason": "threshold"}
                        await peer.send({"type": "turn.end", **end})
                    if ear.start is not None and began is None:
                        await peer.send({"type": "turn.start", "time_s": ear.start / 16_000})
                case Flush():
                    pass
                case _:
                    ear = ear or Ear()
                    for stretch in ear.cut():
                        await self._turn(peer, text_of(self.script, said, ear.sound, stretch), stretch)
                        said += 1
                    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
                    done = {"model": "voxtral", "text": "", "language": "en", "segments": []}
                    await peer.send({"type": "transcription.done", "usage": usage, **done})
                    await peer.close()
                    return

    async def _turn(self, peer: Peer, text: str, stretch: Stretch) -> None:
        words = spread(text, stretch)
        for word, _, _ in words:
            await peer.send({"type": "transcription.text.delta", "text": f" {word}"})
        if words:
            times = {"start": words[0][1], "end": words[-1][2], "speaker_id": None}
            await peer.send({"type": "transcription.segment", "text": text, **times})
            await peer.send({"type": "transcription.language", "audio_language": "en"})

    async def _fail(self, peer: Peer, code: int, why: str) -> None:
        await peer.send({"type": "error", "error": {"message": why, "code": code}})
        await peer.close()


def _described(session: Session | None) -> dict[str, Any]:
    """A session as the service describes it."""
    known: dict[str, Any] = msgspec.to_builtins(session) if session else {}
    known.pop("audio_format", None)
    format_ = {"encoding": "pcm_s16le", "sample_rate": 16000}
    return {"request_id": "r", "model": "voxtral", "audio_format": format_, **known}
