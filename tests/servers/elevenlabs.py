"""A server that speaks ElevenLabs' Scribe v2 Realtime, strict about its client. It hears real sound (`servers.ear`)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from servers.base import Asked, Peer, Refusal, Wrong
from servers.ear import RATE, Ear, Script, spread, text_of

KEY: Final = "elevenlabs-key-of-the-tests"
SHORTEST_COMMIT: Final = RATE * 3 // 10

PARAMETERS: Final = frozenset(
    (
        *("model_id", "audio_format", "commit_strategy", "include_timestamps", "language_code", "secondary_languages"),
        *("keyterms", "vad_silence_threshold_secs", "vad_threshold", "min_speech_duration_ms"),
        *("min_silence_duration_ms", "no_verbatim"),
    )
)


class Chunk(msgspec.Struct, forbid_unknown_fields=True):
    message_type: Literal["input_audio_chunk"]
    audio_base_64: str
    commit: bool
    sample_rate: Literal[16000]
    previous_text: str | None = None


@dataclass
class ScribeServer:
    """Says the texts of a script, one an utterance."""

    script: Script = ()
    fails: str | None = None
    """A message type that the first chunk is answered with."""
    queries: list[Mapping[str, list[str]]] = field(default_factory=list[Mapping[str, list[str]]])
    """The query of each client."""

    def admit(self, asked: Asked) -> Refusal | None:
        if asked.path != "/v1/speech-to-text/realtime":
            return Refusal(404)
        unknown = set(asked.query) - PARAMETERS
        if unknown or "-" in asked.query.get("language_code", ""):
            return Refusal(422, f"unknown: {sorted(unknown)}")
        return None

    async def __call__(self, peer: Peer) -> None:
        assert peer._connection.request is not None
        query = parse_qs(urlsplit(peer._connection.request.path).query)
        self.queries.append(query)
        if peer.asked.headers.get("xi-api-key") != KEY:
            await self._fail(peer, "auth_error", "You must be authenticated to use this endpoint.")
            return
        if len(query.get("keyterms", [])) > 50 or any(len(term) > 20 for term in query.get("keyterms", [])):
            await self._fail(peer, "invalid_request", "keyterms: at most 50 of 20 characters")
            return
        manual = query["commit_strategy"] == ["manual"]
        ear, committed, said = Ear(None if manual else 500), 0, 0
        await peer.send({"message_type": "session_started", "session_id": "s", "config": {}})
        while True:
            try:
                chunk = msgspec.json.decode(await peer.receive(), type=Chunk)
            except msgspec.DecodeError as error:
                await self._fail(peer, "input_error", str(error))
                raise Wrong(1008, str(error)) from None
            if self.fails is not None:
                await self._fail(peer, self.fails, "as the test wants it")
                return
            ended = ear.take(base64.b64decode(chunk.audio_base_64))
            if chunk.commit:
                if len(ear.sound) - committed < SHORTEST_COMMIT:
                    await self._fail(peer, "commit_throttled", "Commit request ignored: 0.3s of audio is needed")
                    raise Wrong(1008, "a commit too soon")
                ended = ear.cut() or [(len(ear.sound), len(ear.sound))]
            for stretch in ended:
                committed = len(ear.sound)
                await self._commit(peer, text_of(self.script, said, ear.sound, stretch), stretch)
                said += stretch[0] < stretch[1]
            if ear.start is not None and not ended:
                words = text_of(self.script, said, ear.sound, (ear.start, len(ear.sound))).split()
                await peer.send({"message_type": "partial_transcript", "text": " ".join(words[:-1])})

    async def _commit(self, peer: Peer, text: str, stretch: tuple[int, int]) -> None:
        """Each commit is reported twice: first without the times."""
        await peer.send({"message_type": "committed_transcript", "text": text})
        words: list[dict[str, Any]] = []
        for word, start, end in spread(text, stretch):
            words.append({"text": word, "start": start, "end": end, "type": "word", "logprob": -0.1})
            words.append({"text": " ", "start": end, "end": end, "type": "spacing", "logprob": 0.0})
        timed = {"message_type": "committed_transcript_with_timestamps", "text": text, "language_code": "en"}
        await peer.send({**timed, "words": words})

    async def _fail(self, peer: Peer, kind: str, why: str) -> None:
        await peer.send({"message_type": kind, "error": why})
        await peer.close()
