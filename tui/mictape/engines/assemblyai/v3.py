"""AssemblyAI's streaming protocol v3, and everything that speaks it: the vendor's cloud and its self-hosted servers.

After `Begin` the client sends 16-bit PCM in binary frames of 50 to 1000 ms and the server says turns, each message
the whole of a turn so far. `Terminate` makes it say the rest, then `Termination`. An open connection costs money for
up to three hours, whether or not sound comes, so every path ends with `Terminate` or a closed socket.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

import msgspec
from websockets.asyncio.client import ClientConnection

from mictape.engines.assemblyai import messages
from mictape.engines.assemblyai.options import DOMAIN, TERMS, AssemblyAIOptions, address
from mictape.engines.base import (
    Answered,
    Capabilities,
    EngineEvent,
    FinalTurn,
    Lost,
    Notice,
    Partial,
    Received,
    Request,
    Speakers,
    Word,
)
from mictape.engines.bounds import samples
from mictape.engines.key_terms import Terms
from mictape.engines.remote import RemoteEngine
from mictape.engines.verdicts import BAD_KEY, Service, Verdict
from mictape.engines.websocket import Frame, SocketConnection
from mictape.failure import Failure

API_VERSION: Final = "2025-05-12"
"""What the vendor's own SDK 1.8.2 asks for."""

LONGEST_S: Final = 3 * 3600.0

CONNECTIONS_PER_MINUTE: Final = 5
"""Of a free account; others may open 100 and more. The vendor does not say which kind a key belongs to."""

LANGUAGES: Final = {
    "universal-3-6-pro": (
        *("af", "ar", "yue", "ca", "da", "nl", "en", "et", "fi", "fr", "gl", "de", "he", "hi", "it", "ja"),
        *("ko", "zh", "mr", "no", "nn", "fa", "pt", "ro", "ru", "es", "sv", "tr", "ur", "vi", "xh", "zu"),
    ),
    "universal-3-5-pro": (
        *("ar", "ca", "da", "nl", "en", "fi", "fr", "de", "he", "hi", "it", "ja", "zh", "no", "pt", "es", "sv", "tr"),
        "vi",
    ),
    "universal-streaming-english": ("en",),
    "universal-streaming-multilingual": ("en", "es", "fr", "de", "it", "pt"),
}
"""From the streaming reference of the vendor's own skill (AssemblyAI/assemblyai-skill @015590a3, autumn 2026); those of
other models are not checked."""

USD_PER_HOUR: Final = {
    "universal-3-6-pro": 0.45,
    "universal-streaming-english": 0.15,
    "universal-streaming-multilingual": 0.15,
}
"""List prices of an open connection without extras: the vendor's pricing page in October 2026, and for
universal-streaming its announcement of June 2025."""

TERMS_USD_PER_HOUR: Final = 0.04
"""Universal-streaming models only; this and the next two from the streaming reference, autumn 2026."""
FOCUS_USD_PER_HOUR: Final = 0.10
REDACTION_USD_PER_HOUR: Final = 0.12

_log = logging.getLogger(__name__)


class AssemblyAIConnection(SocketConnection):
    """A conversation in protocol v3."""

    def __init__(
        self,
        socket: ClientConnection,
        service: Service,
        options: AssemblyAIOptions,
        terms: Terms | None,
        *,
        patience_s: float,
    ) -> None:
        super().__init__(socket, service, terms, patience_s=patience_s)
        self._options = options
        self._turns: dict[int, int] = {}
        """Our number of each turn that was mentioned, by the server's."""
        self._open: set[int] = set()
        """Turns that live text was shown of and that did not end yet, by the server's number."""
        self._ended_turns: set[int] = set()
        self._answered = 0
        self._silent = 0
        """Where the last silence ended; it answers only for what no open turn may still say something about."""

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """The block as it is."""
        return (pcm,)

    def endpoint_frames(self) -> Iterable[Frame]:
        """What ends the turn."""
        return (messages.FORCE_ENDPOINT,)

    def terms_frames(self, terms: tuple[str, ...]) -> Iterable[Frame]:
        """The new key terms, in the place of all before."""
        return (msgspec.json.encode(messages.UpdateConfiguration(list(terms))).decode(),)

    def keep_alive_frames(self) -> Iterable[Frame]:
        """What starts `inactivity_timeout` again."""
        return (messages.KEEP_ALIVE,)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the server say the rest."""
        return (messages.TERMINATE,)

    def verdict(self, code: int, reason: str) -> Verdict | None:
        """What a code means, together with the words that came with it."""
        meaning = messages.verdict(code, reason)
        if self._options.authorize == "token" and meaning is BAD_KEY:
            return messages.SPENT_TOKEN
        return meaning if self._options.vendor else messages.of_own_server(meaning)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """What a message says. Raises `Lost` when it is an error."""
        match self._read(message, messages.decoded):
            case messages.Failed(error=error, error_code=code):
                self._on_failed(error, code)
            case messages.Turn() as turn:
                yield from self._on_turn(turn)
            case messages.Begin() as begin:
                yield from self._on_begin(begin)
            case messages.SpeechStarted(timestamp=at) | messages.Heartbeat(total_audio_received_ms=at):
                yield Received(_samples(at))
            case messages.Silence(end_ms=end):
                self._silent = max(self._silent, _samples(end))
                yield from self._answer()
            case messages.SpeakerRevision(revisions):
                yield from self._on_revisions(revisions)
            case messages.Warned(warning):
                yield Notice(f"{self._service}: {warning}")
            case messages.Termination():
                yield from self._answer(self._sent, whatever_is_open=True)
                self.said_all()
            case messages.Gateway() | None:
                pass

    def _on_failed(self, error: str, code: int | None) -> None:
        """The message that precedes every close but a clean one; its words are complete, the close frame's cut."""
        if code is None:
            self.closing(error)
            return
        meaning = self.verdict(code, error) or Verdict("{service} ended the connection")
        raise self.lost(meaning, f"{code} {error}")

    def _on_begin(self, begin: messages.Begin) -> Iterator[EngineEvent]:
        self.greeted()
        asked, used = self._options.speech_model, begin.configuration and begin.configuration.model
        if used and used != asked:
            yield Notice(f"{self._service} uses the model {used} instead of {asked}")

    def _on_turn(self, turn: messages.Turn) -> Iterator[EngineEvent]:
        order = turn.turn_order
        text, stable = live_text(turn)
        if turn.end_of_turn:
            yield from self._on_end(turn, turn.transcript or text)
        elif order in self._ended_turns:
            _log.info("AssemblyAI said something of turn %d after its end", order)
        elif text or order in self._open:
            self._open.add(order)
            words = tuple(_word(word) for word in turn.words)
            yield Partial(self._number(order), text, words, stable, start=words[0].start if words else None)

    def _on_end(self, turn: messages.Turn, text: str) -> Iterator[EngineEvent]:
        """The end of a turn, or the same turn again with formatting: one more `FinalTurn` of the same number."""
        order = turn.turn_order
        words = tuple(_word(word) for word in turn.words)
        start, end = (words[0].start, words[-1].end) if words else (None, None)
        if text or order in self._open:
            number, speaker = self._number(order), _speaker(turn.speaker_label)
            yield FinalTurn(number, text, words, start, end, speaker=speaker, language=turn.language_code)
        self._ended_turns.add(order)
        self._open = {other for other in self._open if other > order}  # turns follow one another
        yield from self._answer(end or 0)

    def _on_revisions(self, revisions: tuple[messages.Revision, ...]) -> Iterator[EngineEvent]:
        labels = {revision.turn_order: _speaker(revision.speaker_label) for revision in revisions}
        known = {self._turns[order]: label for order, label in labels.items() if label and order in self._turns}
        if known:
            yield Speakers(known)

    def _number(self, order: int) -> int:
        """Our number of the server's turn: counted in the order in which turns were first mentioned."""
        return self._turns.setdefault(order, len(self._turns))

    def _answer(self, until: int = 0, *, whatever_is_open: bool = False) -> Iterator[EngineEvent]:
        """Say how far the server has said everything, when that is further than before."""
        if not self._open or whatever_is_open:
            until = max(until, self._silent)
        if until > self._answered:
            self._answered = until
            yield Answered(until)


def live_text(turn: messages.Turn) -> tuple[str, int]:
    """The text of a turn that goes on, and how many characters at its front will not change.

    On pro models `transcript` is the whole turn and no word final; on universal-streaming it is the final words, and
    the others stand in `words` only. Where it holds all words it is taken as it is: not every language puts spaces
    between them.
    """
    at, stable, final = 0, 0, True
    for word in turn.words:
        found = turn.transcript.find(word.text, at)
        if found < 0:
            break
        at = found + len(word.text)
        final = final and word.word_is_final
        stable = at if final else stable
    else:
        return turn.transcript, stable
    texts = [word.text for word in turn.words]
    finals = next((n for n, word in enumerate(turn.words) if not word.word_is_final), len(texts))
    return " ".join(texts), len(" ".join(texts[:finals]))


def _samples(ms: float) -> int:
    return samples(ms / 1000)


def _word(word: messages.Word) -> Word:
    return Word(word.text, _samples(word.start), _samples(word.end), word.confidence, _speaker(word.speaker))


def _speaker(label: str | None) -> str | None:
    """A speaker's letter; what else stands there (`PENDING`, `UNKNOWN`, nothing) means that it is not known yet."""
    return label if label is not None and len(label) == 1 and label.isalpha() else None


class AssemblyAIEngine(RemoteEngine[AssemblyAIOptions, AssemblyAIConnection]):
    """AssemblyAI, or a server that speaks its protocol v3."""

    Options: ClassVar = AssemblyAIOptions
    name = "assemblyai"
    vendor = "AssemblyAI"
    domain = DOMAIN
    key_variable = "ASSEMBLYAI_API_KEY"
    key_terms = TERMS
    languages = LANGUAGES
    price_counts = "connection"  # assemblyai.com/docs/faq: universal streaming's session-based pricing
    price_as_of = "2026-10"
    language_remedy = "Choose another with speech_model in [engines.assemblyai]"

    def _url(self) -> str:
        return self._options.base_url

    def _model(self) -> str:
        return self._options.speech_model

    def _usd_per_hour(self) -> float | None:
        return price(self._options)

    def _able(self) -> Capabilities:
        options = self._options
        return Capabilities(
            block_ms=(50, 1000),
            fastest_pace=1.0,
            longest_s=LONGEST_S,
            connections_per_minute=CONNECTIONS_PER_MINUTE if self.at_vendor else None,
            keep_alive="message",
            word_times=True,
            confidence=True,
            speakers=bool(options.speaker_labels),
            takes_language=options.pro,
        )

    def _own_languages(self) -> tuple[str, ...]:
        return self._options.language_codes or ()

    def _own_terms(self) -> tuple[str, ...]:
        return self._options.keyterms_prompt or ()

    def _objection(self, request: Request) -> Failure | None:
        """A setting that the server would ignore without a word."""
        if self._options.language_codes and not self._options.pro:
            remedy = f"Remove language_codes from [engines.{self.name}], or choose another model"
            return self._failure(f"The model {self._model()} takes no language_codes", remedy)
        return None

    async def _open(self, request: Request) -> AssemblyAIConnection:
        """It is open once the server has said `Begin`."""
        terms = self._terms(request)
        token = self._key if self._options.authorize == "token" else None
        headers = {"AssemblyAI-Version": API_VERSION}
        if self._key is not None and token is None:
            headers["Authorization"] = self._key
        url = address(self._options, request, terms.taken if terms else (), token)
        try:
            socket = await self._socket(url, headers)
            connection = AssemblyAIConnection(socket, self.service, self._options, terms, patience_s=self.patience_s)
            await connection.greeting()
        except Lost as lost:
            if token is not None and lost.cause.needs_key:
                raise self.service.lost(messages.SPENT_TOKEN) from None
            raise
        return connection


def price(options: AssemblyAIOptions) -> float | None:
    """Dollars an hour with the extras that are set; None where no list price is known."""
    model = USD_PER_HOUR.get(options.speech_model)
    if model is None or options.domain is not None:
        return None
    extras = (
        TERMS_USD_PER_HOUR if options.keyterms_prompt and not options.pro else 0.0,
        FOCUS_USD_PER_HOUR if options.voice_focus else 0.0,
        REDACTION_USD_PER_HOUR if options.redact_pii else 0.0,
    )
    return model + sum(extras)
