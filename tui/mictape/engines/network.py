"""The way to a service: proxies, certificates, and a sentence for everything that can stand in between.

Websockets, requests and the question whether an engine can be reached all go this way, so that one cannot fail
where another one works.
"""

import contextlib
import errno
import importlib.util
import logging
import os
import re
import socket
import ssl
from collections.abc import Generator, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    WebSocketException,
)

from mictape.engines.base import Lost
from mictape.engines.urls import host_and_port, host_of, is_local
from mictape.engines.verdicts import BAD_KEY, HTTP, SERVICE, Service, Verdict, lost
from mictape.extras import command_for
from mictape.failure import ExitCode, Failure

OPEN_S: Final = 10.0
"""Longest a handshake may take: DNS, TCP, TLS and the upgrade."""
EYEBALLS_S: Final = 0.25
"""An address that has not answered by then gets company (RFC 8305 §5): a dead IPv6 route costs this long."""
PING_S: Final = 5.0
"""A ping this often; how long its answer may take is the engine's patience."""
CLOSE_S: Final = 1.0
MAX_MESSAGE: Final = 4 << 20
"""Bytes of one message; a transcript's are a thousandth of it."""

CERTIFICATES: Final = "SSL_CERT_FILE"
"""The environment variable that names certificates to trust; OpenSSL's."""

NOT_TRUSTED: Final = f"If your network inspects TLS, or the server is your own, put its certificate in {CERTIFICATES}"

_X509: Final[Mapping[int, str]] = {
    9: "Check this machine's clock",  # not valid yet
    10: "Check this machine's clock; if it is right, the server needs a new certificate",
    62: "Check the engine's url",  # the host's name
    64: "Check the engine's url",  # its address
}
"""Remedies by OpenSSL's numbers (x509_vfy.h); for all others the certificate is not known here."""

_log = logging.getLogger(__name__)
_wire = logging.getLogger(f"{__name__}.wire")
_wire.setLevel(logging.INFO)  # below it websockets logs the request with its headers, and one of them is the key


def tls_context() -> ssl.SSLContext:
    """Which certificates are trusted: those that the environment names, else those of the system."""
    return _tls_context(os.environ.get(CERTIFICATES, "") + os.environ.get("SSL_CERT_DIR", ""))


@lru_cache(maxsize=1)  # reading all of a system's certificates takes some 30 ms
def _tls_context(named: str) -> ssl.SSLContext:
    if named:
        return ssl.create_default_context()
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def proxy_for(url: str) -> str | None:
    """The proxy that leads to this url, from the environment or the system's settings; None: straight there.

    Never one for this machine's own addresses: a proxy would look for the server on its own machine.
    """
    parts = urlsplit(url)
    secure = parts.scheme in ("wss", "https")
    host = f"{parts.hostname}:{parts.port or (443 if secure else 80)}"
    if is_local(url) or proxy_bypass(host):
        return None
    known = getproxies()
    names = (parts.scheme, "https" if secure else "http", "all", "socks")
    found = next((known[name] for name in names if known.get(name)), None)
    if found is not None and found.startswith("http://") and found == known.get("socks"):
        return f"socks5h://{found.removeprefix('http://')}"  # how macOS and Windows say it
    return f"socks5h://{found.removeprefix('socks://')}" if found and found.startswith("socks://") else found


def usable_proxy(url: str) -> str | None:
    """`proxy_for`. Raises `Lost` where it is a SOCKS proxy and the packages for those are not installed."""
    proxy = proxy_for(url)
    if proxy is not None and proxy.startswith("socks") and not has_socks():
        raise lost(
            "SOCKS proxies need packages that are not installed",
            f"Install them with: {command_for('socks')}",
            retry=False,
        )
    return proxy


class NotTrusted(Lost):
    """A certificate was not accepted. Where one was before, something is in between: a hotel's sign-in page."""


class _Opening(connect):
    """Follows no redirect: the key would go to another address than the one it was given for."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The answer as it is."""
        return exc


async def open_socket(
    url: str,
    headers: Mapping[str, str] | None = None,
    *,
    service: Service,
    http: Mapping[int, Verdict] | None = None,
    patience_s: float = PING_S,
) -> ClientConnection:
    """Open a websocket.

    Args:
        url: `ws://` or `wss://`.
        headers: The request's headers; may hold a key, so they are never logged.
        service: What answers there, for the sentences.
        http: What statuses of a refused upgrade mean, before those of `HTTP`.
        patience_s: How long the server may take to answer a ping.

    Raises:
        Lost: Something stands in the way.
    """
    with why_not(service, url, {**HTTP, **(http or {})}):
        return await _opening(url, headers, patience_s)


async def reach(url: str, service: Service) -> None:
    """Open a connection as far as nothing is asked of the service. Raises `Lost`."""
    scheme, _, rest = url.partition("://")
    address = f"{ {'http': 'ws', 'https': 'wss'}.get(scheme, scheme) }://{rest}"
    with why_not(service, url, HTTP):
        connection = await _opening(address, None, PING_S).open_tcp_connection()
        connection.transport.abort()


def _opening(url: str, headers: Mapping[str, str] | None, patience_s: float) -> _Opening:
    proxy = usable_proxy(url)
    tls: dict[str, Any] = {"ssl": tls_context()} if url.startswith("wss:") else {}
    if proxy is not None and proxy.startswith("https:"):
        tls["proxy_ssl"] = tls_context()
    return _Opening(
        url,
        additional_headers=headers,
        proxy=proxy,
        open_timeout=OPEN_S,
        ping_interval=PING_S,
        ping_timeout=patience_s,
        close_timeout=CLOSE_S,
        max_size=MAX_MESSAGE,
        logger=_wire,
        happy_eyeballs_delay=EYEBALLS_S,
        **tls,
    )


@contextlib.contextmanager
def why_not(service: Service, url: str, table: Mapping[int, Verdict]) -> Generator[None]:
    """Say what stood in the way of a connection. Raises `Lost` for everything that opening one raises."""
    try:
        yield
    except (Lost, GeneratorExit):
        raise
    except InvalidStatus as error:
        response = error.response
        raise refused(service, table, response.status_code, response.headers, bytes(response.body)) from None
    except ssl.SSLError as error:
        raise _insecure(service, url, error) from None
    except TimeoutError:
        raise lost(f"{service} does not answer{_by(url)}", _remedy(url)) from None
    except InvalidProxy as error:  # its own sentence has the address, and that may hold a password
        raise lost(f"The address of the proxy cannot be used: {error.msg}", PROXY_REMEDY, retry=False) from None
    except InvalidProxyStatus as error:
        raise proxy_refused(url, str(error.response.status_code)) from None
    except ProxyError as error:
        raise proxy_refused(url, str(error.__cause__ or error)) from None
    except (InvalidURI, ValueError) as error:
        why = error.msg if isinstance(error, InvalidURI) else error  # the url itself may hold a token
        raise lost(f"The url of {service} cannot be used: {why}", "Correct it", retry=False) from None
    except (InvalidHandshake, WebSocketException) as error:
        raise lost(f"What answers for {service} is no websocket server: {error}", "Check the engine's url") from None
    except OSError as error:
        what = f"{service} cannot be reached{_by(url)}: {reason(error)}"
        raise lost(what, _remedy(url), reached=isinstance(error, _CUT_OFF)) from None


_CUT_OFF: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
"""What the system says of a connection that was open."""


PROXY_REMEDY: Final = "Correct https_proxy, http_proxy or all_proxy, or name the host in no_proxy"


def proxy_refused(url: str, said: str) -> Lost:
    """A proxy's own answer, which is not the service's.

    Args:
        url: Where the connection was to lead.
        said: How the library reports it: an HTTP status, perhaps with its reason, or a sentence about SOCKS.
    """
    status = int(said[:3]) if said[:3].isdigit() else 0
    place = f"{host_of(url)} (HTTP {status})" if status else host_of(url)
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED or _SOCKS_LOGIN.search(said):
        scheme = urlsplit(proxy_for(url) or "http:").scheme
        remedy = f"Add them to its address: {scheme}://USER:PASSWORD@HOST:PORT"
        return lost(f"The proxy asks for a user name and a password on the way to {place}", remedy, retry=False)
    if status == HTTPStatus.FORBIDDEN or "not allowed" in said:
        remedy = "Ask its administrator to allow this host"
        return lost(f"The proxy does not allow connections to {place}", remedy, retry=False)
    why = place if status else f"{place}: {said.rpartition(': ')[2].rstrip('.')}"
    own_trouble = not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return lost(f"The proxy does not connect to {why}", PROXY_REMEDY, retry=own_trouble)


_SOCKS_LOGIN: Final = re.compile("password|authentication", re.IGNORECASE)
"""In what python-socks and httpcore say of a proxy that wants a login, or another one."""


def refused(
    service: Service, table: Mapping[int, Verdict], status: int, headers: Mapping[str, str], body: bytes
) -> Lost:
    """What a status means, with the service's own sentence."""
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        place = host_and_port(headers.get("Location", "")) or "another address"
        remedy = "If you trust that address, set it as the engine's url"
        return lost(f"{service} refers to {place}, where the key is not sent", remedy, retry=False)
    forbidden = service.own and status == HTTPStatus.FORBIDDEN  # all that one can say that refuses an upgrade
    verdict = BAD_KEY if forbidden else table.get(status, Verdict(f"{SERVICE} answered with an error"))
    said = own_words(headers, body)
    ended = service.lost(verdict, f"HTTP {status}: {said}" if said else f"HTTP {status}")
    with contextlib.suppress(ValueError):  # a date instead of seconds is not worth a parser
        ended.after = max(ended.after, min(float(headers.get("Retry-After", "0")), LONGEST_WAIT_S))
    return ended


LONGEST_WAIT_S: Final = 300.0
"""Of what a server asks to wait: a mistaken header must not stop a session."""


SENTENCES: Final = ("err_msg", "error_message", "error", "message", "detail")
"""Under which names services put what they say about a refusal, the more informative ones first."""


def own_words(headers: Mapping[str, str], body: bytes) -> str:
    """What a service says about a refusal: in a header (`dg-error`), in JSON, or as plain text; empty: nothing.

    In JSON it has one of the names `SENTENCES`, perhaps inside of another one of them.
    """
    if said := headers.get("dg-error"):
        return said
    try:
        found: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body.decode(errors="replace").strip()
        plain = "text/plain" in headers.get("Content-Type", "text/plain") and not text.startswith(("<", "{", "["))
        return text if plain else ""
    for _ in range(2):
        if isinstance(found, dict):
            said = cast("dict[str, object]", found)
            found = next((said[key] for key in SENTENCES if said.get(key)), "")
    return found if isinstance(found, str) else ""


def _insecure(service: Service, url: str, error: ssl.SSLError) -> Lost:
    """Why there is no secure connection; only one that was cut off is worth another attempt."""
    if isinstance(error, ssl.SSLCertVerificationError):
        remedy = _X509.get(error.verify_code, NOT_TRUSTED)
        what = f"The certificate of {service} is not accepted: {error.verify_message}"
        return NotTrusted(Failure(what, remedy, ExitCode.ENGINE), retry=False)
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"):
        remedy = "Check the engine's url: without TLS it begins with ws:// or http://"
        return lost(f"What answers at {host_and_port(url)} does not use TLS", remedy, retry=False)
    why = (error.reason or str(error)).replace("_", " ").lower()
    return lost(f"No secure connection to {service}: {why}", "Check the engine's url and the network")


def _by(url: str) -> str:
    """By which way it was tried: ` through the proxy HOST:PORT`."""
    proxy = proxy_for(url)
    return f" through the proxy {urlsplit(proxy).netloc.rpartition('@')[2]}" if proxy else ""


def _remedy(url: str) -> str:
    if is_local(url):
        return "Check that the server runs, and the engine's url"
    return "Check the network and the proxy's address" if proxy_for(url) else "Check the network and the engine's url"


def reason(error: OSError) -> str:
    """What the system says; asyncio puts addresses in its place."""
    plain = error.errno is not None and error.errno > 0 and not isinstance(error, socket.gaierror)
    if plain and error.errno is not None:
        return os.strerror(error.errno).lower()
    if "Multiple exceptions" in str(error):  # of several addresses
        return os.strerror(errno.ECONNREFUSED).lower() if "refused" in str(error).lower() else "no address answers"
    return str(error.strerror or error) or "the connection was closed"


def has_socks() -> bool:
    """Whether SOCKS proxies can be used: websockets needs one package for it, httpx another one."""
    return all(importlib.util.find_spec(package) is not None for package in ("python_socks", "socksio"))
