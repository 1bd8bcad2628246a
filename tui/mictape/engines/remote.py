"""What every engine at an address shares: options, key, url, and what stands in the way of a connection."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, Generic, Literal, Protocol, TypeVar

from websockets.asyncio.client import ClientConnection

from mictape.engines.base import Capabilities, Connection, Lost, Request
from mictape.engines.key_terms import Limits, Terms
from mictape.engines.network import PING_S, NotTrusted, open_socket
from mictape.engines.urls import WEBSOCKET, host_and_port, is_local, unusable, within
from mictape.engines.verdicts import Service, Verdict
from mictape.failure import ExitCode, Failure

OWN_SERVER_S: Final = 60.0
"""How long a server of one's own may be busy before it is taken for dead: a cold model takes a minute, and one that
decodes for many answers no ping meanwhile (modelscope/FunASR#3533, QuentinFuxa/WhisperLiveKit#220)."""


class _Options(Protocol):
    """What the settings of every engine at an address have."""

    @property
    def url(self) -> str | None:
        """Where it is; None where other settings say so."""
        ...


OptionsT = TypeVar("OptionsT", bound=_Options)
ConnectionT_co = TypeVar("ConnectionT_co", bound=Connection, covariant=True)


class RemoteEngine(ABC, Generic[OptionsT, ConnectionT_co]):
    """An engine at an address. An adapter adds what it can do, its title, and how a connection is opened."""

    name: ClassVar[str]
    vendor: ClassVar[str]
    """The service's name in sentences. A server of one's own is named by its host."""
    domain: ClassVar[str] = ""
    """The vendor's: at hosts below it a key is needed, and connections cost money. Empty: there is no vendor."""
    key_variable: ClassVar[str | None] = None
    schemes: ClassVar[tuple[str, ...]] = WEBSOCKET
    key_terms: ClassVar[Limits | None] = None
    """What key terms it takes; None: none."""
    http: ClassVar[Mapping[int, Verdict]] = {}
    """What HTTP statuses mean, where they mean something else than everywhere."""
    language_remedy: ClassVar[str] = "Choose another engine with --engine"
    languages: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """The languages of models, where the vendor has a list that does not change."""
    price_counts: ClassVar[Literal["connection", "sound"]] = "sound"
    """What an hour of the vendor's price is."""
    price_as_of: ClassVar[str] = ""
    """The month of the vendor's price list: `2026-08`."""

    def __init__(self, options: OptionsT, log: Path, key: str | None = None) -> None:
        """Prepare; nothing is connected.

        Args:
            options: `[engines.NAME]`.
            log: Not needed: there is no process.
            key: The API key; sent to the service and shown nowhere. A server of one's own may need none.
        """
        del log
        self._options = options
        self._key = key or None
        self._met = False
        """Whether a connection was ever open."""
        self.url = self._url()
        self.at_vendor = bool(self.domain) and within(self.url, self.domain)
        where = "" if self.at_vendor else host_and_port(self.url)
        own = bool(where)
        self.service = Service(where or self.vendor, self.name, self.key_variable, bool(self._key), own=own)
        self.title = " · ".join(filter(None, (self.name, self._model(), where)))
        able = self._able()
        self.capabilities = replace(
            able,
            languages=able.languages or self.languages.get(self._model(), ()),
            takes_key_terms=self.key_terms is not None,
            billed=self._demands_key(),
            usd_per_hour=self._usd_per_hour() if self.at_vendor else None,
            price_counts=self.price_counts,
            price_as_of=self.price_as_of,
            offline=self.is_local,
            patience_s=self.patience_s,
        )

    def _url(self) -> str:
        """Where to connect, without parameters."""
        return self._options.url or ""

    @abstractmethod
    def _able(self) -> Capabilities:
        """What it can do with these settings; what follows from the address and the model is filled in here."""

    @abstractmethod
    async def _open(self, request: Request) -> ConnectionT_co:
        """Open a connection after everything was checked. Raises `Lost`."""

    def _model(self) -> str:
        """The model's name for the title; empty where the settings name none."""
        return ""

    def _usd_per_hour(self) -> float | None:
        """The vendor's list price with these settings; None where none is known."""
        return None

    def _own_languages(self) -> tuple[str, ...]:
        """The languages of the settings, which are asked for where the request names none."""
        return ()

    def _own_terms(self) -> tuple[str, ...]:
        """The key terms of the settings."""
        return ()

    def _demands_key(self) -> bool:
        """Whether there is no use in trying without a key: a vendor's address, which costs money."""
        return self.at_vendor

    def _objection(self, request: Request) -> Failure | None:
        """What else stands in the way, whatever answers."""
        del request
        return None

    @property
    def patience_s(self) -> float:
        """How long the server may leave pings and sends unanswered."""
        return PING_S if self.at_vendor else OWN_SERVER_S

    @property
    def is_local(self) -> bool:
        """Whether no sound leaves the machine."""
        return unusable(self.name, self.url, self.schemes) is None and is_local(self.url)

    async def check(self, request: Request) -> Failure | None:
        """What stands in the way: the url, the key, the language, settings. Nothing is connected."""
        if failure := unusable(self.name, self.url, self.schemes):
            return failure
        if self._key is None and self._demands_key():
            return self.service.no_key()
        known = self.capabilities.languages
        for language in (request.language,) if request.language else self._own_languages():
            if known and primary(language) not in known:
                return self._failure(f"{self.title} does not know the language {language}", self.language_remedy)
        return self._objection(request)

    async def connect(self, request: Request) -> ConnectionT_co:
        """Open a connection. Raises `Lost`."""
        if failure := await self.check(request):
            raise Lost(failure, retry=False)
        try:
            connection = await self._open(request)
        except Lost as lost:
            if self._met and isinstance(lost, NotTrusted):
                raise Lost(lost.cause) from None
            raise
        self._met = True
        return connection

    async def close(self) -> None:
        """Nothing is kept between connections."""

    def _terms(self, request: Request) -> Terms | None:
        """The key terms of the settings and of the request, as many as the service takes."""
        if self.key_terms is None:
            return None
        return Terms(self.service.name, self.key_terms, self._own_terms(), request.key_terms)

    def _bearer(self) -> dict[str, str]:
        """The header with the key, where there is one."""
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    async def _socket(self, url: str, headers: Mapping[str, str] | None = None) -> ClientConnection:
        return await open_socket(url, headers, service=self.service, http=self.http, patience_s=self.patience_s)

    def _failure(self, what: str, remedy: str) -> Failure:
        return Failure(what, remedy, ExitCode.ENGINE)


def primary(language: str | None) -> str | None:
    """A language code without its region: `pt` of `pt-BR`."""
    return language.split("-")[0].lower() if language else None
