"""The settings of AssemblyAI's streaming protocol v3: every parameter that the vendor documents, typed.

The server ignores a parameter that it does not know, so that a misspelt one would go unseen: here it cannot be set.
Names, ranges and defaults: the vendor's asyncapi specification and streaming reference, autumn 2026. What is None
is not sent, and the server's default holds.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from mictape.engines.base import Request
from mictape.engines.key_terms import Limits
from mictape.engines.remote import primary
from mictape.engines.urls import completed, within
from mictape.units import RATE

HOSTS: Final = {
    "edge": "streaming.assemblyai.com",
    "us": "streaming.us.assemblyai.com",
    "eu": "streaming.eu.assemblyai.com",
}
"""The vendor's endpoints: the nearest, and those that keep sound and text in one zone."""

DOMAIN: Final = "assemblyai.com"

PATH: Final = "/v3/ws"

PRO: Final = "universal-3"
"""How the names of the pro models begin, those of today; `u3` is how older ones did."""

TERMS: Final = Limits(most=100, longest=50)
"""Key terms of a connection, and characters of one; more is an error."""

OWN: Final = frozenset({"region", "url", "authorize"})
"""Settings that say where and how to connect; all others are parameters under their own names."""

Unit = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Turnaround = Annotated[int, Meta(ge=50, le=10_000)]
"""Milliseconds; the server clamps to this."""
Prompt = Annotated[str, Meta(max_length=1750)]


class AssemblyAIOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[engines.assemblyai]`. Encoding and sample rate are not among them: they are those of the tape."""

    region: Literal["edge", "us", "eu"] = "edge"
    """Where sound is processed: at the nearest place, or in one data zone."""
    url: str | None = None
    """A server of one's own with this protocol, such as the vendor's self-hosted one; then `region` means nothing."""
    authorize: Literal["header", "token"] = "header"
    """How the key is shown: as it is, or, when it is a temporary token, in the request's query as `token`."""

    speech_model: str = "universal-3-6-pro"
    """The model. Always sent: the vendor's default has changed before. A replacement by the server is reported."""
    mode: Literal["min_latency", "balanced", "max_accuracy"] | None = None
    """Pro models: a preset of the silences that end a turn; not with `speaker_labels`."""
    domain: Literal["medical-v1"] | None = None
    """A vocabulary."""

    format_turns: bool | None = None
    """Universal-streaming models: each final turn again, with punctuation and case. Pro models always do."""
    min_turn_silence: Turnaround | None = None
    """Silence in ms that ends a turn when the model is sure; 400 on universal-streaming."""
    max_turn_silence: Turnaround | None = None
    """Silence in ms that ends any turn; 1280 on universal-streaming."""
    end_of_turn_confidence_threshold: Unit | None = None
    """Universal-streaming models; 0.4. The vendor advises against it."""
    vad_threshold: Unit | None = None
    """How sure of speech to be; 0.4 on universal-streaming, 0.2 on pro models, 0.5 with `speaker_labels`."""
    turn_left_pad_ms: Count | None = None
    """Sound in ms before a turn that is sent to the model with it."""
    continuous_partials: bool | None = None
    """Pro models: live text every second (default), or else every three."""
    interruption_delay: Annotated[int, Meta(ge=0, le=1000)] | None = None
    """Pro models: ms before the first live text of a turn; the server adds 256."""
    include_partial_turns: bool | None = None
    """False: final turns only."""

    keyterms_prompt: Annotated[tuple[str, ...], Meta(max_length=100)] | None = None
    """Names and words to listen for, at most 50 characters each."""
    prompt: Prompt | None = None
    """Pro models: what the conversation is about."""
    agent_context: Prompt | None = None
    """Pro models: what a machine said before; gone after a reconnect."""
    previous_context_n_turns: Annotated[int, Meta(ge=0, le=100)] | None = None
    """Pro models: how many turns before are considered; 5."""
    language_codes: Annotated[tuple[str, ...], Meta(max_length=10)] | None = None
    """Pro models: the languages spoken; they are preferred, others are still recognized."""
    language_detection: bool | None = None
    """Pro and multilingual models: report each turn's language."""

    speaker_labels: bool | None = None
    """Distinguish speakers. Turns end after 10 s then."""
    max_speakers: Annotated[int, Meta(ge=1, le=10)] | None = None
    speaker_labels_revision_interval_ms: Annotated[int, Meta(ge=120_000)] | None = None
    """How often earlier labels are looked at again."""

    voice_focus: Literal["near-field", "far-field"] | None = None
    """Suppress what is not this kind of voice."""
    voice_focus_threshold: Unit | None = None
    filter_profanity: bool | None = None
    redact_pii: bool | None = None
    """Replace personal information; there is no live text then."""
    redact_pii_policies: tuple[str, ...] | None = None
    """What is replaced: `person_name`, `phone_number`, …"""
    redact_pii_sub: Literal["hash", "entity_name"] | None = None

    inactivity_timeout: Annotated[int, Meta(ge=5, le=3600)] | None = None
    """Seconds without sound after which the server closes; none by default."""
    session_heartbeat: bool = True
    """Say every five seconds how much sound arrived: feeds the watchdog."""
    acknowledge_silence: bool | None = None
    """Say about once a second where there was no speech. By default what the model can: pro models yes."""

    llm_gateway: dict[str, Any] | None = None
    """What a language model shall do with each turn; its answers are not shown."""
    webhook_url: str | None = None
    webhook_auth_header_name: str | None = None
    webhook_auth_header_value: str | None = None
    """Lies in the configuration for everyone to read who can read that."""
    customer_support_audio_capture: bool | None = None
    """Let the vendor keep the sound; only when its support asks for it."""

    @property
    def vendor(self) -> bool:
        """Whether the server is the vendor's own: it wants a key there and costs money."""
        return within(self.base_url, DOMAIN)

    @property
    def pro(self) -> bool:
        """Whether the model is one of the pro family, which has settings and messages of its own."""
        return self.speech_model.startswith((PRO, "u3"))

    @property
    def base_url(self) -> str:
        """Where to connect, without parameters."""
        return self.url if self.url is not None else f"wss://{HOSTS[self.region]}{PATH}"


def address(options: AssemblyAIOptions, request: Request, terms: Sequence[str], token: str | None = None) -> str:
    """The url to connect to, with every parameter.

    Args:
        options: The settings.
        request: What is wanted of this connection; its language goes before the settings'.
        terms: The key terms to listen for, of both.
        token: A temporary token, sent in the query: the url is a secret then.
    """
    parameters = {
        name: value for name, value in msgspec.structs.asdict(options).items() if name not in OWN and value is not None
    }
    parameters |= {"sample_rate": RATE, "encoding": "pcm_s16le"}
    if options.pro:
        parameters.setdefault("acknowledge_silence", True)
    if request.language is not None and options.pro:
        parameters["language_codes"] = [primary(request.language)]
    parameters.pop("keyterms_prompt", None)
    if terms:
        parameters["keyterms_prompt"] = list(terms)
    if token is not None:
        parameters["token"] = token
    return completed(options.base_url, PATH, [(name, _value(value)) for name, value in parameters.items()])


def _value(value: object) -> str:
    """As the server reads it: JSON, but for strings."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
