"""AssemblyAI's retired protocol v2 by the book: says what its script says, and nothing to a client that is wrong.

    assemblyai = V2Server(Utterance(Said("hello", 500, 900), formatted="Hello."))
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        ...  # connect to server.url with KEY
    assert not server.violations

Time is the sound's, as in `assemblyai_server`.
"""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any, Final

from servers.assemblyai import KEY, Said, Utterance
from servers.base import Asked, PaceMeter, Peer, Refusal, Wrong
from servers.ear import Listener, Recognize, Words

PATH: Final = "/v2/realtime/ws"
CREATED: Final = "2026-11-04T15:51:40.120000"
SESSION: Final = {
    "message_type": "SessionBegins",
    "session_id": "6b1d0c1e-5f0e-4a0a-9c59-2f4c4f3b7a10",
    "expires_at": "2026-11-04T16:51:38.316048",
}
PARAMETERS: Final = {
    *("sample_rate", "word_boost", "encoding", "token", "disable_partial_transcripts"),
    "enable_extra_session_information",
}
ORDERS: Final = {"terminate_session", "force_end_utterance", "end_utterance_silence_threshold", "audio_data"}


@dataclass
class V2Server:
    """The server: a handler and an `admit` for `servers.serve`."""

    utterances: tuple[Utterance, ...] = ()
    key: str = KEY
    retired: bool = False
    """Answer as the vendor's own does today."""
    binary: bool = True
    """Take sound in binary frames, too, as it did from February 2024 on."""
    last: str | None = None
    """An error to end the session with after the first block, `4029 Client sent audio too fast`."""
    fastest: float | None = 1.0
    tolerance_s: float = 60.0
    """The documented one: faster than real time for more than a minute."""
    recognize: Recognize | None = None
    """Says what sounds, instead of `utterances`."""
    sessions: list["V2Session"] = field(default_factory=list["V2Session"])

    def admit(self, asked: Asked) -> Refusal | None:
        return None if asked.path == PATH else Refusal(404)

    async def __call__(self, peer: Peer) -> None:
        if self.retired:
            await peer.send({"error": "Model deprecated. See docs for new model information: assemblyai.com/docs"})
            return
        try:
            self._look(peer.asked)
            session = V2Session(self, peer)
            self.sessions.append(session)
            await session.run()
        except Wrong as wrong:
            peer.violation = wrong  # now, because the client may be gone already
            await peer.send({"error": wrong.text})
            raise

    def _look(self, asked: Asked) -> None:
        if self.key not in (asked.headers.get("authorization"), asked.query.get("token")):
            raise Wrong(4001, "Not authorized")
        if unknown := set(asked.query) - PARAMETERS:
            raise Wrong(4101, f"Unknown parameters: {', '.join(sorted(unknown))}")
        if not asked.query.get("sample_rate", "").isdigit() or int(asked.query["sample_rate"]) <= 0:
            raise Wrong(4000, "Sample rate must be a positive integer")
        try:
            boost: Any = json.loads(asked.query.get("word_boost", "[]"))
        except ValueError:
            raise Wrong(4104, "Could not parse word boost") from None
        if not isinstance(boost, list) or sum(map(len, boost)) > 2500:
            raise Wrong(4104, "Could not parse word boost")


class V2Session:
    """One client, where it is in the script."""

    def __init__(self, server: V2Server, peer: Peer) -> None:
        self.peer = peer
        self.orders: list[dict[str, Any]] = []
        """Every order that is not sound."""
        self.blocks: list[int] = []
        """Samples of each block."""
        self.framed: list[type] = []
        """How each came: `str` as base64 in JSON, `bytes` as it is."""
        self._server = server
        self._query = peer.asked.query
        self._rate = int(self._query["sample_rate"])
        self._pace = PaceMeter(server.fastest, server.tolerance_s)
        self._left = list(server.utterances)
        self._listener = Listener(server.recognize)
        self._said = 0
        self._began_ms = 0

    @property
    def audio_ms(self) -> float:
        return sum(self.blocks) * 1000 / self._rate

    async def run(self) -> None:
        await self.peer.send(SESSION)
        while True:
            payload = await self.peer.receive()
            order = {} if isinstance(payload, bytes) else self._order(payload)
            if "terminate_session" in order:
                break
            if isinstance(payload, bytes) or "audio_data" in order:
                pcm = payload if isinstance(payload, bytes) else _decoded(order["audio_data"])
                self._take(pcm)
                self.framed.append(type(payload))
                self._expect(self._listener.take(pcm))
                await self._go_on()
            elif "force_end_utterance" in order:
                await self._end()
        await self._end()
        if self._query.get("enable_extra_session_information", "").lower() == "true":
            seconds = self.audio_ms / 1000
            await self.peer.send({"message_type": "SessionInformation", "audio_duration_seconds": seconds})
        await self.peer.send({"message_type": "SessionTerminated"})

    def _order(self, payload: str) -> dict[str, Any]:
        try:
            order = json.loads(payload)
        except ValueError:
            raise Wrong(4100, "Endpoint received invalid JSON") from None
        if not isinstance(order, dict) or len(order) != 1 or not set(order) <= ORDERS:
            raise Wrong(4101, "Endpoint received a message with an invalid schema")
        ((name, value),) = order.items()
        fits = {
            "audio_data": isinstance(value, str),
            "end_utterance_silence_threshold": type(value) is int and 0 <= value <= 20_000,
        }.get(name, value is True)
        if not fits:
            raise Wrong(4101, "Endpoint received a message with an invalid schema")
        if name != "audio_data":
            self.orders.append(order)
        return order

    def _take(self, pcm: bytes) -> None:
        if self._server.last and self.blocks:
            code, text = self._server.last.split(" ", 1)
            raise Wrong(int(code), text)
        if len(pcm) % 2:
            raise Wrong(4034, "Audio too small to transcode")
        ms = len(pcm) * 500 / self._rate
        if not 100 <= ms <= 2000:
            raise Wrong(4032 if ms < 100 else 4033, "Audio duration is too short" if ms < 100 else "is too long")
        self.blocks.append(len(pcm) // 2)
        if not self._pace.take(ms / 1000):
            raise Wrong(4029, "Client sent audio too fast")

    async def _go_on(self) -> None:
        words = self._left[0].words if self._left else ()
        if not self._said:
            await self._transcript("PartialTranscript", ())  # in silence it says nothing, often
        while self._said < len(words) and words[self._said].end <= self.audio_ms:
            self._said += 1
            await self._transcript("PartialTranscript", words[: self._said])
        if self._said and self.audio_ms >= self._left[0].words[-1].end + self._left[0].silence_ms:
            await self._end()

    def _expect(self, utterances: list[Words]) -> None:
        for words in utterances:
            said = (Said(text, round(start * 1000), round(end * 1000)) for text, start, end in words)
            self._left.append(Utterance(*said, silence_ms=0))

    async def _end(self) -> None:
        if received := self._listener.rest():
            self._expect(received)
            await self._go_on()
        if not self._said:
            return
        words = self._left[0].words[: self._said]
        text = self._left[0].formatted if self._said == len(self._left[0].words) else None
        await self._transcript("FinalTranscript", words, text)
        rest = self._left[0].words[self._said :]
        self._left[:1] = [Utterance(*rest)] if rest else []
        self._said, self._began_ms = 0, int(self.audio_ms)

    async def _transcript(self, kind: str, words: tuple[Said, ...], text: str | None = None) -> None:
        if kind == "PartialTranscript" and self._query.get("disable_partial_transcripts", "").lower() == "true":
            return
        said = {
            "message_type": kind,
            "created": CREATED,
            "audio_start": self._began_ms,
            "audio_end": int(self.audio_ms),
            "confidence": 0.93 if words else 0.0,
            "text": " ".join(word.text for word in words) if text is None else text,
            "words": [{"start": w.start, "end": w.end, "confidence": 0.93, "text": w.text} for w in words],
        }
        formatted = {"punctuated": True, "text_formatted": True} if kind == "FinalTranscript" else {}
        await self.peer.send(said | formatted)


def _decoded(audio: str) -> bytes:
    try:
        return base64.b64decode(audio, validate=True)
    except binascii.Error:
        raise Wrong(4034, "Audio too small to transcode") from None
