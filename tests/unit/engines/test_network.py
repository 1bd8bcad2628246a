"""The way to a service: proxies, certificates, addresses that do not answer, and what is said of each."""

import asyncio
import importlib.util
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mictape.engines import network
from mictape.engines.base import Lost, Request
from mictape.engines.network import open_socket, own_words, proxy_for, reach, refused
from mictape.engines.openai_http import OpenAIHttpEngine, OpenAIHttpOptions
from mictape.engines.verdicts import HTTP, Service
from mictape.extras import command_for
from servers.base import CERTIFICATE, Asked, Peer, Refusal, serve
from servers.proxy import HOST_UNREACHABLE, NOT_ALLOWED, http_proxy, socks_proxy

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy", "socks_proxy")
FAR = "asr.example.com"
"""A name that only the proxy of these tests leads to."""


@pytest.fixture(autouse=True)
def no_proxies_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def greet(peer: Peer) -> None:
    await peer.send("hello")
    await peer.wait_closed()


async def lost_to(url: str, headers: Mapping[str, str] | None = None) -> Lost:
    """Why there is no connection; looked at from both sides, the connection's and that of `mictape engines`."""
    with pytest.raises(Lost) as lost:
        await open_socket(url, headers, service=Service("The service"))
    return lost.value


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def names_lead_to(monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
    """Every name has these addresses from now on."""

    async def found(*_: object, **__: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)


# Proxies.


@pytest.mark.parametrize("login", [None, "me:pa%ss"])
async def test_it_goes_through_an_http_proxy_with_and_without_a_login(
    login: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(greet) as server, http_proxy(login=login, target=("127.0.0.1", port_of(server.url))) as proxy:
        shown = "me:pa%25ss@" if login else ""
        monkeypatch.setenv("http_proxy", f"http://{shown}{proxy.address}")
        connection = await open_socket(f"ws://{FAR}:81/v1", service=Service("The service"))
        assert await connection.recv() == "hello"
        await connection.close()
        await reach(f"ws://{FAR}:81/v1", Service("The service"))
        await reach(f"http://{FAR}:81/v1", Service("The service"))
    assert proxy.asked == [f"{FAR}:81"] * 3


@pytest.mark.parametrize(
    ("proxied", "part", "remedy", "retry"),
    [
        ({"status": 403}, f"The proxy does not allow connections to {FAR} (HTTP 403)", "administrator", False),
        ({"login": "me:other"}, f"user name and a password on the way to {FAR} (HTTP 407)", "http://USER:", False),
        ({"status": 502}, f"The proxy does not connect to {FAR} (HTTP 502)", "no_proxy", True),
    ],
)
async def test_what_a_proxy_refuses_is_said_to_be_the_proxy(
    proxied: dict[str, Any], part: str, remedy: str, retry: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_proxy(**proxied) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secretpassword@{proxy.address}")
        lost = await lost_to(f"wss://{FAR}/v1")
        with pytest.raises(Lost) as unreachable:
            await reach(f"wss://{FAR}/v1", Service("The service"))
    assert part in lost.cause.what
    assert remedy in lost.cause.remedy
    assert lost.retry is retry
    assert "secretpassword" not in str(lost)
    assert unreachable.value.cause == lost.cause, "mictape engines says the same"


@pytest.mark.parametrize(
    "address",
    ["http://me:secretpassword@proxy.example/path", "ftp://me:secretpassword@proxy.example", "http://me@p.example"],
)
async def test_a_proxy_that_cannot_be_one_is_never_shown_with_its_password(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", address)
    lost = await lost_to(f"wss://{FAR}/v1")
    assert lost.cause.what.startswith("The address of the proxy cannot be used")
    assert "https_proxy" in lost.cause.remedy
    assert "secretpassword" not in str(lost)
    assert not lost.retry


async def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://me:secretpassword@127.0.0.1:1")
    lost = await lost_to(f"wss://{FAR}/v1")
    assert lost.cause.what == "The service cannot be reached through the proxy 127.0.0.1:1: connection refused"
    assert lost.retry
    assert not lost.reached


@pytest.mark.parametrize("url", ["ws://127.0.0.1:{}", "ws://localhost:{}"])
async def test_no_proxy_leads_to_this_machine_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serve(greet) as server:
        connection = await open_socket(url.format(port_of(server.url)), service=Service("The service"))
        await connection.close()


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({"https_proxy": "http://p:1"}, f"wss://{FAR}", "http://p:1"),
        ({"https_proxy": "http://p:1"}, f"https://{FAR}", "http://p:1"),
        ({"https_proxy": "http://p:1"}, f"ws://{FAR}", None),
        ({"http_proxy": "http://p:1"}, f"ws://{FAR}", "http://p:1"),
        ({"all_proxy": "socks5h://p:1"}, f"wss://{FAR}", "socks5h://p:1"),
        ({"all_proxy": "socks://p:1"}, f"wss://{FAR}", "socks5h://p:1"),
        ({"all_proxy": "http://p:1", "no_proxy": "example.com"}, f"wss://{FAR}", None),
        ({"all_proxy": "http://p:1"}, "ws://127.0.0.1:2700", None),
        ({"all_proxy": "http://p:1"}, "ws://[::1]:2700", None),
    ],
)
def test_which_proxy_leads_where(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy


@pytest.mark.parametrize("login", [None, "me:pa%ss"])
async def test_it_goes_through_a_socks_proxy_with_and_without_a_login(
    login: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(greet) as server, socks_proxy(login=login, target=("127.0.0.1", port_of(server.url))) as proxy:
        shown = "me:pa%25ss@" if login else ""
        monkeypatch.setenv("all_proxy", f"socks5h://{shown}{proxy.address}")
        connection = await open_socket(f"ws://{FAR}:81/v1", service=Service("The service"))
        assert await connection.recv() == "hello"
        await connection.close()
        await reach(f"http://{FAR}:81/v1", Service("The service"))
    assert proxy.asked == [f"{FAR}:81"] * 2


@pytest.mark.parametrize(
    ("proxied", "what", "remedy", "retry"),
    [
        ({"status": NOT_ALLOWED}, f"The proxy does not allow connections to {FAR}", "administrator", False),
        ({"login": "me:other"}, f"user name and a password on the way to {FAR}", "socks5h://USER:", False),
        ({"status": HOST_UNREACHABLE}, f"The proxy does not connect to {FAR}: Host unreachable", "no_proxy", True),
    ],
)
@pytest.mark.parametrize("shown", ["", "me:secretpassword@"])
async def test_what_a_socks_proxy_refuses_is_said_to_be_the_proxy(
    proxied: dict[str, Any], what: str, remedy: str, retry: bool, shown: str, *, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: dict[str, Any] = {"login": shown.rstrip("@") or None, **proxied}
    async with socks_proxy(**wanted) as proxy:
        monkeypatch.setenv("https_proxy", f"socks5h://{shown}{proxy.address}")
        by_websocket = await lost_to(f"wss://{FAR}/v1")
        engine = OpenAIHttpEngine(OpenAIHttpOptions(f"https://{FAR}/v1"), Path("log"), "key")
        with pytest.raises(Lost) as by_http:
            await engine.connect(Request())
    for lost in (by_websocket, by_http.value):
        assert what in lost.cause.what
        assert remedy in lost.cause.remedy
        assert lost.retry is retry
        assert "secretpassword" not in str(lost)


async def test_a_socks_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5h://me:secretpassword@127.0.0.1:1")
    lost = await lost_to(f"wss://{FAR}/v1")
    assert lost.cause.what == "The service cannot be reached through the proxy 127.0.0.1:1: connection refused"
    assert lost.retry
    assert not lost.reached


async def test_a_socks_proxy_without_its_packages_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "socksio" else installed(name))
    monkeypatch.setenv("https_proxy", "socks5h://127.0.0.1:1")
    lost = await lost_to(f"wss://{FAR}")
    assert "SOCKS" in lost.cause.what
    assert command_for("socks") in lost.cause.remedy
    assert not lost.retry


# Addresses.


async def test_an_address_that_never_answers_is_not_waited_for_when_another_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dead = socket.socket()
    dead.bind(("127.0.0.2", 0))
    dead.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:  # a full queue: the next connection hangs, as on a route that leads nowhere
        each.setblocking(False)
        each.connect_ex(dead.getsockname())
    async with serve(greet) as server:
        names_lead_to(monkeypatch, dead.getsockname(), ("127.0.0.1", port_of(server.url)))
        async with asyncio.timeout(5):
            connection = await open_socket(f"ws://{FAR}:80", service=Service("The service"))
            await connection.close()
    for each in (dead, *waiting):
        each.close()


# Certificates.


async def test_a_certificate_that_is_not_known_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(greet, tls=True) as server:
        lost = await lost_to(server.url)
        assert lost.cause.what == "The certificate of The service is not accepted: self-signed certificate"
        assert "SSL_CERT_FILE" in lost.cause.remedy
        assert not lost.retry
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        await (await open_socket(server.url, service=Service("The service"))).close()
        names_lead_to(monkeypatch, ("127.0.0.1", port_of(server.url)))
        lost = await lost_to(f"wss://{FAR}")
    assert "Hostname mismatch" in lost.cause.what
    assert lost.cause.remedy == "Check the engine's url"


async def test_a_server_without_tls_is_not_a_bad_certificate() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        lost = await lost_to(f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert "does not use TLS" in lost.cause.what
    assert not lost.retry


# What the service says.


async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere_else() -> None:
    async with serve(greet) as elsewhere:
        away = Refusal(307, "", {"Location": f"{elsewhere.url}/?token=visible"})
        async with serve(greet, admit=lambda asked: away) as server:
            lost = await lost_to(server.url, {"xi-api-key": "a-very-secret-key"})
    assert elsewhere.asked == []
    assert f"refers to 127.0.0.1:{port_of(elsewhere.url)}" in lost.cause.what
    assert "visible" not in str(lost)
    assert not lost.retry


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({"dg-error": "No such model/tier."}, b"", "No such model/tier."),
        ({}, b'{"err_code":"Bad Request","err_msg":"No such model."}', "No such model."),
        ({}, b'{"error":{"message":"Incorrect API key provided","type":"x"}}', "Incorrect API key provided"),
        ({}, b'{"detail":{"status":"quota_exceeded","message":"Out of quota"}}', "Out of quota"),
        ({}, b'{"detail":"Not Found"}', "Not Found"),
        ({}, b"plain words", "plain words"),
        ({"Content-Type": "text/html"}, b"<html>no</html>", ""),
        ({}, b"[" * 100_000, ""),
        ({}, b'{"error":{"error":{"error":"deep"}}}', ""),
    ],
)
def test_the_service_s_own_sentence_is_found(headers: dict[str, str], body: bytes, said: str) -> None:
    assert own_words({"Content-Type": "text/plain", **headers}, body)[:60] == said[:60]


async def test_a_refused_upgrade_is_reported_in_the_service_s_words() -> None:
    def admit(asked: Asked) -> Refusal:
        return Refusal(400, "ignored", {"dg-error": "No such model/language/tier combination found."})

    async with serve(greet, admit=admit) as server:
        lost = await lost_to(server.url)
    assert "(HTTP 400: No such model/language/tier combination found.)" in lost.cause.what
    assert not lost.retry


async def test_what_a_server_asks_to_wait_has_an_end() -> None:
    async with serve(greet, admit=lambda asked: Refusal(429, "", {"Retry-After": "1e9"})) as server:
        lost = await lost_to(server.url)
    assert lost.after == network.LONGEST_WAIT_S


def test_only_a_server_of_one_s_own_means_the_key_by_403() -> None:
    vendor = refused(Service("Deepgram", "deepgram", "DEEPGRAM_API_KEY", has_key=True), HTTP, 403, {}, b"")
    assert str(vendor.cause).startswith("The account may not use this at Deepgram (HTTP 403).")
    own = refused(Service("asr.lan", "deepgram", "DEEPGRAM_API_KEY", own=True), HTTP, 403, {}, b"")
    assert str(own.cause) == (
        "asr.lan needs an API key (HTTP 403). Set one with mictape login deepgram, or in the environment as "
        "DEEPGRAM_API_KEY."
    )
    none = refused(Service("asr.lan", "vosk", own=True), HTTP, 401, {}, b"")
    assert str(none.cause).startswith("asr.lan asks for a key, and the engine vosk sends none (HTTP 401).")
