"""AssemblyAI's protocol v3 by the book: says what its script says, and nothing to a client that is wrong.

    assemblyai = V3Server(Speech(Utterance(Said("hello", 500, 900), Said("there", 1000, 1400))))
    async with serve(assemblyai, admit=assemblyai.admit) as server:
        ...  # connect to server.url with KEY
    assert not server.violations

A script is any coroutine function that takes a `V3Session`: `Speech` is one, a test may bring its own. `Begin` comes
before it, `Termination` after it when the client asked for it, a clean close in mid-stream when it did not.

Time is the sound's: what was sent decides what is said, the clock only how fast it may be sent. Stricter than the
real one: that ignores parameters it does not know.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from servers.base import REASON_BYTES, Asked, PaceMeter, Peer, Refusal, Wrong
from servers.ear import Listener, Recognize

KEY: Final = "assemblyai-key-for-tests-only"
PATH: Final = "/v3/ws"
LARGEST: Final = 128 << 10
"""Bytes of a message."""

BYTES: Final = {"pcm_s16le": 2, "pcm_mulaw": 1}
"""Of a sample; the encodings that this server can measure."""

BOOLEANS: Final = {
    *("format_turns", "continuous_partials", "language_detection", "speaker_labels", "session_heartbeat"),
    *("acknowledge_silence", "filter_profanity", "redact_pii", "include_partial_turns"),
    "customer_support_audio_capture",
}
NUMBERS: Final[dict[str, tuple[float, float]]] = {
    "end_of_turn_confidence_threshold": (0, 1),
    "vad_threshold": (0, 1),
    "voice_focus_threshold": (0, 1),
}
INTEGERS: Final[dict[str, tuple[int, int]]] = {
    "sample_rate": (8000, 96_000),
    "min_turn_silence": (50, 10_000),
    "min_end_of_turn_silence_when_confident": (50, 10_000),
    "max_turn_silence": (50, 10_000),
    "interruption_delay": (0, 1000),
    "turn_left_pad_ms": (0, 10_000),
    "previous_context_n_turns": (0, 100),
    "max_speakers": (1, 10),
    "speaker_labels_revision_interval_ms": (120_000, 1 << 31),
    "inactivity_timeout": (5, 3600),
}
CHOICES: Final = {
    "encoding": set(BYTES),
    "speech_model": {
        *("universal-3-6-pro", "universal-3-5-pro", "universal-streaming-english", "universal-streaming-multilingual"),
        *("u3-rt-pro", "u3-pro", "whisper-rt"),
    },
    "mode": {"min_latency", "balanced", "max_accuracy"},
    "domain": {"medical-v1"},
    "voice_focus": {"near-field", "far-field"},
    "redact_pii_sub": {"hash", "entity_name"},
}
LISTS: Final = {"keyterms_prompt": (100, 50), "language_codes": (10, 8), "redact_pii_policies": (50, 40)}
"""Most entries, and most characters of one."""
STRINGS: Final = {
    **{"prompt": 1750, "agent_context": 1750, "token": 4096, "language_code": 8, "llm_gateway": 100_000},
    **{"webhook_url": 4096, "webhook_auth_header_name": 256, "webhook_auth_header_value": 4096},
}
"""Most characters."""

LIVE: Final = {
    *("end_of_turn_confidence_threshold", "min_turn_silence", "max_turn_silence", "keyterms_prompt", "mode", "prompt"),
    *("continuous_partials", "vad_threshold", "interruption_delay", "agent_context", "language_codes"),
    *("session_heartbeat", "filter_profanity", "turn_left_pad_ms", "acknowledge_silence"),
}
"""What `UpdateConfiguration` may change: the documented fields of both families and those of the SDK's model."""

BARE: Final = {"ForceEndpoint", "KeepAlive", "Terminate"}
"""Messages that are nothing but their type."""


@dataclass(frozen=True, slots=True)
class Said:
    """A word; milliseconds since the first byte."""

    text: str
    start: int
    end: int
    speaker: str | None = None


class Utterance:
    """What is said in one turn, which ends `silence_ms` after its last word."""

    def __init__(
        self, *words: Said, formatted: str | None = None, speaker: str | None = None, silence_ms: int = 400
    ) -> None:
        self.words = words
        self.formatted = formatted
        """The text with punctuation and case; None: the formatted turn never comes."""
        self.speaker = speaker
        self.silence_ms = silence_ms

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


def value_of(name: str, value: Any) -> Any:
    """A parameter's value, checked; from the query it is a string, from `UpdateConfiguration` already a value."""
    try:
        return _checked(name, value)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Wrong(3006, f"Invalid value of {name}") from None


def _checked(name: str, value: Any) -> Any:
    if name in BOOLEANS:
        return value if isinstance(value, bool) else {"true": True, "false": False}[value.lower()]
    if name in INTEGERS or name in NUMBERS:
        number = int(value) if name in INTEGERS else float(value)
        lowest, highest = INTEGERS.get(name) or NUMBERS[name]
        if not lowest <= number <= highest:
            raise ValueError
        return number
    if name in LISTS:
        return _checked_list(name, json.loads(value) if isinstance(value, str) else value)
    if name in CHOICES and value in CHOICES[name]:
        return value
    if name in STRINGS and len(value) <= STRINGS[name]:
        return value
    raise ValueError


def _checked_list(name: str, entries: Any) -> list[str]:
    most, longest = LISTS[name]
    if not isinstance(entries, list) or len(entries) > most:
        raise ValueError
    if not all(isinstance(entry, str) and 0 < len(entry) <= longest for entry in entries):
        raise ValueError
    return entries


class V3Session:
    """One client: what it sent, checked, and what can be said to it."""

    def __init__(self, peer: Peer, parameters: dict[str, Any], pace: PaceMeter) -> None:
        self.peer = peer
        self.parameters = parameters
        self.orders: list[dict[str, Any]] = []
        """Every text message, in order."""
        self.blocks_ms: list[float] = []
        """How long each block of sound was."""
        self.terminating = False
        """The client has sent `Terminate`."""
        self.pace = pace

    @property
    def audio_ms(self) -> float:
        """How much sound came."""
        return sum(self.blocks_ms)

    @property
    def pro(self) -> bool:
        return str(self.parameters.get("speech_model", "universal-3-6-pro")).startswith(("universal-3", "u3"))

    async def receive(self) -> bytes | dict[str, Any]:
        """The next block of sound or order. Raises `Wrong`."""
        payload = await self.peer.receive()
        if self.terminating:
            raise Wrong(3006, "Nothing may come after Terminate")
        if len(payload) > LARGEST:
            raise Wrong(1009, "Message too big")
        if isinstance(payload, bytes):
            self._take(payload)
            return payload
        order = self._order(payload)
        self.orders.append(order)
        self.terminating = order["type"] == "Terminate"
        return order

    async def received_ms(self, ms: float) -> bool:
        """Wait until so much sound came; False when the client terminates before."""
        while self.audio_ms < ms and not self.terminating:
            await self.receive()
        return self.audio_ms >= ms

    async def message(self, kind: str) -> dict[str, Any]:
        """Wait for an order of this type."""
        while not isinstance(order := await self.receive(), dict) or order["type"] != kind:
            pass
        return order

    def _take(self, pcm: bytes) -> None:
        rate, size = self.parameters["sample_rate"], BYTES[self.parameters.get("encoding", "pcm_s16le")]
        ms = len(pcm) * 1000 / size / rate
        if not 50 <= ms <= 1000 or len(pcm) % size:
            raise Wrong(3007, f"Input duration violation: {ms:g} ms. Expected between 50 and 1000 ms")
        self.blocks_ms.append(ms)
        if not self.pace.take(ms / 1000):
            raise Wrong(3007, "Audio Transmission Rate Exceeded")

    def _order(self, payload: str) -> dict[str, Any]:
        try:
            order = json.loads(payload)
        except ValueError:
            raise Wrong(3006, "Invalid JSON") from None
        kind = order.get("type") if isinstance(order, dict) else None
        if kind in BARE and set(order) == {"type"}:
            return order
        if kind == "UpdateConfiguration" and len(order) > 1 and set(order) <= LIVE | {"type"}:
            for name, value in order.items():
                if name != "type":
                    self.parameters[name] = value_of(name, value)
            return order
        raise Wrong(3006, f"Invalid Message: {payload[:60]}")

    # What can be said.

    async def say(self, kind: str, **fields: Any) -> None:
        """Send a message of this type."""
        await self.peer.send({"type": kind, **fields})

    async def begin(self, model: str) -> None:
        configuration = {
            "model": model,
            "mode": self.parameters.get("mode", "balanced") if self.pro else None,
            "api_version": self.peer.asked.headers.get("assemblyai-version"),
            "speaker_labels": self.parameters.get("speaker_labels"),
            "domain": None,
            "voice_focus": None,
        }
        ident = "0d9f7b1c-3c0a-4d55-8a53-5f3c1f2f7a01"
        await self.say("Begin", id=ident, expires_at=1_795_449_600, configuration=configuration)

    async def turn(
        self, order: int, words: Sequence[Said], *, end: bool = False, text: str | None = None, **more: Any
    ) -> None:
        """Say what a turn sounds like: every word of it so far.

        Args:
            order: The turn's number.
            words: Every word of it so far.
            end: Whether it is over.
            text: The formatted text.
            more: Other fields, `speaker_label` and the like.
        """
        final = len(words) if end else 0 if self.pro else len(words) - 1
        transcript = " ".join(word.text for word in (words if self.pro else words[:final]))
        plain = " ".join(word.text for word in words)
        await self.say(
            "Turn",
            **{
                "turn_order": order,
                "turn_is_formatted": text is not None or (end and self.pro),
                "end_of_turn": end,
                "transcript": transcript if text is None else text,
                "end_of_turn_confidence": float(end) if self.pro else 0.81 if end else 0.003,
                "words": [_word(word, final=number < final) for number, word in enumerate(words)],
                "utterance": plain if end and text is None else "",
                **more,
            },
        )

    async def fail(self, code: int, text: str) -> None:
        """End the connection as the real one does: an Error message, then the close frame with the same code."""
        await self.say("Error", error_code=code, error=text)
        await self.peer.close(code, _reason(text))


def _word(word: Said, *, final: bool) -> dict[str, Any]:
    said = {"text": word.text, "start": word.start, "end": word.end, "confidence": 0.97, "word_is_final": final}
    return said | ({"speaker": word.speaker} if word.speaker else {})


def _reason(text: str) -> str:
    return text if len(text.encode()) <= REASON_BYTES else "See Error message for details"


Script = Callable[[V3Session], Awaitable[None]]


async def silence(session: V3Session) -> None:
    """A script: nobody speaks."""
    while not session.terminating:
        await session.receive()


class Speech:
    """A script: words are heard when their sound came, turns end after a silence, by `ForceEndpoint`, or at the end.

    With `format_turns`, or on pro models, the formatted text comes where an utterance has one: on pro models as the
    only end, on the others as a second one.
    """

    def __init__(self, *utterances: Utterance, heartbeat_ms: int = 5000) -> None:
        self._utterances = utterances
        self._heartbeat_ms = heartbeat_ms

    async def __call__(self, session: V3Session) -> None:
        speaking = _Speaking(session, self._utterances, self._heartbeat_ms)
        while not session.terminating:
            match await session.receive():
                case {"type": "ForceEndpoint" | "Terminate"}:
                    await speaking.end()
                case bytes():
                    await speaking.go_on()
                case _:
                    pass


def by_ear(recognize: Recognize) -> "Script":
    """A script: what sounds is said, each utterance a turn."""

    async def script(session: V3Session) -> None:
        listener, order = Listener(recognize), 0
        while not session.terminating:
            payload = await session.receive()
            ends = not isinstance(payload, bytes) and payload["type"] in ("ForceEndpoint", "Terminate")
            over = listener.take(payload) if isinstance(payload, bytes) else listener.rest() if ends else []
            for words in over:
                said = [Said(text, round(start * 1000), round(end * 1000)) for text, start, end in words]
                await session.turn(order, said, end=True)
                order += 1

    return script


class _Speaking:
    """Where one session is in the script."""

    def __init__(self, session: V3Session, utterances: Sequence[Utterance], heartbeat_ms: int) -> None:
        self._session = session
        self._left = list(utterances)
        self._order = 0
        self._said = 0
        """How many words of the turn that is spoken were heard."""
        self._silent_ms = 0
        self._beat_ms = self._heartbeat_ms = heartbeat_ms

    async def go_on(self) -> None:
        now = self._session.audio_ms
        while self._left and self._said < len(self._left[0].words) and self._left[0].words[self._said].end <= now:
            if self._said == 0 and self._session.pro:
                await self._session.say("SpeechStarted", timestamp=self._left[0].words[0].start, confidence=0.9)
            self._said += 1
            await self._turn()
        if self._said and now >= self._left[0].words[-1].end + self._left[0].silence_ms:
            await self.end()
        await self._send_progress(now)

    async def end(self) -> None:
        """The turn is over, if there is one, with the words heard so far."""
        if not self._said:
            return
        complete = self._said == len(self._left[0].words)
        formatted = self._left[0].formatted if complete else None
        if self._session.pro:
            await self._turn(end=True, text=formatted)
        else:
            await self._turn(end=True)
            if formatted is not None and self._session.parameters.get("format_turns"):
                await self._turn(end=True, text=formatted)
        self._silent_ms = max(self._silent_ms, self._left[0].words[self._said - 1].end)
        rest = self._left[0].words[self._said :]
        self._left[:1] = [Utterance(*rest, speaker=self._left[0].speaker)] if rest else []
        self._said, self._order = 0, self._order + 1

    async def _turn(self, *, end: bool = False, text: str | None = None) -> None:
        utterance, more = self._left[0], dict[str, Any]()
        if self._session.parameters.get("speaker_labels"):
            more["speaker_label"] = utterance.speaker or "PENDING"
        await self._session.turn(self._order, utterance.words[: self._said], end=end, text=text, **more)

    async def _send_progress(self, now: float) -> None:
        """Silence once a second of it, and heartbeats; the real ones come by the wall clock."""
        silent_until = int(min(now, self._left[0].words[0].start) if self._left else now)
        if self._session.parameters.get("acknowledge_silence") and silent_until - self._silent_ms >= 1000:
            await self._session.say("Silence", start_ms=self._silent_ms, end_ms=silent_until)
            self._silent_ms = silent_until
        if self._session.parameters.get("session_heartbeat") and now >= self._beat_ms:
            beat = {"total_audio_received_ms": int(now), "total_duration_ms": int(now) + 30, "realtime_factor": 1.0}
            await self._session.say("Heartbeat", **beat, max_speech_probability=0.9)
            self._beat_ms += self._heartbeat_ms


@dataclass
class V3Server:
    """The server: a handler and an `admit` for `servers.serve`."""

    script: Script = silence
    key: str | None = KEY
    """None: no key is asked for, as by a server of one's own."""
    refusal: Literal["http", "close"] = "http"
    """How a wrong key is refused: at the upgrade with 401, or behind it with 1008. The real one does both."""
    model: str | None = None
    """What `Begin` says is used; None: what was asked for."""
    fastest: float | None = 1.0
    tolerance_s: float = 5.0
    """Seconds of sound that a client may be ahead of the clock."""
    sessions: list[V3Session] = field(default_factory=list[V3Session])
    """Every session that began."""

    def admit(self, asked: Asked) -> Refusal | None:
        if asked.path != PATH:
            return Refusal(404)
        if self.refusal == "http" and not self._knows(asked):
            return Refusal(401, "Unauthorized")
        return None

    async def __call__(self, peer: Peer) -> None:
        try:
            await self._serve(peer)
        except Wrong as wrong:
            peer.violation = wrong  # now, because the client may be gone already
            await peer.send({"type": "Error", "error_code": wrong.code, "error": wrong.text})
            raise Wrong(wrong.code, _reason(wrong.text)) from None

    async def _serve(self, peer: Peer) -> None:
        if not self._knows(peer.asked):
            raise Wrong(1008, "Not authorized")
        parameters = {name: value_of(name, value) for name, value in peer.asked.query.items()}
        if "sample_rate" not in parameters:
            raise Wrong(3006, "Missing sample_rate")
        session = V3Session(peer, parameters, PaceMeter(self.fastest, self.tolerance_s))
        self.sessions.append(session)
        await session.begin(self.model or parameters.get("speech_model", "universal-3-6-pro"))
        await self.script(session)
        if session.terminating:
            seconds = round(session.audio_ms / 1000)
            await session.say("Termination", audio_duration_seconds=seconds, session_duration_seconds=seconds)

    def _knows(self, asked: Asked) -> bool:
        return self.key is None or self.key in (asked.headers.get("authorization"), asked.query.get("token"))
