"""An engine for Mictape in a package of its own: begin yours with a copy of this folder.

The service it talks to, Parrot, exists in Mictape's tests only. Its protocol: the settings are in the query of the
url and the key in a header; binary frames of 16-bit mono PCM at 16 kHz go out; what comes back is JSON,
`{"partial": TEXT}` during speech and `{"final": TEXT, "end": SAMPLES}` for each utterance and each stretch
without one (an empty text). The text frame `end` asks for the rest; the service says it and closes.

What Mictape wants from an engine is written in `mictape.engines.base`; what a websocket needs besides its messages is
done by `mictape.engines.websocket`, and what an engine at an address needs besides connections by
`mictape.engines.remote`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, ClassVar, Final
from urllib.parse import urlencode

import msgspec

from mictape.engines.base import Answered, Capabilities, EngineEvent, FinalTurn, Partial, Request
from mictape.engines.remote import RemoteEngine
from mictape.engines.verdicts import BAD_KEY, Verdict
from mictape.engines.websocket import Frame, SocketConnection


class ParrotOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[engines.parrot]`; the same settings are what `--set` takes. A key is never among them."""

    url: str = "wss://parrot.invalid/v1"
    """Where the service listens."""
    accent: str = ""
    """How it is to spell."""
    pause_ms: Annotated[int, msgspec.Meta(ge=0)] = 500
    """Silence that ends an utterance."""
    phrases: tuple[str, ...] = ()
    """What is likely to be said."""
    polite: bool = True
    """Whether it leaves out swear words."""


class _Message(msgspec.Struct):
    partial: str | None = None
    final: str | None = None
    end: int = 0


_MESSAGE: Final = msgspec.json.Decoder(_Message)


class ParrotConnection(SocketConnection):
    """A conversation with Parrot."""

    codes: Mapping[int, Verdict] = {4001: BAD_KEY}
    _turn = 0

    def audio_frames(self, pcm: bytes) -> Iterable[Frame]:
        """A block as it is."""
        return (pcm,)

    def finish_frames(self) -> Iterable[Frame]:
        """What makes the service say the rest."""
        return ("end",)

    def handle(self, message: Frame) -> Iterator[EngineEvent]:
        """A partial, or a final, which answers for the sound before its end."""
        match self._read(message, _MESSAGE.decode):
            case _Message(partial=str(text)):
                yield Partial(self._turn, text)
            case _Message(final=str(text), end=end):
                if text:
                    yield FinalTurn(self._turn, text, end=end)
                    self._turn += 1
                yield Answered(end)
            case _:
                pass


class ParrotEngine(RemoteEngine[ParrotOptions, ParrotConnection]):
    """The class that the entry point names."""

    Options: ClassVar = ParrotOptions
    name = "parrot"
    vendor = "Parrot"
    domain = "parrot.invalid"
    """The vendor's: a server elsewhere is one's own, and costs nothing."""
    key_variable = "PARROT_API_KEY"
    """Asked for by `mictape login parrot`; leave it out when there is no key."""

    def _model(self) -> str:
        return self._options.accent or "plain"

    def _able(self) -> Capabilities:
        return Capabilities(block_ms=(20, 1000), fastest_pace=None)

    def _usd_per_hour(self) -> float:
        return 0.12

    def _demands_key(self) -> bool:
        return True

    async def _open(self, request: Request) -> ParrotConnection:
        """Raises `Lost`, with `retry` false when another attempt would fail the same way."""
        del request
        settings = msgspec.to_builtins(self._options, str_keys=True)
        query = urlencode({name: value for name, value in settings.items() if name != "url"}, doseq=True)
        # The key goes into a header, never into the url: urls end up in logs.
        socket = await self._socket(f"{self.url}?{query}", {"Authorization": f"Parrot {self._key}"})
        return ParrotConnection(socket, self.service)
