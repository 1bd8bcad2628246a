"""Deepgram by the book, both protocols: hears what its script says, and nothing from a client that is wrong.

    deepgram = V1Server(Segment(2.0, Spoken("hello", 0.5, 0.9), ends="speech_final"))
    async with serve(deepgram, admit=deepgram.admit) as server:
        ...  # connect to server.url with KEY
    assert not server.violations

Time is the sound's: what was sent decides what is answered, the clock only how fast it may be sent and how long
nothing may be. Stricter than the real one: every parameter, text message and block has to be as documented.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast
from urllib.parse import parse_qsl, urlsplit

from servers.base import Asked, PaceMeter, Peer, Refusal, Wrong
from servers.ear import Listener, Recognize, Words

RATE: Final = 16_000
SAMPLE_BYTES: Final = 2
KEY: Final = "deepgram-key-for-tests-only"
REQUEST_ID: Final = "7d0c5a1e-0000-4000-8000-000000000001"

UPDATE_S: Final = 0.25
"""Flux says something for each quarter of a second of sound."""
LITTLE_S: Final = 0.1
"""Less sound than this gives a `Finalize` no answer."""
IDLE: Final = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
"""The service's own words (deepgram/deepgram-python-sdk#319, #478)."""

LATE_S: Final = 1.0
"""After `speech_final` an `UtteranceEnd` comes all the same, so much later."""

COMMON: Final = {"model", "encoding", "sample_rate", "keyterm", "language_hint", "redact", "tag"}
COMMON_BOOLEANS: Final = {"numerals", "profanity_filter", "mip_opt_out"}
V1: Final = {
    *("channels", "language", "endpointing", "utterance_end_ms", "diarize_model", "keywords", "replace", "search"),
    *("extra", "version"),
}
V1_BOOLEANS: Final = {
    *("interim_results", "punctuate", "smart_format", "vad_events", "diarize", "detect_entities", "dictation"),
    *("filler_words", "no_delay"),
}
FLUX: Final = {"eager_eot_threshold", "eot_threshold", "eot_timeout_ms"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word; seconds since the first byte."""

    text: str
    start: float
    end: float
    speaker: int | None = None


class Segment:
    """What v1 freezes in one piece, once it was sent the sound up to `until_s`."""

    def __init__(self, until_s: float, *words: Spoken, ends: Literal["", "speech_final", "UtteranceEnd"] = "") -> None:
        self.until_s = until_s
        self.words = words
        self.ends = ends
        """What ends the utterance behind it, if anything does."""


class Turn:
    """A turn of Flux, which ends once the sound up to `until_s` was sent."""

    def __init__(self, until_s: float, *words: Spoken, eager: bool = False) -> None:
        self.until_s = until_s
        self.words = words
        self.eager = eager
        """Say that it may have ended after its last word; no text comes between that and the end."""


@dataclass
class _Stream:
    """The sound of one client, and the rules it has to keep."""

    longest_ms: int
    pace: PaceMeter
    samples: int = 0

    @property
    def seconds(self) -> float:
        return self.samples / RATE

    def take(self, pcm: bytes) -> None:
        if not pcm or len(pcm) % SAMPLE_BYTES:
            raise Wrong(1008, f"DATA-0000 a block of {len(pcm)} bytes")
        samples = len(pcm) // SAMPLE_BYTES
        if not 20 * RATE // 1000 <= samples <= self.longest_ms * RATE // 1000:
            raise Wrong(1008, f"DATA-0000 a block of {samples * 1000 / RATE:g} ms")
        self.samples += samples
        if not self.pace.take(samples / RATE):
            raise Wrong(1008, "sound comes faster than 1.25 times real time")


@dataclass
class _Server:
    """What both have: admission, and reading with a limit on silence."""

    path = ""
    longest_ms = 0
    idle_s: float = 10.0
    """Without sound or KeepAlive for so long a client is closed."""
    tolerance_s: float = 60.0
    """Seconds of sound a client may be ahead of 1.25 times real time."""
    query: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Of the last client, in order, repeated names and all."""
    orders: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Every text message of the last client."""

    def admit(self, asked: Asked) -> Refusal | None:
        """Look at the key and at every parameter."""
        if asked.headers.get("authorization") != f"Token {KEY}":
            return Refusal(401, '{"err_code":"INVALID_AUTH","err_msg":"Invalid credentials."}')
        wrong = "path" if asked.path != self.path else next(self.wrong_parameters(asked.query), None)
        return Refusal(400, json.dumps({"err_code": "Bad Request", "err_msg": wrong})) if wrong else None

    def wrong_parameters(self, query: Any) -> Iterator[str]:
        """Every parameter that is not as documented."""
        raise NotImplementedError

    def begin(self, peer: Peer) -> _Stream:
        """A new client."""
        assert peer._connection.request is not None
        self.query = parse_qsl(urlsplit(peer._connection.request.path).query)
        self.orders = []
        return _Stream(self.longest_ms, PaceMeter(1.25, self.tolerance_s))

    async def next_message(self, peer: Peer, stream: _Stream) -> bytes | dict[str, Any]:
        """Sound, or an order. Ends the connection when neither comes."""
        while True:
            try:
                payload = await asyncio.wait_for(peer.receive(), self.idle_s)
            except TimeoutError:
                raise Wrong(1011, IDLE) from None
            if isinstance(payload, bytes):
                stream.take(payload)
                return payload
            order = _order(payload)
            self.orders.append(order)
            if order != {"type": "KeepAlive"}:
                return order
            self.keep_alive(stream)

    def keep_alive(self, stream: _Stream) -> None:
        """A KeepAlive has come."""
        raise NotImplementedError


class V1Server(_Server):
    """`/v1/listen`: the handler; the whole script for each client."""

    path = "/v1/listen"
    longest_ms = 250

    def __init__(
        self, *script: Segment, idle_s: float = 10.0, tolerance_s: float = 60.0, recognize: Recognize | None = None
    ) -> None:
        """`recognize` says what sounds, instead of a script."""
        super().__init__(idle_s, tolerance_s)
        self.script = script
        self.recognize = recognize
        self.metadata = True
        """False: closes without it, which the real one should not."""
        self.configures_after = 0
        """So many blocks of sound after a `Configure` it is answered; until then another one is refused."""

    def wrong_parameters(self, query: Any) -> Iterator[str]:
        """Every parameter that is not as documented."""
        yield from (name for name in query if name not in COMMON | COMMON_BOOLEANS | V1 | V1_BOOLEANS)
        booleans = COMMON_BOOLEANS | V1_BOOLEANS
        yield from (name for name in query if name in booleans and query[name] not in ("true", "false"))
        needed = {"encoding": "linear16", "sample_rate": "16000", "channels": "1", "interim_results": "true"}
        yield from (name for name, value in needed.items() if query.get(name) != value)
        if int(query.get("utterance_end_ms", 1000)) < 1000:
            yield "utterance_end_ms"
        if query.get("endpointing", "10") != "false" and int(query.get("endpointing", 10)) < 1:
            yield "endpointing"

    def keep_alive(self, stream: _Stream) -> None:
        """Before the first sound it does not count, which nobody should rely on."""
        if not stream.samples:
            raise Wrong(1011, "NET-0001 a KeepAlive before any sound")

    async def __call__(self, peer: Peer) -> None:
        """Talk to one client."""
        stream = self.begin(peer)
        recogniser = _V1Recogniser(self.script)
        listener = Listener(self.recognize)
        pending: dict[str, Any] | None = None
        blocks = 0
        while (message := await self.next_message(peer, stream)) != {"type": "CloseStream"}:
            if isinstance(message, bytes):
                recogniser.expect(listener.take(message), stream.seconds)
                answers = list(recogniser.accept(stream.seconds))
                blocks += 1
                if pending is not None and blocks >= self.configures_after:
                    answers, pending = [*answers, self._configure(pending)], None
            elif message == {"type": "Finalize"}:
                recogniser.expect(listener.rest(), stream.seconds)
                answers = recogniser.finalize()
            elif pending is not None:
                answers = [
                    _not_configured("CONFIGURE_ALREADY_PENDING", "another Configure is still awaiting its response")
                ]
            elif self.configures_after:
                pending, blocks, answers = message, 0, []
            else:
                answers = [self._configure(message)]
            for answer in answers:
                await peer.send(answer)
        recogniser.expect(listener.rest(), stream.seconds)
        for answer in recogniser.close():
            await peer.send(answer)
        if self.metadata:
            await peer.send(_metadata(stream.seconds))

    def _configure(self, order: dict[str, Any]) -> dict[str, Any]:
        if order.get("type") != "Configure":
            return {"type": "Error", "variant": "SchemaError", "description": "unknown type", "message": str(order)}
        if not order.keys() <= {"type", "keyterms", "features"}:
            raise Wrong(1008, f"Configure with {', '.join(order)}")
        _check_terms(order)
        if not dict(self.query)["model"].startswith("nova-3"):
            return _not_configured("CONFIGURE_KEYTERMS_NOT_SUPPORTED", "this model has no key terms")
        return {"type": "ConfigureSuccess", "request_id": REQUEST_ID, "keyterms": order["keyterms"]}


def _not_configured(code: str, why: str) -> dict[str, Any]:
    return {"type": "ConfigureFailure", "request_id": REQUEST_ID, "code": code, "description": why}


class _V1Recogniser:
    """Hears a script: interim results when a word has ended, final ones when a segment has."""

    def __init__(self, script: Sequence[Segment]) -> None:
        self._script = list(script)
        self._received = 0.0
        self._frozen = 0.0
        self._reported = 0
        """Words in the last interim result."""
        self._silent: Segment | None = None
        """After which an `UtteranceEnd` is due, although `speech_final` has ended the utterance already."""

    def expect(self, utterances: list[Words], until_s: float) -> None:
        """Go on the script with what has just ended."""
        for words in utterances:
            self._script.append(Segment(until_s, *(Spoken(*word) for word in words), ends="speech_final"))

    def accept(self, received_s: float) -> Iterator[dict[str, Any]]:
        self._received = received_s
        while self._script and self._script[0].until_s <= received_s:
            segment = self._script.pop(0)
            words = [word for word in segment.words if word.end > self._frozen]
            yield self._results(words, segment.until_s, is_final=True, speech_final=segment.ends == "speech_final")
            if segment.ends == "UtteranceEnd":
                yield _utterance_end(segment)
            elif segment.ends and segment.words:
                self._silent = segment
        if self._silent and received_s >= self._silent.until_s + LATE_S:
            yield _utterance_end(self._silent)
            self._silent = None
        words = self._words()
        if len(words) != self._reported:
            yield self._results(words, received_s)
            self._reported = len(words)

    def finalize(self) -> Iterator[dict[str, Any]]:
        if self._received - self._frozen >= LITTLE_S:
            yield self._results(self._words(), self._received, is_final=True, from_finalize=True)

    def close(self) -> Iterator[dict[str, Any]]:
        if self._received > self._frozen:
            yield self._results(self._words(), self._received, is_final=True)

    def _words(self) -> list[Spoken]:
        words = self._script[0].words if self._script else ()
        return [word for word in words if self._frozen < word.end <= self._received]

    def _results(self, words: Sequence[Spoken], until_s: float, **flags: bool) -> dict[str, Any]:
        start = self._frozen
        if flags.get("is_final"):
            self._frozen, self._reported = until_s, 0
        return results(words, start, until_s - start, **flags)


def results(words: Sequence[Spoken], start: float, duration: float, **flags: bool) -> dict[str, Any]:
    """A `Results` message with all it has; `flags`: is_final, speech_final, from_finalize."""
    entries = [
        {"word": word.text.lower().rstrip(".,"), "start": word.start, "end": word.end, "confidence": 0.98}
        | {"punctuated_word": word.text}
        | ({} if word.speaker is None else {"speaker": word.speaker})
        for word in words
    ]
    transcript = " ".join(word.text for word in words)
    info = {"name": "general-nova-3", "version": "2026-01-01.0", "arch": "nova-3"}
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "start": start,
        "duration": duration,
        **{"is_final": False, "speech_final": False, "from_finalize": False},
        **flags,
        "channel": {"alternatives": [{"transcript": transcript, "confidence": 0.97, "words": entries}]},
        "metadata": {"request_id": REQUEST_ID, "model_info": info, "model_uuid": "51f0"},
    }


def _utterance_end(segment: Segment) -> dict[str, Any]:
    return {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": segment.words[-1].end}


def _metadata(seconds: float) -> dict[str, Any]:
    return {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": REQUEST_ID,
        "sha256": "0" * 64,
        "created": "2026-11-23T10:00:00.000Z",
        "duration": seconds,
        "channels": 1,
    }


class FluxServer(_Server):
    """`/v2/listen`: the handler; the whole script for each client."""

    path = "/v2/listen"
    longest_ms = 80

    def __init__(
        self, *script: Turn, idle_s: float = 10.0, tolerance_s: float = 60.0, recognize: Recognize | None = None
    ) -> None:
        """`recognize` says what sounds, instead of a script."""
        super().__init__(idle_s, tolerance_s)
        self.script = script
        self.recognize = recognize
        self.closing: Literal["no code", "no close frame"] = "no code"
        """How the connection ends after `CloseStream`."""

    def wrong_parameters(self, query: Any) -> Iterator[str]:
        """Every parameter that is not as documented."""
        yield from (name for name in query if name not in COMMON | COMMON_BOOLEANS | FLUX)
        yield from (name for name in query if name in COMMON_BOOLEANS and query[name] not in ("true", "false"))
        needed = {"encoding": "linear16", "sample_rate": "16000"}
        yield from (name for name, value in needed.items() if query.get(name) != value)
        if query.get("model") not in ("flux-general-en", "flux-general-multi"):
            yield "model"
        if "language_hint" in query and query["model"] != "flux-general-multi":
            yield "language_hint"

    def keep_alive(self, stream: _Stream) -> None:
        """There is none."""
        raise Wrong(1008, "Flux has no KeepAlive")

    async def __call__(self, peer: Peer) -> None:
        """Talk to one client."""
        stream = self.begin(peer)
        recogniser = _FluxRecogniser(self.script, Listener(self.recognize))
        number = 0
        answers: Sequence[dict[str, Any]] = [{"type": "Connected"}]
        while True:
            for answer in answers:
                await peer.send({**answer, "request_id": REQUEST_ID, "sequence_id": number})
                number += 1
            if recogniser.closed:
                break
            answers = self._answer(recogniser, await self.next_message(peer, stream), stream.seconds)
        if self.closing == "no code":
            await peer.close(cast(int, None))  # websockets' way to close with an empty frame
        else:
            peer.drop()

    def _answer(
        self, recogniser: "_FluxRecogniser", message: bytes | dict[str, Any], received_s: float
    ) -> list[dict[str, Any]]:
        match message:
            case bytes():
                return list(recogniser.accept(received_s, message))
            case {"type": "CloseStream", **rest} if not rest:
                return list(recogniser.close())
            case {"type": "ForceEndTurn", **rest} if not rest:
                return list(recogniser.force())
            case {"type": "Configure", **rest} if rest.keys() <= {"keyterms", "thresholds", "language_hints"}:
                _check_terms(message)
                return [{"type": "ConfigureSuccess", "thresholds": {}, "keyterms": message["keyterms"]}]
            case _:
                raise Wrong(1008, f"no such message: {message}")


class _FluxRecogniser:
    """Hears a script: the whole turn every quarter of a second."""

    def __init__(self, script: Sequence[Turn], listener: Listener) -> None:
        self.closed = False
        self._listener = listener
        self._script = list(script)
        self._index = 0
        self._received = 0.0
        self._updated = 0.0
        self._began = 0.0
        """Where this turn's window begins; words that ended before are in turns of before."""
        self._started = False
        self._eager = False

    def accept(self, received_s: float, pcm: bytes) -> Iterator[dict[str, Any]]:
        self._expect(self._listener.take(pcm), received_s)
        while (at := min(self._updated + UPDATE_S, self._ends())) <= received_s:
            self._received = self._updated = at
            if at == self._ends():
                yield self._end("model")
                self._script.pop(0)
            else:
                yield self._info(self._event())
        self._received = received_s

    def force(self) -> Iterator[dict[str, Any]]:
        """End the turn on what was heard; nothing without one in progress."""
        self._expect(self._listener.rest(), float("inf"))
        if self._words():
            yield self._end("manual")
            if self._ends() == float("inf"):
                self._script.clear()

    def close(self) -> Iterator[dict[str, Any]]:
        """Decode the rest; no end of turn."""
        self._expect(self._listener.rest(), float("inf"))
        self.closed = True
        yield self._info("Update")

    def _expect(self, utterances: list[Words], until_s: float) -> None:
        for words in utterances:
            self._script.append(Turn(until_s, *(Spoken(*word) for word in words)))

    def _ends(self) -> float:
        return self._script[0].until_s if self._script else float("inf")

    def _event(self) -> str:
        turn = self._script[0] if self._script else None
        if self._words() and not self._started:
            self._started = True
            return "StartOfTurn"
        if turn and turn.eager and not self._eager and turn.words[-1].end <= self._received:
            self._eager = True
            return "EagerEndOfTurn"
        return "Update"

    def _words(self) -> list[Spoken]:
        words = self._script[0].words if self._script else ()
        return [word for word in words if self._began < word.end <= self._received]

    def _end(self, trigger: str) -> dict[str, Any]:
        info = self._info("EndOfTurn") | {"trigger": trigger}
        self._index += 1
        self._began, self._started, self._eager = self._received, False, False
        return info

    def _info(self, event: str) -> dict[str, Any]:
        return turn_info(event, self._index, self._words(), self._began, self._received)


def turn_info(event: str, index: int, words: Sequence[Spoken], start: float, end: float) -> dict[str, Any]:
    """A `TurnInfo` message, but for `request_id` and `sequence_id`."""
    entries = [{"word": word.text, "confidence": 0.98, "start": word.start, "end": word.end} for word in words]
    return {
        "type": "TurnInfo",
        "event": event,
        "turn_index": index,
        "audio_window_start": start,
        "audio_window_end": end,
        "transcript": " ".join(word.text for word in words),
        "words": entries,
        "end_of_turn_confidence": 0.86 if event == "EndOfTurn" else 0.1,
    }


def _order(text: str) -> dict[str, Any]:
    try:
        order = json.loads(text)
    except json.JSONDecodeError:
        raise Wrong(1008, "DATA-0000 a text frame that is no JSON") from None
    if not isinstance(order, dict) or not isinstance(order.get("type"), str):
        raise Wrong(1008, "DATA-0000 a text frame without a type")
    return cast("dict[str, Any]", order)


def _check_terms(order: dict[str, Any]) -> None:
    terms = order.get("keyterms")
    if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
        raise Wrong(1008, "keyterms are a list of strings")
