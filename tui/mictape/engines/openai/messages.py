"""What goes over the wire of OpenAI's Realtime API, as far as a transcription session needs it.

Also distinguishes the dialects that other servers speak at the same path, by the first message they send.
"""

from typing import Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from mictape.engines.verdicts import Service, lost
from mictape.engines.websocket import Frame

Value = TypeVar("Value")


def if_set(value: Value | None) -> Value | UnsetType:
    """A setting that is left to the service when the person has not set it."""
    return UNSET if value is None else value


# What the client says.


class Transcription(msgspec.Struct, frozen=True):
    """Which model, and what helps it."""

    model: str
    language: str | UnsetType = UNSET
    languages: tuple[str, ...] | UnsetType = UNSET
    keywords: tuple[str, ...] | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    delay: str | UnsetType = UNSET


class ServerVad(msgspec.Struct, frozen=True, tag_field="type", tag="server_vad"):
    """Silence ends an utterance."""

    threshold: float | UnsetType = UNSET
    prefix_padding_ms: int | UnsetType = UNSET
    silence_duration_ms: int | UnsetType = UNSET


class SemanticVad(msgspec.Struct, frozen=True, tag_field="type", tag="semantic_vad"):
    """The sense of what was said ends an utterance."""

    eagerness: str | UnsetType = UNSET


class NoiseReduction(msgspec.Struct, frozen=True):
    """Where the microphone is, and how much of the noise is taken away."""

    type: Literal["near_field", "far_field"]
    strength: float | UnsetType = UNSET


class Format(msgspec.Struct, frozen=True, tag_field="type", tag="audio/pcm"):
    """16-bit little-endian mono PCM."""

    rate: int


class Input(msgspec.Struct, frozen=True):
    """How the sound comes and what is done with it. `turn_detection` null: the client commits."""

    format: Format
    transcription: Transcription
    turn_detection: ServerVad | SemanticVad | None
    noise_reduction: NoiseReduction | UnsetType = UNSET


class Audio(msgspec.Struct, frozen=True):
    """Only sound that comes in; a transcriber says nothing."""

    input: Input


class Session(msgspec.Struct, frozen=True, tag_field="type", tag="transcription"):
    """What is asked of a connection."""

    audio: Audio
    include: tuple[str, ...] | UnsetType = UNSET


LOGPROBS: Final = "item.input_audio_transcription.logprobs"
"""What to include for `Completed.logprobs`."""


class Update(msgspec.Struct, frozen=True, tag_field="type", tag="session.update"):
    """Sets the session up, at first and whenever something changes."""

    session: Session


class Append(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.append"):
    """Sound; on the wire in base64. Never acknowledged."""

    audio: bytes


class Commit(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.commit"):
    """Ends the utterance here; an error names `event_id` when there was nothing to end."""

    event_id: str


class Clear(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.clear"):
    """Throws away what is not committed; always answered by `Cleared`."""


def encoded(message: Update | Append | Commit | Clear) -> str:
    """The text frame."""
    return msgspec.json.encode(message).decode()


# What the server says.


class Updated(msgspec.Struct, frozen=True, tag_field="type", tag="session.updated"):
    """The settings hold from here on."""


class SpeechStarted(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.speech_started"):
    """The voice detector found speech. Its item may never be: the client may commit first, under another id."""

    audio_start_ms: int
    """Since the connection's first sample, the padding before speech included."""


class SpeechStopped(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.speech_stopped"):
    """The voice detector ended an utterance; `Committed` follows."""

    audio_end_ms: int
    """Since the connection's first sample, the silence after speech included: where the item's sound ends."""
    item_id: str


class Committed(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.committed"):
    """Sound became an item, behind the one named."""

    item_id: str
    previous_item_id: str | None = None


class Cleared(msgspec.Struct, frozen=True, tag_field="type", tag="input_audio_buffer.cleared"):
    """Everything the client sent before `Clear` was dealt with."""


class Delta(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.delta"):
    """More of an item's text."""

    item_id: str
    delta: str | None = None


class Language(msgspec.Struct, frozen=True):
    """A language recognized in an item."""

    code: str


class Token(msgspec.Struct, frozen=True):
    """A piece of text, and how likely the model found it."""

    token: str
    logprob: float


class Completed(
    msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.completed"
):
    """An item's whole text. It may be empty."""

    item_id: str
    transcript: str
    languages: tuple[Language, ...] | None = None
    logprobs: tuple[Token, ...] | None = None
    """When it was asked for; together they are the transcript."""


class Trouble(msgspec.Struct, frozen=True):
    """What went wrong, and because of which of the client's events."""

    message: str | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None
    event_id: str | None = None


class Failed(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.input_audio_transcription.failed"):
    """An item has no text and will have none. The session goes on."""

    item_id: str
    error: Trouble


class Error(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """Something went wrong; the session goes on unless the server closes it."""

    error: Trouble


class Created(msgspec.Struct, frozen=True, tag_field="type", tag="session.created"):
    """The connection has a session, not yet as asked for."""


class ItemAdded(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.added"):
    """Says again what `Committed` said."""


class ItemDone(msgspec.Struct, frozen=True, tag_field="type", tag="conversation.item.done"):
    """An item exists; says nothing about its text."""


Event = (
    Created
    | Updated
    | SpeechStarted
    | SpeechStopped
    | Committed
    | Cleared
    | Delta
    | Completed
    | Failed
    | Error
    | ItemAdded
    | ItemDone
)
"""Every message that a transcription session is known to send after the first one."""

EVENT: Final = msgspec.json.Decoder(Event)


# The first message: whose dialect this is.


class Opening(msgspec.Struct, frozen=True):
    """A server's first message, whatever it speaks."""

    type: str
    session: msgspec.Raw | UnsetType = UNSET
    """OpenAI's has the session's settings."""
    id: str | UnsetType = UNSET
    """vLLM's has the session's id instead."""


_OPENING: Final = msgspec.json.Decoder(Opening)


def recognise(message: Frame, wanted: Literal["openai", "vllm"], service: Service) -> Literal[True]:
    """Make sure that a server's first message is of the wanted dialect, or an error. Raises `Lost`."""
    try:
        opening = _OPENING.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        opening = Opening("")
    found = _dialect(opening)
    if found not in (wanted, "error"):
        remedy = f"Choose it with --engine {found}" if found in ("openai", "vllm") else "Check the engine's url"
        raise lost(f"{service} speaks {_NAMES.get(found, found)}, not {_NAMES[wanted]}", remedy, retry=False)
    return True


_NAMES: Final = {
    "openai": "OpenAI's protocol",
    "vllm": "vLLM's protocol",
    "nvidia": "NVIDIA's protocol",
}


def _dialect(opening: Opening) -> str:
    """Whose first message this is, or words for one that is unknown here."""
    match opening:
        case Opening(type="session.created", session=msgspec.Raw()):
            return "openai"
        case Opening(type="session.created", id=str()):
            return "vllm"
        case Opening(type="conversation.created"):
            return "nvidia"
        case Opening(type="error"):
            return "error"
        case Opening(type=kind):
            return f"a protocol that begins with {kind[:40]!r}"
