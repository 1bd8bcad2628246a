"""The servers of sherpa-onnx by the book (k2-fsa/sherpa-onnx), which hear what their scripts say.

    async with serve(OnlineServer(Segment(3.0, Token(" hello", 0.5)))) as server: ...
    async with serve(OfflineServer("hello", "")) as server: ...

Stricter than the real ones: floats are finite and between -1 and 1, an offline client waits for each answer, and
says `Done` after the last one.
"""

import asyncio
import math
import struct
from array import array
from dataclasses import dataclass
from typing import Any, Final, Literal

from servers.base import Payload, Peer, Wrong
from servers.ear import Listener, Recognize, Words

RATE: Final = 16_000
DONE: Final = "Done"
CHUNK_S: Final = 0.32
"""Seconds that a streaming model decodes at a time; each gives a message."""
LONGEST_S: Final = 300
"""The C++ offline server's --max-utterance-length."""
LONGEST_FRAME: Final = 1 << 20
"""Bytes; the Python servers' --max-message-size."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a word; seconds since the first sample at which it is found."""

    text: str
    at: float


class Segment:
    """What lies between two endpoints; this one's end is found with the chunk in which `until_s` lies."""

    def __init__(self, until_s: float, *tokens: Token) -> None:
        self.until = until_s
        self.tokens = tokens


class OnlineServer:
    """The handler of a streaming server, in both kinds.

    `cpp` gives tokens with times, says what is final, and `Done!` at the end, and leaves closing to the client; its
    segment number stays when nothing was said. `python` gives text and segment number only, counts every endpoint,
    and closes. `cpp without final` is the C++ server whose stream had nothing left to decode when it was done.
    """

    def __init__(
        self,
        *script: Segment,
        kind: Literal["cpp", "cpp without final", "python"] = "cpp",
        recognize: Recognize | None = None,
    ) -> None:
        """`recognize` says what sounds, instead of a script."""
        self.script = script
        self.recognize = recognize
        self.kind = kind
        self.sound = b""
        """Everything the last client sent."""

    async def __call__(self, peer: Peer) -> None:
        """Talk to one client."""
        self.sound = b""
        decoder = _Decoder(self.script, self.kind)
        listener = Listener(self.recognize)
        while (message := await peer.receive()) != DONE:
            self.sound += _floats(message)
            decoder.expect(listener.take(_pcm(message)), len(self.sound) / 4 / RATE)
            for result in decoder.decode(len(self.sound) / 4 / RATE):
                await peer.send(result)
        decoder.expect(listener.rest(), len(self.sound) / 4 / RATE)
        if self.kind != "cpp without final":
            await peer.send(decoder.last())
        if self.kind != "python":
            await peer.send("Done!")
            await peer.wait_closed()


class _Decoder:
    def __init__(self, script: tuple[Segment, ...], kind: str) -> None:
        self._script = list(script)
        self._python = kind == "python"
        self._decoded = 0.0
        self._segment = 0
        self._start = 0.0

    def expect(self, utterances: list[Words], until_s: float) -> None:
        """Go on the script with what has just ended."""
        for words in utterances:
            self._script.append(Segment(until_s, *(Token(f" {word}", start) for word, start, _ in words)))

    def decode(self, received: float) -> list[dict[str, Any]]:
        """A message for every chunk that is complete."""
        results: list[dict[str, Any]] = []
        while self._decoded + CHUNK_S <= received:
            self._decoded += CHUNK_S
            endpoint = bool(self._script) and self._decoded >= self._script[0].until
            results.append(self._result(final=endpoint))
            if endpoint:
                said = self._script.pop(0).tokens
                self._segment += 1 if said or self._python else 0
                self._start = self._decoded
        return results

    def last(self) -> dict[str, Any]:
        """What the padding of silence at the end brings to light."""
        self._decoded += 1.0
        return self._result(final=True, eof=True)

    def _result(self, *, final: bool, eof: bool = False) -> dict[str, Any]:
        tokens = [token for token in self._script[0].tokens if token.at <= self._decoded] if self._script else []
        text = "".join(token.text for token in tokens).replace("▁", " ").strip()
        if self._python:
            return {"text": text, "segment": self._segment}
        return {
            "text": text,
            "tokens": [token.text for token in tokens],
            "timestamps": [round(token.at - self._start, 2) for token in tokens],
            "ys_probs": [-0.1 for _ in tokens],
            "lm_probs": [],
            "context_scores": [],
            "segment": self._segment,
            "words": [],
            "start_time": round(self._start, 2),
            "is_final": final,
            "is_eof": eof,
        }


@dataclass(frozen=True, slots=True)
class Text:
    """What an utterance is answered with, where it is more than a text."""

    text: str
    tokens: tuple[str, ...] = ()
    timestamps: tuple[float, ...] = ()
    """Seconds since the utterance's first sample."""
    lang: str = ""


class OfflineServer:
    """The handler of a server for whole utterances; answers them with the texts of the script, then with none."""

    def __init__(self, *script: str | Text, recognize: Recognize | None = None) -> None:
        """`recognize` says what sounds, instead of a script."""
        self.recognize = recognize
        self.script = [Text(text) if isinstance(text, str) else text for text in script]
        self.answering = asyncio.Event()
        """Cleared, the server reads on and answers nothing."""
        self.answering.set()
        self.utterances: list[bytes] = []
        """The floats of each."""
        self._unanswered = False

    async def __call__(self, peer: Peer) -> None:
        """Talk to one client."""
        script = iter(self.script)
        answers: list[asyncio.Task[None]] = []
        try:
            while (header := await peer.receive()) != DONE:
                if self._unanswered:
                    raise Wrong(1008, "an utterance before the answer to the last one: answers may change places")
                self.utterances.append(await _utterance(peer, header))
                self._unanswered = True
                recognized = Text(self.recognize(array("h", _pcm(self.utterances[-1])))) if self.recognize else Text("")
                answers.append(asyncio.create_task(self._answer(peer, next(script, recognized))))
            if self._unanswered:
                raise Wrong(1008, "Done before the last answer, which is lost now")
            await peer.close(1000, "Done")
        finally:
            self._unanswered = False
            for answer in answers:
                answer.cancel()

    async def _answer(self, peer: Peer, text: Text) -> None:
        await self.answering.wait()
        self._unanswered = False
        await peer.send(
            {
                "lang": text.lang,
                "emotion": "",
                "event": "",
                "text": text.text,
                "timestamps": list(text.timestamps),
                "durations": [],
                "tokens": list(text.tokens),
                "ys_log_probs": [],
                "words": [],
            }
        )


async def _utterance(peer: Peer, header: Payload) -> bytes:
    if isinstance(header, str) or len(header) < 8:
        raise Wrong(1000, "Payload is too short")
    rate, size = struct.unpack_from("<ii", header)
    if rate != RATE or size <= 0 or size % 4:
        raise Wrong(1008, f"a header of {rate} Hz and {size} bytes")
    if size > LONGEST_S * rate * 4:
        raise Wrong(1009, "Payload is too large!")
    sound = header[8:]
    while len(sound) < size:
        sound += _floats(await peer.receive())
    if len(sound) > size:
        raise Wrong(1008, "more sound than the header said")
    return sound


def _pcm(floats: Payload) -> bytes:
    """Floats as 16-bit samples."""
    assert isinstance(floats, bytes)
    return array("h", (round(sample * 32_767) for (sample,) in struct.iter_unpack("<f", floats))).tobytes()


def _floats(message: Payload) -> bytes:
    if isinstance(message, str):
        raise Wrong(1008, f"{message!r} is no message")
    if not message or len(message) % 4 or len(message) > LONGEST_FRAME:
        raise Wrong(1008, f"{len(message)} bytes are no block of floats")
    if not all(math.isfinite(sample) and -1 <= sample <= 1 for (sample,) in struct.iter_unpack("<f", message)):
        raise Wrong(1008, "samples are not between -1 and 1")
    return message
