"""What AssemblyAI's streaming protocol v3 says, one type a message, and what its codes mean.

Sources: the vendor's asyncapi specification and streaming reference (autumn 2026), and the models of its Python
SDK 1.8.2. What a message may lack there, it may lack here; what it has besides is ignored. Times are milliseconds
since the first sample of the connection.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from mictape.engines.verdicts import BAD_KEY, Verdict

# From the server.


class Configuration(msgspec.Struct):
    """What the server made of the request. It ignores parameters that it does not know."""

    model: str | None = None


class Begin(msgspec.Struct, tag_field="type", tag="Begin"):
    """The first message of a connection."""

    id: str
    expires_at: float | None = None
    """Unix seconds."""
    configuration: Configuration | None = None


class Word(msgspec.Struct):
    """One word of a turn."""

    text: str
    start: float
    end: float
    confidence: float | None = None
    word_is_final: bool = False
    speaker: str | None = None


class Turn(msgspec.Struct, tag_field="type", tag="Turn"):
    """The whole of a turn so far; it replaces what was said of this turn before."""

    turn_order: int
    end_of_turn: bool
    """The only sign of a turn's end: `turn_is_formatted` is true on partials of newer models, too."""
    transcript: str
    """On universal-streaming models the finished words only; `words` has the others, too."""
    words: tuple[Word, ...]
    language_code: str | None = None
    speaker_label: str | None = None


class SpeechStarted(msgspec.Struct, tag_field="type", tag="SpeechStarted"):
    """A speaker begins; pro models only."""

    timestamp: float


class Revision(msgspec.Struct):
    """Who spoke in a turn, after all."""

    turn_order: int
    speaker_label: str | None = None


class SpeakerRevision(msgspec.Struct, tag_field="type", tag="SpeakerRevision"):
    """Labels of earlier turns that changed; the others are left out."""

    revisions: tuple[Revision, ...]


class Heartbeat(msgspec.Struct, tag_field="type", tag="Heartbeat"):
    """Every five seconds, when asked for."""

    total_audio_received_ms: float


class Silence(msgspec.Struct, tag_field="type", tag="Silence"):
    """A stretch without speech, when asked for; after trouble on the server's side one may come again."""

    end_ms: float


class Warned(msgspec.Struct, tag_field="type", tag="Warning"):
    """Something that does not end the connection."""

    warning: str


class Gateway(msgspec.Struct, tag_field="type", tag="LLMGatewayResponse"):
    """What a language model made of a turn; nothing that was said."""


class Termination(msgspec.Struct, tag_field="type", tag="Termination"):
    """The last message: all sound is transcribed."""


class Failed(msgspec.Struct, tag_field="type", tag="Error"):
    """Why the connection will be closed."""

    error: str
    error_code: int | None = None


class Untyped(msgspec.Struct):
    """The same in its oldest form, v2's, which has no `type`."""

    error: str
    error_code: int | None = None


Message = Begin | Turn | SpeechStarted | SpeakerRevision | Heartbeat | Silence | Warned | Gateway | Termination | Failed

MESSAGE: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)
UNTYPED: Final = msgspec.json.Decoder(Untyped)


def decoded(frame: str | bytes) -> Message:
    """What a frame says. Raises msgspec's errors."""
    try:
        return MESSAGE.decode(frame)
    except msgspec.ValidationError as error:
        try:
            untyped = UNTYPED.decode(frame)
        except msgspec.ValidationError:
            raise error from None
        return Failed(untyped.error, untyped.error_code)


# To the server.


class UpdateConfiguration(msgspec.Struct, tag_field="type", tag="UpdateConfiguration"):
    """Changes what is listened for, from here on; not answered."""

    keyterms_prompt: list[str]


FORCE_ENDPOINT: Final = '{"type":"ForceEndpoint"}'
KEEP_ALIVE: Final = '{"type":"KeepAlive"}'
TERMINATE: Final = '{"type":"Terminate"}'

# Codes, of the Error message and of the close frame after it.

SLOWLY_S: Final = 15.0
"""Seconds before another attempt where there are too many connections: a free account may open five a minute."""

FUNDS: Final = "Add funds to the account, or choose another engine"
SETTINGS: Final = "Check the engine's settings"

SPENT_TOKEN: Final = Verdict(
    "{service} does not accept the temporary token: it opens one connection",
    'Use an API key with authorize = "header", or start again with a new token',
    retry=False,
)
NO_FUNDS: Final = Verdict("The account at {service} has no funds", FUNDS, retry=False)
DISABLED: Final = Verdict("{service} has disabled the account", "Ask the service's support", retry=False)
TOO_MANY: Final = Verdict("{service} has too many connections of this account open", after_s=SLOWLY_S)
EXPIRED: Final = Verdict("The connection reached the time limit of {service}")
IDLE: Final = Verdict("{service} closed the connection: nothing came for too long")
OUT_OF_PACE: Final = Verdict("{service} does not take sound at this pace", after_s=1.0)
MISUNDERSTOOD: Final = Verdict("{service} could not use what it was sent", SETTINGS, retry=False)

LEGACY_CODES: Final[Mapping[int, Verdict]] = {
    1013: Verdict("{service} is overloaded", after_s=5.0),
    4000: Verdict("{service} does not take this sample rate", SETTINGS, retry=False),
    4001: BAD_KEY,
    4002: NO_FUNDS,
    4003: Verdict("{service} does this for paying accounts only", FUNDS, retry=False),
    4004: Verdict("{service} does not know the session"),
    4008: EXPIRED,
    4010: Verdict("{service} had closed the session"),
    4029: OUT_OF_PACE,
    4030: Verdict("Another connection has taken over the session"),
    4031: IDLE,
    4032: Verdict("{service} found a block of sound too short"),
    4033: Verdict("{service} found a block of sound too long"),
    4034: Verdict("{service} found a block of sound too small"),
    4100: MISUNDERSTOOD,
    4101: MISUNDERSTOOD,
    4102: TOO_MANY,
    4103: Verdict("Another connection has taken over the session"),
    4104: Verdict("{service} could not read the words to listen for", SETTINGS, retry=False),
}
"""The protocol v2's (vendor's Node SDK, `realtime.ts`); v3 still lists them.

A session is never taken up again, so each that is only gone is worth a new one.
"""

CODES: Final[Mapping[int, Verdict]] = {
    **LEGACY_CODES,
    1008: BAD_KEY,
    1009: Verdict("{service} found a message too large", SETTINGS, retry=False),
    1011: Verdict("{service} has trouble of its own"),
    3005: Verdict("{service} has trouble of its own"),
    3006: MISUNDERSTOOD,
    3007: OUT_OF_PACE,
    3008: EXPIRED,
    3009: TOO_MANY,
}
"""Those of the page on session errors and closures in the vendor's documentation."""

_WORDS: Final = (
    ((1008,), ("balance", "fund", "billing", "payment"), NO_FUNDS),
    ((1008,), ("disabled", "suspended"), DISABLED),
    ((1008, 3005), ("concurrent", "too many"), TOO_MANY),
    ((3005, 3006), ("inactiv", "idle"), IDLE),
    ((3005,), ("duration violation", "transmission rate"), OUT_OF_PACE),
    ((3005,), ("expired", "maximum session"), EXPIRED),
    ((3005,), ("invalid",), MISUNDERSTOOD),
)
"""Codes that stand for several things, and the words that show which: 1008 also means too many connections or an
account in trouble, 3006
also that nothing came, and before March 2026 3005 stood for everything that is now 3005 to 3009."""


def verdict(code: int, text: str) -> Verdict | None:
    """What a code means, with the words that came with it; None for a code that is not AssemblyAI's own."""
    said = text.lower()
    for codes, words, meaning in _WORDS:
        if code in codes and any(word in said for word in words):
            return meaning
    return CODES.get(code)


def of_own_server(meaning: Verdict | None) -> Verdict | None:
    """What a code means when the server is one's own: it may have other models than the vendor's default."""
    if meaning is not MISUNDERSTOOD:
        return meaning
    remedy = 'Set speech_model to one that it serves, such as "universal-3-5-pro", and check the other settings'
    return replace(MISUNDERSTOOD, remedy=remedy)
