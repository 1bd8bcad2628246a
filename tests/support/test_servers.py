"""The servers that tests are served by: what they record, how they refuse, close and vanish."""

import ssl

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from servers.base import CERTIFICATE, Asked, PaceMeter, Peer, Refusal, Wrong, serve


async def echo(peer: Peer) -> None:
    while True:
        await peer.send(await peer.receive())


async def test_frames_and_the_request_are_recorded() -> None:
    async with serve(echo) as server:
        headers = {"Authorization": "key"}
        async with connect(f"{server.url}/v3/ws?model=a%20b&empty=", additional_headers=headers) as client:
            await client.send("text")
            await client.send(b"\0\1")
            assert [await client.recv(), await client.recv()] == ["text", b"\0\1"]
            assert server.open == 1
    (peer,) = server.peers
    assert peer.asked.path == "/v3/ws"
    assert peer.asked.query == {"model": "a b", "empty": ""}
    assert peer.asked.headers["authorization"] == "key"
    assert [frame.payload for frame in peer.received] == [frame.payload for frame in peer.sent] == ["text", b"\0\1"]
    assert peer.closed == (1000, "")
    assert server.open == 0


async def test_who_breaks_a_rule_is_closed_with_the_code_and_recorded() -> None:
    async def strict(peer: Peer) -> None:
        await peer.receive()
        raise Wrong(3007, "too short " + "é" * 100)

    async with serve(strict) as server, connect(server.url) as client:
        await client.send("x")
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason[:10]) == (3007, "too short ")
    assert len(server.violations) == 1


async def test_an_upgrade_can_be_refused() -> None:
    def admit(asked: Asked) -> Refusal | None:
        return None if "authorization" in asked.headers else Refusal(401, "no key", {"Retry-After": "3"})

    async with serve(echo, admit=admit) as server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.url)
        assert refused.value.response.status_code == 401
        assert refused.value.response.headers["Retry-After"] == "3"
        async with connect(server.url, additional_headers={"Authorization": "key"}):
            pass
    assert (len(server.asked), len(server.peers)) == (2, 1)


@pytest.mark.parametrize("tls", [False, True])
async def test_a_dropped_connection_has_no_close_frame(tls: bool) -> None:
    async def drop(peer: Peer) -> None:
        peer.drop()
        await peer.wait_closed()

    trust = ssl.create_default_context(cafile=CERTIFICATE) if tls else None
    async with serve(drop, tls=tls) as server, connect(server.url, ssl=trust) as client:
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
        assert closed.value.rcvd is None
    assert server.peers[0].closed == (1006, "")


async def test_the_certificate_is_not_trusted_by_itself() -> None:
    async with serve(echo, tls=True) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(server.url)


async def test_a_handler_that_fails_fails_the_test() -> None:
    async def broken(peer: Peer) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with serve(broken) as server, connect(server.url) as client:
            with pytest.raises(Exception, match="1000"):
                await client.recv()


async def test_a_server_can_come_back_at_its_address() -> None:
    async with serve(echo) as first:
        port = int(first.url.rsplit(":", 1)[1])
    async with serve(echo, port=port) as second, connect(first.url):
        pass
    assert first.url == second.url


def test_the_pace_is_measured_from_the_first_block_on() -> None:
    now = 100.0
    meter = PaceMeter(fastest=1.0, tolerance_s=2.0, clock=lambda: now)
    assert [meter.take(1.0) for _ in range(3)] == [True, True, False]
    now = 104.0  # three seconds sent, four gone by
    assert meter.take(3.0)
    assert not meter.take(0.5)
    assert meter.most_ahead_s == 3.0
    assert PaceMeter(fastest=None).take(3600)
