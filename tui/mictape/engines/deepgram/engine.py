"""Deepgram, a streaming service with two protocols: `v1` for the Nova models, `flux` for those that end turns.

Here are its settings and how a connection is opened; what is said on it is in `deepgram_v1` and `deepgram_flux`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from mictape.engines.base import Capabilities, Request
from mictape.engines.deepgram.flux import FluxConnection
from mictape.engines.deepgram.v1 import DeepgramConnection, Server
from mictape.engines.key_terms import Limits
from mictape.engines.remote import RemoteEngine, primary
from mictape.engines.urls import completed, parameters
from mictape.units import RATE

PATHS: Final = {"v1": "/v1/listen", "flux": "/v2/listen"}

V1_ONLY: Final = (
    *("language", "punctuate", "smart_format", "endpointing", "utterance_end_ms", "vad_events", "dictation"),
    *("diarize", "diarize_model", "keywords", "replace", "search", "detect_entities", "extra", "version"),
    *("filler_words", "no_delay"),
)
FLUX_ONLY: Final = ("eager_eot_threshold", "eot_threshold", "eot_timeout_ms")

V1_DEFAULTS: Final[Mapping[str, object]] = {"smart_format": True, "endpointing": 300, "utterance_end_ms": 1000}
"""Ours where the server's would cut lines at every breath (10 ms) or leave them without punctuation. 300 ms is its
guide's value for conversations (Configure Endpointing and Interim Results), 1000 ms the least there is."""

PACE: Final = 1.25
"""Times real time: how fast the vendor's own reconnect example drains what has gathered."""

USD_PER_HOUR: Final = {
    "nova-3": 0.288,
    "nova-3 multi": 0.348,
    "flux-general-en": 0.39,
    "flux-general-multi": 0.468,
}
"""Streaming, pay as you go: 0.0048, 0.0058, 0.0065 and 0.0078 dollars a minute (deepgram.com/pricing, August 2026)."""

NOVA_2: Final = (
    *("bg", "ca", "zh", "cs", "da", "nl", "en", "et", "fi", "fr", "de", "el", "hi", "hu", "id", "it", "ja", "ko"),
    *("lv", "lt", "ms", "no", "pl", "pt", "ro", "ru", "sk", "es", "sv", "th", "tr", "uk", "vi", "multi"),
)

LANGUAGES: Final = {
    "flux-general-en": ("en",),
    "flux-general-multi": ("en", "es", "fr", "de", "hi", "ru", "pt", "ja", "it", "nl"),
    "nova-2": NOVA_2,
    "nova-2-general": NOVA_2,
}
"""Primary languages by model (developers.deepgram.com, Models & Languages Overview; Nova-2: changelog of 14 May 2024).
Nova-3 gets new ones every few months, so the service is asked; it refuses what it does not know with a sentence."""

MOST_TOKENS: Final = 500
"""Of all key terms together. More at the start is an HTTP 400; more later stops the transcription without a word
and closes it after 30 s (changelog, correction of the entry of 2 October 2026)."""

DIARIZATION_USD_PER_HOUR: Final = 0.12
"""On top of it, with speakers: 0.002 dollars a minute (as above, May 2026)."""


OTHERWISE_PRICED: Final = ("keyterm", "redact", "detect_entities", "mip_opt_out")
"""Settings that may change the price, by how much is not known here: with one of them no price is given."""


class DeepgramOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.deepgram]`. What is None or empty is left to the server, unless it says otherwise.

    Fixed, because everything else here depends on it: encoding, sample rate, one channel, interim results. No
    callback, which would send the text somewhere else.
    """

    api: Literal["v1", "flux"] = "v1"
    """Which protocol; it decides which models and which of the settings below there are."""
    url: str = "wss://api.deepgram.com"
    """Where the service is: another region (`wss://api.eu.deepgram.com`) or a server of one's own. A path is kept."""
    model: str | None = None
    """None: `nova-3`; with flux `flux-general-en`, or `flux-general-multi` when another language is asked for
    or hinted at."""

    # Both protocols.
    keyterm: tuple[str, ...] = ()
    """Words and names to expect, besides the session's own (Nova-3 and Flux; 500 tokens together)."""
    language_hint: tuple[str, ...] = ()
    """Languages to expect, for multilingual models."""
    numerals: bool | None = None
    """Numbers as digits."""
    profanity_filter: bool | None = None
    """Strong language replaced."""
    redact: tuple[str, ...] = ()
    """What to leave out: `pci`, `pii`, `numbers` and more; with flux numbers only."""
    tag: tuple[str, ...] = ()
    """Labels for the vendor's usage reports."""
    mip_opt_out: bool | None = None
    """True: the sound is not used to improve the vendor's models (another price)."""

    # Only v1.
    language: str | None = None
    """Language code, or `multi`; the language asked for in a session goes first."""
    punctuate: bool | None = None
    """Punctuation and capitals; `smart_format` includes it."""
    smart_format: bool | None = None
    """Dates, amounts, addresses and the like written as one writes them. None: true."""
    endpointing: Annotated[int, Meta(ge=1)] | bool | None = None
    """Milliseconds of silence that end an utterance; false: none do. None: 300."""
    utterance_end_ms: Annotated[int, Meta(ge=1000)] | bool | None = None
    """Milliseconds without a word that end one where it is never silent; false: none do. None: 1000."""
    vad_events: bool | None = None
    """Have the server say when a voice begins; Mictape has no use for it."""
    filler_words: bool | None = None
    """Write “uh” and “um”, too; the server leaves them out by default."""
    no_delay: bool | None = None
    """With `smart_format`: do not wait for the rest of a number."""
    dictation: bool | None = None
    """Spoken punctuation (“comma”) becomes punctuation."""
    diarize: bool | None = None
    """Distinguish speakers; the vendor now prefers `diarize_model`."""
    diarize_model: str | None = None
    """Distinguish speakers with this model: `latest` or `v1`."""
    keywords: tuple[str, ...] = ()
    """Words to expect, for models before Nova-3: `WORD` or `WORD:INTENSIFIER`."""
    replace: tuple[str, ...] = ()
    """What to write for what is recognized: `RECOGNIZED:WRITTEN`."""
    search: tuple[str, ...] = ()
    """Words to look for; Mictape has its own search and does not show these hits."""
    detect_entities: bool | None = None
    """Have the server name entities; Mictape does not show them."""
    extra: tuple[str, ...] = ()
    """`KEY:VALUE` pairs that the server only repeats."""
    version: str | None = None
    """The model's version; None: the latest."""

    # Only flux.
    eager_eot_threshold: Annotated[float, Meta(ge=0.3, le=0.9)] | None = None
    """Confidence at which a turn is said to end perhaps."""
    eot_threshold: Annotated[float, Meta(ge=0.5, le=1.0)] | None = None
    """Confidence at which a turn ends; 1.0: never by itself. The server's own is 0.7."""
    eot_timeout_ms: Annotated[int, Meta(ge=500, le=60_000)] | None = None
    """Milliseconds of silence that end a turn in any case. The server's own is 5000."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a setting of the other protocol: the server would only refuse the connection."""
        foreign = FLUX_ONLY if self.api == "v1" else V1_ONLY
        other = "flux" if self.api == "v1" else "v1"
        for name in foreign:
            if getattr(self, name) not in (None, ()):
                raise ValueError(f'{name} is a setting of api = "{other}"')
        for name in ("endpointing", "utterance_end_ms"):
            if getattr(self, name) is True:
                raise ValueError(f"{name} is a number of milliseconds or false")

    @property
    def speakers(self) -> bool:
        """Whether speakers are distinguished."""
        return bool(self.diarize or self.diarize_model)


def address(options: DeepgramOptions, request: Request, terms: tuple[str, ...] = ()) -> str:
    """The url of a connection, its settings in the query: lists as repeated names, booleans in lower case.

    `terms` are all the key terms, those of the settings too.
    """
    settings = _settings(options, request, terms) | {"encoding": "linear16", "sample_rate": RATE}
    if options.api == "v1":
        settings |= {"channels": 1, "interim_results": True}
    return completed(options.url, PATHS[options.api], parameters(settings))


def model_for(options: DeepgramOptions, request: Request) -> str:
    """The model's name."""
    if options.model is not None or options.api == "v1":
        return options.model or "nova-3"
    english = _is_english(request.language) and all(map(_is_english, options.language_hint))
    return "flux-general-en" if english else "flux-general-multi"


def terms_setting(options: DeepgramOptions, request: Request) -> Literal["keyterm", "keywords"]:
    """Under which name the model takes key terms."""
    newer = options.api == "flux" or model_for(options, request).startswith("nova-3")
    return "keyterm" if newer else "keywords"


def _settings(options: DeepgramOptions, request: Request, terms: tuple[str, ...]) -> dict[str, object]:
    given = {name: value for name, value in msgspec.structs.asdict(options).items() if value not in (None, ())}
    del given["api"], given["url"]
    model = model_for(options, request)
    settings: dict[str, object] = {**given, "model": model}
    settings[terms_setting(options, request)] = terms
    if options.api == "v1":
        settings = {**V1_DEFAULTS, **settings}
        if settings["utterance_end_ms"] is False:
            del settings["utterance_end_ms"]  # there is no word for none
        if request.language is not None:
            settings["language"] = request.language
    elif model == "flux-general-en":
        settings.pop("language_hint", None)  # it has one language, and refuses hints
    elif request.language is not None:
        settings["language_hint"] = (request.language,)
    return settings


def _is_english(language: str | None) -> bool:
    return primary(language) in (None, "en")


def _price(options: DeepgramOptions) -> float | None:
    """Dollars an hour; None where no list price is known."""
    if any(getattr(options, name) for name in OTHERWISE_PRICED):
        return None
    model = model_for(options, Request())
    price = USD_PER_HOUR.get(f"{model} multi" if options.language == "multi" else model)
    return price if price is None or not options.speakers else price + DIARIZATION_USD_PER_HOUR


def tokens(term: str) -> int:
    """About how many tokens a key term is, counted rather too high: the service does not say how it counts."""
    return len(term) // 3 + 1


def is_grant(key: str | None) -> bool:
    """Whether a key is a token that `/v1/auth/grant` gave, a JSON web token, and no API key."""
    return key is not None and key.startswith("eyJ")


class DeepgramEngine(RemoteEngine[DeepgramOptions, DeepgramConnection | FluxConnection]):
    """Deepgram's service, or a server of one's own that speaks its protocol (Deepgram's own, WhisperLiveKit)."""

    Options: ClassVar = DeepgramOptions
    name = "deepgram"
    vendor = "Deepgram"
    domain = "deepgram.com"
    key_variable = "DEEPGRAM_API_KEY"
    key_terms = Limits(total=MOST_TOKENS, cost=tokens, unit="tokens")
    languages = LANGUAGES
    price_as_of = "2026-08"
    language_remedy = "Choose another with model in [engines.deepgram]"

    def __init__(self, options: DeepgramOptions, log: Path, key: str | None = None) -> None:
        """As every engine at an address."""
        super().__init__(options, log, key)
        self._server = Server()

    def _model(self) -> str:
        return model_for(self._options, Request())

    def _usd_per_hour(self) -> float | None:
        return _price(self._options)

    def _able(self) -> Capabilities:
        options = self._options
        flux = options.api == "flux"
        return Capabilities(
            # Nova's guide asks for 20 to 250 ms, Flux's strongly for 80 ms.
            block_ms=(20, 80) if flux else (20, 250),
            fastest_pace=PACE,
            keep_alive="silence" if flux else "message",
            word_times=True,
            confidence=True,
            speakers=options.speakers,
            # Without a model another language chooses the one that has it.
            languages=self.languages["flux-general-multi"] if flux and options.model is None else (),
            takes_language=True,
        )

    def _own_languages(self) -> tuple[str, ...]:
        return tuple(filter(None, (self._options.language, *self._options.language_hint)))

    def _own_terms(self) -> tuple[str, ...]:
        name = terms_setting(self._options, Request())
        return self._options.keyterm if name == "keyterm" else self._options.keywords

    async def _open(self, request: Request) -> DeepgramConnection | FluxConnection:
        terms = self._terms(request)
        taken = terms.taken if terms else ()
        headers = {"Authorization": f"{'Bearer' if is_grant(self._key) else 'Token'} {self._key}"} if self._key else {}
        socket = await self._socket(address(self._options, request, taken), headers)
        if self._options.api == "flux":
            return FluxConnection(socket, self.service, terms, patience_s=self.patience_s)
        speakers = self._options.speakers
        return DeepgramConnection(
            socket, self.service, terms, self._server, speakers=speakers, patience_s=self.patience_s
        )
