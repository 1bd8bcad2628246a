"""Addresses of services. One may hold a key in its query or its user, so only the host is ever shown."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Final, cast
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from mictape.failure import ExitCode, Failure

WEBSOCKET: Final = ("ws", "wss")
HTTP: Final = ("http", "https")


def unusable(name: str, url: str, schemes: Collection[str] = WEBSOCKET) -> Failure | None:
    """Why nothing can be reached at this url, whatever listens there; None when it can be one."""
    if _parts(url, schemes) is not None:
        return None
    example = f"{min(schemes, key=len)}://HOST:PORT"
    return Failure(f"The url of {name} cannot be used", f"Set one like {example} in [engines.{name}]", ExitCode.ENGINE)


def host_and_port(url: str) -> str:
    """Host and port for the state line, without what else an url may hold; empty when it cannot be one."""
    parts = _parts(url)
    return "" if parts is None else parts.netloc.rpartition("@")[2]


def host_of(url: str) -> str:
    """The host's name or address alone; empty when the url cannot be one."""
    parts = _parts(url)
    return "" if parts is None else parts.hostname or ""


def is_local(url: str) -> bool:
    """Whether what is sent there stays on this machine."""
    host = host_of(url)
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def completed(url: str, path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The url with `path` where it has none, and with parameters, which replace those of the same name in it."""
    parts, added = urlsplit(url), list(parameters)
    names = {name for name, _ in added}
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in names]
    own_path = parts.path if parts.path.strip("/") else path
    return urlunsplit((parts.scheme, parts.netloc, own_path, urlencode([*kept, *added]), ""))


def parameters(settings: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Settings as parameters: lists as repeated names, booleans in lower case, nothing for None."""
    for name, value in settings.items():
        values = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
        for one in values:
            if one is not None:
                yield name, str(one).lower() if isinstance(one, bool) else str(one)


def within(url: str, domain: str) -> bool:
    """Whether the host is `domain` or a part of it."""
    return f".{host_of(url)}".endswith(f".{domain}")


def _parts(url: str, schemes: Collection[str] = (*WEBSOCKET, *HTTP)) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        return None
    return parts if fits else None
