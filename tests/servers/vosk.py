"""A Vosk server by the book (alphacep/vosk-server, websocket/asr_server.py), which hears what its script says.

    vosk = VoskServer(Said(2.0, Spoken("hello", 0.5, 0.9)))
    async with serve(vosk) as server:
        ...  # connect to server.url

Stricter than the real one: the settings come first and once, every binary frame holds whole samples and at most a
second of them, the two text messages are right to the letter, and nothing comes after the end.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from servers.base import Payload, Peer, Wrong
from servers.ear import Listener, Recognize, Words

RATE: Final = 16_000
EOF: Final = '{"eof" : 1}'
RESET: Final = '{"reset" : 1}'
SETTINGS: Final = {"sample_rate", "words", "max_alternatives", "phrase_list", "model"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word; seconds since the first sample."""

    text: str
    start: float
    end: float
    conf: float = 1.0


class Said:
    """An utterance: the server ends it with the frame in which sample `until_s` seconds lies."""

    def __init__(self, until_s: float, *words: Spoken) -> None:
        self.until = round(until_s * RATE)
        self.words = words


class VoskServer:
    """The handler; the whole script for each client."""

    def __init__(self, *script: Said, most_unanswered: int = 1000, recognize: Recognize | None = None) -> None:
        """`recognize` says what sounds, instead of a script."""
        self.script = script
        self.recognize = recognize
        self.most_unanswered = most_unanswered
        """More frames than this on their way at once are a violation."""
        self.answering = asyncio.Event()
        """Cleared, the server reads on and answers nothing."""
        self.answering.set()
        self.unanswered = 0
        self.config: dict[str, Any] = {}
        """What the last client asked for."""

    async def __call__(self, peer: Peer) -> None:
        """Talk to one client."""
        self.unanswered = 0
        self.config = _config(await peer.receive())
        questions: asyncio.Queue[Payload] = asyncio.Queue()
        answers = asyncio.create_task(self._answer(peer, questions))
        try:
            while (question := _question(await peer.receive())) != EOF:
                self._count()
                questions.put_nowait(question)
            self._count()
            questions.put_nowait(EOF)
            await answers
        finally:
            answers.cancel()

    def _count(self) -> None:
        self.unanswered += 1
        if self.unanswered > self.most_unanswered:
            raise Wrong(1008, f"{self.unanswered} frames without waiting for an answer")

    async def _answer(self, peer: Peer, questions: asyncio.Queue[Payload]) -> None:
        recogniser = _Recogniser(self.script, self.config, Listener(self.recognize))
        question: Payload = ""
        while question != EOF:
            question = await questions.get()
            await self.answering.wait()
            self.unanswered -= 1
            await peer.send(recogniser.accept(question) if isinstance(question, bytes) else recogniser.end())


class _Recogniser:
    """Hears a script."""

    def __init__(self, script: tuple[Said, ...], config: dict[str, Any], listener: Listener) -> None:
        self._script = list(script)
        self._listener = listener
        self._config = config
        self._received = 0
        self._settled = 0.0
        """Words that ended before this were said already, in seconds."""

    def accept(self, pcm: bytes) -> dict[str, Any]:
        self._received += len(pcm) // 2
        self._expect(self._listener.take(pcm))
        if self._script and self._received >= self._script[0].until:
            result = self.final()
            self._script.pop(0)
            return result
        return {"partial": " ".join(word.text for word in self._now())}

    def end(self) -> dict[str, Any]:
        """The utterance that goes on ends here."""
        self._expect(self._listener.rest())
        return self.final()

    def _expect(self, utterances: list[Words]) -> None:
        for words in utterances:
            self._script.append(Said(self._received / RATE, *(Spoken(*word) for word in words)))

    def final(self) -> dict[str, Any]:
        words = self._now()
        self._settled = self._received / RATE
        text = " ".join(word.text for word in words)
        entries = [{"conf": word.conf, "end": word.end, "start": word.start, "word": word.text} for word in words]
        if self._config.get("max_alternatives"):
            plain = [{key: value for key, value in entry.items() if key != "conf"} for entry in entries]
            return {"alternatives": [{"confidence": 212.5, "text": text, "result": plain}, {"text": "something else"}]}
        return {"text": text} | ({"result": entries} if entries and self._config["words"] else {})

    def _now(self) -> list[Spoken]:
        """The words of the utterance that is being heard, as far as it was heard."""
        words = self._script[0].words if self._script else ()
        return [word for word in words if self._settled < word.end <= self._received / RATE]


def _config(message: Payload) -> dict[str, Any]:
    try:
        config = json.loads(message)["config"] if isinstance(message, str) else None
    except (ValueError, KeyError, TypeError):
        config = None
    if not isinstance(config, dict):
        raise Wrong(1003, "the settings come first")
    if unknown := set(config) - SETTINGS:
        raise Wrong(1003, f"there is no setting {sorted(unknown)}")
    if config.get("sample_rate") != RATE or not isinstance(config.get("words"), bool):
        raise Wrong(1003, "the rate or the words are not said")
    return config


def _question(message: Payload) -> Payload:
    if isinstance(message, str):
        if message not in (EOF, RESET):
            raise Wrong(1003, f"{message!r} is no message")
    elif not message or len(message) % 2 or len(message) > 2 * RATE:
        raise Wrong(1003, f"{len(message)} bytes are no block of samples")
    return message
