"""Whatever happens on the line, on real sockets: a sentence says so, the right thing follows, the words are there.

The follower with the adapter of protocol v3 against the conformance server, which hears the words of
`scripted.spoken`; and the same through `mictape transcribe`.
"""

import asyncio
import json
import re
import socket
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from mictape.audio.tape import Tape, TapeWriter
from mictape.engines import network, remote, websocket
from mictape.engines.assemblyai.options import AssemblyAIOptions
from mictape.engines.assemblyai.v3 import AssemblyAIEngine
from mictape.engines.base import FinalTurn, Lost, Partial, Request
from mictape.engines.urls import host_and_port
from mictape.failure import ExitCode, Failure
from mictape.recognition.coverage import Coverage
from mictape.recognition.follower import Follower
from mictape.recognition.stretches import FollowedTrack, FollowerEvent
from mictape.units import RATE
from servers.assemblyai import KEY, Said, Script, Utterance, V3Server, V3Session
from servers.assemblyai import Speech as ScriptedSpeech
from servers.base import Asked, Refusal, Server, serve
from servers.proxy import socks_proxy
from support.background import in_background
from support.command_line import called
from support.conversation import ADDRESS
from support.example_service import sound
from support.faulty_proxy import Line, proxy
from support.file_keyring import without_keys
from support.judges import free_port
from support.scripted import LOUD, SLOT, SOUND, STEP, spoken, stretches
from support.waiting import TIMEOUT_S, until_async

WORDS: Final = [1, 2, 3, 1, 0, 2, 2, 1, 3, 3] * 5
SAID: Final = [f"w{word}" for word in WORDS if word]

AFTER: Final = 8
"""Words that a connection hears before it suffers: five of them may be context, the others are new."""

NASTY: Final = "[red][/etc/hosts] \x1b[31m\x1b]0;title\x07 <b> & \N{RIGHT-TO-LEFT OVERRIDE} {x}"

Fault = Callable[[V3Session], Awaitable[None]]


# Who hears.


@dataclass
class Hearing:
    """A script that hears the words of `scripted.spoken`, each a turn; its first connections suffer after eight."""

    faults: list[Fault] = field(default_factory=list[Fault])

    async def __call__(self, session: V3Session) -> None:
        fault = self.faults.pop(0) if self.faults else None
        order, pcm = 0, b""
        while not session.terminating:
            payload = await session.receive()
            if not isinstance(payload, bytes):
                continue
            pcm += payload
            for word in words_of(pcm)[order:]:
                await session.turn(order, [word])
                await session.turn(order, [word], end=True)
                order += 1
                if order == AFTER and fault is not None:
                    await fault(session)


def words_of(pcm: bytes) -> list[Said]:
    """The words that are over."""
    words: list[Said] = []
    at = 0
    for value, length in stretches(pcm):
        if value and (length == SOUND or at + length < len(pcm) // 2):
            words.append(Said(f"w{(value - LOUD) // STEP}", at * 1000 // RATE, (at + length) * 1000 // RATE))
        at += length
    return words


@asynccontextmanager
async def faulty_server(
    *faults: Fault, admit: Callable[[Asked], Refusal | None] | None = None, tls: bool = False, port: int = 0
) -> AsyncGenerator[Server]:
    async with serving(Hearing(list(faults)), admit=admit, tls=tls, port=port) as server:
        yield server


@asynccontextmanager
async def serving(script: Script, **options: Any) -> AsyncGenerator[Server]:
    async with serve(V3Server(script, fastest=None), **options) as server:
        yield server
    assert server.violations == []


# Who follows.


class FollowerHarness:
    """Words on a tape, and who follows it over the network at any pace."""

    def __init__(self, folder: Path, url: str, **able: Any) -> None:
        writer = TapeWriter(folder, 1)
        writer.append(spoken(WORDS))
        writer.close()
        self.tape = Tape(folder, 1)
        self.tape.report(writer.samples)
        self.tape.end()
        self.coverage = Coverage()
        self.reported: list[FollowerEvent] = []
        engine = AssemblyAIEngine(AssemblyAIOptions(url=url), Path("unused"), KEY)
        engine.capabilities = replace(engine.capabilities, **{"fastest_pace": None, **able})
        track = FollowedTrack(self.tape, self.coverage, self.reported.append, count())
        self.follower = Follower(track, engine, Request())

    @property
    def losses(self) -> list[Lost]:
        """Why connections were lost, in order."""
        return [each.event for each in self.reported if isinstance(each.event, Lost)]

    async def follow(self) -> None:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await self.follower.run()

    async def until_offline(self, state: str = "offline") -> Lost:
        """Follow until it is said that nobody can be reached, and why; then leave. A fatal cause is `stopped`."""
        async with self.following():
            await until_async(lambda: self.follower.state == state)
            assert self.follower.failure == self.losses[-1].cause
        return self.losses[0]

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[asyncio.Task[None]]:
        task = asyncio.create_task(self.follow())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def words(self) -> list[str]:
        finals = [each.event for each in self.reported if isinstance(each.event, FinalTurn)]
        return " ".join(final.text for final in sorted(finals, key=lambda final: final.start or 0)).split()

    def is_whole(self) -> bool:
        """Whether every word is there once and in order, and nothing is left to do."""
        return self.words == SAID and self.coverage.gaps == () and self.coverage.open(len(WORDS) * SLOT) == []


def is_sentence(failure: Failure) -> bool:
    begins = re.match(f"[A-Z]|{ADDRESS} ", failure.what)
    return bool(begins) and "\n" not in str(failure) and failure.code == ExitCode.ENGINE


# How connections end.


def closes(code: int, reason: str = "") -> Fault:
    return lambda session: session.peer.close(code, reason)


def fails(code: int, text: str) -> Fault:
    return lambda session: session.fail(code, text)


async def vanishes(session: V3Session) -> None:
    session.peer.drop()


PASSING: Final[list[tuple[Fault, str]]] = [
    (vanishes, "broke"),
    (closes(1000), "1000"),
    (closes(1001, "going away"), "1001 going away"),
    (closes(1002), "protocol"),
    (closes(1011), "trouble"),
    (closes(1012, "restart"), "1012 restart"),
    (fails(3005, "Server error"), "trouble"),
    (fails(3008, "Session Expired: maximum session duration exceeded"), "time limit"),
    (closes(4999, "nobody knows"), "4999 nobody knows"),
]


async def test_an_end_that_may_pass_costs_no_word(tmp_path: Path) -> None:
    async with faulty_server(*(fault for fault, _ in PASSING)) as server:
        harness = FollowerHarness(tmp_path, server.url)
        await harness.follow()
    assert harness.is_whole(), harness.words
    assert len(server.peers) == len(PASSING) + 1
    assert all(lost.retry and is_sentence(lost.cause) for lost in harness.losses)
    for lost, (_, part) in zip(harness.losses, PASSING, strict=True):
        assert part in lost.cause.what


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        (fails(1008, "Not authorized"), "key"),
        (closes(1008, "Not authorized"), "key"),
        (closes(4001), "key"),
        (closes(4002), "funds"),
        (fails(3006, "Invalid Message"), "could not use"),
        (closes(1003), "kind of data"),
        (closes(1009), "too large"),
    ],
)
async def test_an_end_for_good_stops_it_and_what_was_recognized_stays(tmp_path: Path, fault: Fault, part: str) -> None:
    async with faulty_server(fault) as server:
        harness = FollowerHarness(tmp_path, server.url)
        with pytest.raises(Lost) as lost:
            await harness.follow()
    assert not lost.value.retry
    assert part in lost.value.cause.what
    assert is_sentence(lost.value.cause)
    assert lost.value.cause.remedy
    assert (harness.follower.state, harness.follower.failure) == ("stopped", lost.value.cause)
    assert len(server.peers) == 1
    assert harness.words == SAID[:AFTER]


@pytest.mark.parametrize(
    ("code", "text", "after_s"),
    [(3009, "Too many concurrent sessions", 15.0), (1013, "Try again later", 5.0), (3007, "Rate Exceeded", 1.0)],
)
async def test_who_asks_for_patience_gets_it(tmp_path: Path, code: int, text: str, after_s: float) -> None:
    async with faulty_server(fails(code, text)) as server:
        lost = await FollowerHarness(tmp_path, server.url).until_offline()
    assert (lost.retry, lost.after) == (True, after_s)
    assert text in lost.cause.what


# How they do not even begin.


@pytest.mark.parametrize(("status", "part"), [(401, "key"), (402, "funds"), (403, "key"), (404, "address")])
async def test_an_upgrade_refused_for_good_stops_it(tmp_path: Path, status: int, part: str) -> None:
    async with faulty_server(admit=lambda _: Refusal(status)) as server:
        harness = FollowerHarness(tmp_path, server.url)
        with pytest.raises(Lost) as lost:
            await harness.follow()
    assert (lost.value.retry, harness.follower.state, len(server.asked)) == (False, "stopped", 1)
    assert part in lost.value.cause.what
    assert lost.value.cause.remedy


async def test_a_server_in_trouble_is_asked_again(tmp_path: Path) -> None:
    statuses = [500, 503]

    def admit(_: Asked) -> Refusal | None:
        return Refusal(statuses.pop(0)) if statuses else None

    async with faulty_server(admit=admit) as server:
        harness = FollowerHarness(tmp_path, server.url)
        await harness.follow()
    assert harness.is_whole()
    assert [lost.cause.what.rpartition(" ")[2] for lost in harness.losses] == ["500)", "503)"]
    assert all(lost.retry for lost in harness.losses)


@pytest.mark.parametrize(
    ("headers", "after_s"), [({}, 10.0), ({"Retry-After": "20"}, 20.0), ({"Retry-After": "?"}, 10)]
)
async def test_too_many_requests_are_answered_with_patience(
    tmp_path: Path, headers: dict[str, str], after_s: float
) -> None:
    async with faulty_server(admit=lambda _: Refusal(429, headers=headers)) as server:
        lost = await FollowerHarness(tmp_path, server.url).until_offline()
    assert (lost.retry, lost.after) == (True, after_s)
    assert "HTTP 429" in lost.cause.what


async def test_no_server_listens_until_one_does(tmp_path: Path) -> None:
    port = free_port()
    harness = FollowerHarness(tmp_path, f"ws://127.0.0.1:{port}")
    async with harness.following() as task:
        await until_async(lambda: len(harness.losses) > 1)
        assert harness.follower.state == "offline"
        async with faulty_server(port=port):
            await task
    assert harness.is_whole()
    assert {lost.cause.what for lost in harness.losses} == {f"127.0.0.1:{port} cannot be reached: connection refused"}


async def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    lost = await FollowerHarness(tmp_path, "ws://no-such-host.invalid").until_offline()
    assert lost.retry, "a network that is down looks the same"
    assert lost.cause.what.startswith("no-such-host.invalid cannot be reached")


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    async with faulty_server(tls=True) as server:
        lost = await FollowerHarness(tmp_path, server.url).until_offline("stopped")
        assert server.peers == []
    assert not lost.retry, "it never was accepted, so it will not be"
    assert "SSL_CERT_FILE" in lost.cause.remedy
    assert f"certificate of {host_and_port(server.url)} is not accepted: self-signed certificate" in lost.cause.what


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\0" * 100, b""])
async def test_something_else_answers(tmp_path: Path, answer: bytes) -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        number = server.sockets[0].getsockname()[1]
        lost = await FollowerHarness(tmp_path, f"ws://127.0.0.1:{number}").until_offline()
    assert lost.retry
    assert is_sentence(lost.cause)


@pytest.mark.parametrize("greets", ["not at all", "with an upgrade"])
async def test_a_server_accepts_and_says_nothing(tmp_path: Path, greets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, limit in ((network, "OPEN_S"), (websocket, "OPEN_S"), (remote, "OWN_SERVER_S")):
        monkeypatch.setattr(module, limit, 0.3)
    if greets == "not at all":
        with socket.create_server(("127.0.0.1", 0)) as mute:
            lost = await FollowerHarness(tmp_path, f"ws://127.0.0.1:{mute.getsockname()[1]}").until_offline()
    else:
        async with serve(lambda peer: peer.wait_closed()) as server:
            lost = await FollowerHarness(tmp_path, server.url).until_offline()
    assert lost.retry
    assert lost.cause.what.endswith(("does not answer", "takes the connection and says nothing"))


async def test_a_server_on_this_machine_has_its_time_limit_too(tmp_path: Path) -> None:
    async with faulty_server() as server:
        harness = FollowerHarness(tmp_path, server.url, fastest_pace=16.0, longest_s=1.0)
        await harness.follow()
    assert harness.is_whole(), harness.words
    assert len(server.peers) > 1
    assert harness.losses == []


async def test_a_server_of_ones_own_may_take_longer_to_finish_than_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket.SocketConnection, "finish_s", 0.0)

    async def thorough(session: V3Session) -> None:
        await Hearing()(session)
        for _ in range(50):  # the client's time would be over by now
            await (await session.peer._connection.ping())

    async with serving(thorough) as server:
        harness = FollowerHarness(tmp_path, server.url)
        await harness.follow()
    assert harness.is_whole(), harness.words
    assert harness.losses == []


# What is said.


def says(*payloads: str | bytes) -> Fault:
    async def say(session: V3Session) -> None:
        for payload in payloads:
            await session.peer.send(payload)

    return say


NO_MESSAGES: Final = [
    *("{", "", "\0", "\x1b[2J", b"\xff\xfe\x00\x80" * 50),
    *('{"type": "Turn", "more": ' + "[" * 100_000, '{"type": "' + "x" * (5 << 20) + '"}'),
]
"""Malformed, garbage, nested too deeply, too long."""

STRANGE: Final = [
    *("null", "[]", "{}", "1e400", '"Turn"', '{"type": "Turn"}', '{"type": "Nonsense"}', '{"type": 7}'),
    *('{"type": "Turn", "turn_order": "one", "end_of_turn": true, "transcript": "no", "words": []}', '{"error": null}'),
    *('{"type": "Turn", "turn_order": 99, "end_of_turn": true, "transcript": null, "words": []}', b"{}"),
]
"""Messages, but none that anybody knows."""


async def test_what_is_no_message_ends_the_connection_and_the_next_one_goes_on(tmp_path: Path) -> None:
    async with faulty_server(*map(says, NO_MESSAGES)) as server:
        harness = FollowerHarness(tmp_path, server.url)
        await harness.follow()
    assert harness.is_whole(), harness.words
    assert len(harness.losses) == len(NO_MESSAGES)
    assert all(lost.retry and is_sentence(lost.cause) for lost in harness.losses)
    assert len(max((str(lost.cause) for lost in harness.losses), key=len)) < 200, "what was sent is not repeated"


async def test_messages_that_nobody_knows_are_left_alone(tmp_path: Path) -> None:
    async with faulty_server(says(*STRANGE)) as server:
        harness = FollowerHarness(tmp_path, server.url)
        await harness.follow()
    assert harness.is_whole(), harness.words
    assert harness.losses == []


async def test_ten_thousand_messages_at_once_keep_nobody_else_waiting(tmp_path: Path) -> None:
    many = 10_000
    turns = 0

    async def floods(session: V3Session) -> None:
        for _ in range(many):
            await session.turn(AFTER, [Said("soon", 1700, 1800)])

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with faulty_server(floods) as server:
        harness = FollowerHarness(tmp_path, server.url)
        elsewhere = asyncio.create_task(others())
        await harness.follow()
        elsewhere.cancel()
    assert harness.is_whole(), harness.words
    assert harness.losses == []
    assert sum(isinstance(each.event, Partial) and each.event.text == "soon" for each in harness.reported) == many
    assert turns > many / 100


# Bad lines.


@pytest.mark.parametrize("line", [Line(delay_s=0.05), Line(bytes_per_s=500_000)])
async def test_a_slow_line_only_takes_longer(tmp_path: Path, line: Line) -> None:
    async with faulty_server() as server, proxy(server.url, line) as lines:
        harness = FollowerHarness(tmp_path, lines.url)
        await harness.follow()
    assert harness.is_whole(), harness.words
    assert harness.losses == []
    assert line.up > len(WORDS) * SLOT * 2


@pytest.mark.parametrize(
    "line",
    [
        Line(swallow_after=60_000),
        pytest.param(Line(swallow_after=1_500), marks=pytest.mark.proof),
        Line(garble_up_after=60_000),
        Line(garble_down_after=3_000),
        Line(swallow_after=20),
    ],
)
async def test_a_line_that_breaks_unseen_is_found_out(
    tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, limit in ((remote, "OWN_SERVER_S"), (websocket, "SEND_S"), (network, "OPEN_S")):
        monkeypatch.setattr(module, limit, 0.4)
    async with serve(V3Server(Hearing(), fastest=None)) as server, proxy(server.url, line) as lines:
        harness = FollowerHarness(tmp_path, lines.url)
        await harness.follow()
    assert harness.is_whole(), harness.words
    # A machine that is late may lose another connection within these limits.
    assert len(lines.lines) == len(harness.losses) + 1 > 1
    assert all(lost.retry and is_sentence(lost.cause) for lost in harness.losses)


# Through the command.


def transcribe(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Transcribe a second of a tone, without anybody's keys but these."""
    file = str(sound(tmp_path / "tone.wav", seconds=1))
    with without_keys(), pytest.MonkeyPatch.context() as variables:
        for name, value in environment.items():
            variables.setenv(name, value)
        return called("transcribe", "--engine", "assemblyai", *arguments, file)


def refused_with_a_sentence(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == ExitCode.ENGINE and "Traceback" not in done.stderr and done.stdout == ""


def test_without_a_key_the_command_says_which_and_how(tmp_path: Path) -> None:
    done = transcribe(tmp_path)
    assert refused_with_a_sentence(done)
    assert "ASSEMBLYAI_API_KEY" in done.stderr
    assert "mictape login assemblyai" in done.stderr


def test_without_the_key_that_a_server_of_ones_own_wants(tmp_path: Path) -> None:
    v3 = V3Server()
    with in_background(serve(v3, admit=v3.admit)) as server:
        done = transcribe(tmp_path, "--set", f"url={server.url}")
    assert refused_with_a_sentence(done)
    assert "ASSEMBLYAI_API_KEY" in done.stderr
    assert len(server.asked) == 1


@pytest.mark.parametrize("refusal", ["http", "close"])
def test_a_wrong_key_ends_the_command_at_once(tmp_path: Path, refusal: Literal["http", "close"]) -> None:
    v3 = V3Server(refusal=refusal)
    with in_background(serve(v3, admit=v3.admit)) as server:
        done = transcribe(tmp_path, "--set", f"url={server.url}", ASSEMBLYAI_API_KEY="a-wrong-key")
    assert refused_with_a_sentence(done)
    assert "does not accept the key" in done.stderr
    assert "mictape login assemblyai" in done.stderr
    assert len(server.asked) == 1


def test_the_command_says_that_nobody_listens_while_it_tries_and_gives_up(tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{free_port()}"
    done = transcribe(tmp_path, "--set", f"url={url}", "--give-up", "2", ASSEMBLYAI_API_KEY=KEY)
    assert refused_with_a_sentence(done)
    first, *_, last = done.stderr.splitlines()
    assert first.endswith("Trying again …")
    assert "cannot be reached" in first
    assert "cannot be reached" in last
    assert not last.endswith("Trying again …")
    assert "Connected." not in done.stderr


@pytest.mark.parametrize(
    ("url", "part"), [("http://127.0.0.1/", "url"), ("ws://no-such-host.invalid/v3/ws", "cannot be reached")]
)
def test_the_command_given_an_address_that_leads_nowhere(tmp_path: Path, url: str, part: str) -> None:
    done = transcribe(tmp_path, "--set", f"url={url}", "--give-up", "0", ASSEMBLYAI_API_KEY=KEY)
    assert refused_with_a_sentence(done)
    assert part in done.stderr


def test_the_command_says_that_nobody_vouches_for_a_certificate(tmp_path: Path) -> None:
    v3 = V3Server()
    with in_background(serve(v3, admit=v3.admit, tls=True)) as server:
        done = transcribe(tmp_path, "--set", f"url={server.url}", "--give-up", "0", ASSEMBLYAI_API_KEY=KEY)
    assert refused_with_a_sentence(done)
    assert "is not accepted: self-signed certificate" in done.stderr
    assert server.peers == []


def test_the_command_says_which_sound_has_no_text_and_fails(tmp_path: Path) -> None:
    async def goes_away(session: V3Session) -> None:
        await session.received_ms(1000)
        session.peer.drop()

    with in_background(serving(goes_away)) as server:
        done = transcribe(tmp_path, "--set", f"url={server.url}", ASSEMBLYAI_API_KEY=KEY)
    assert refused_with_a_sentence(done)
    assert (
        f"00:00:01 of 00:00:01 has no text: The connection to {host_and_port(server.url)} broke. Transcribe it again"
        in done.stderr
    )


def test_the_command_reaches_a_service_through_a_socks_proxy_and_says_when_it_may_not(tmp_path: Path) -> None:
    arguments = ("--set", "url=ws://asr.example.com:81/v3/ws")
    v3 = V3Server(ScriptedSpeech(Utterance(Said("hello", 100, 500), formatted="Hello.")))
    with in_background(serve(v3, admit=v3.admit)) as server:
        target = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        with in_background(socks_proxy(login="me:secret", target=target)) as proxies:
            way = f"socks5h://me:secret@{proxies.address}"
            done = transcribe(tmp_path, *arguments, ASSEMBLYAI_API_KEY=KEY, ALL_PROXY=way, NO_PROXY="")
            refused = transcribe(
                tmp_path, *arguments, ASSEMBLYAI_API_KEY=KEY, ALL_PROXY=way.replace("secret", "wrong"), NO_PROXY=""
            )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello.\n", "")
    assert proxies.asked == ["asr.example.com:81"]
    assert refused_with_a_sentence(refused)
    assert "The proxy asks for a user name and a password on the way to asr.example.com" in refused.stderr
    assert "wrong" not in refused.stderr


def test_markup_and_escape_codes_are_kept_as_they_were_said(tmp_path: Path) -> None:
    v3 = V3Server(ScriptedSpeech(Utterance(Said(NASTY, 100, 500), formatted=NASTY)))
    with in_background(serve(v3, admit=v3.admit)) as server:
        arguments = ("--set", f"url={server.url}")
        document = transcribe(tmp_path, *arguments, "--format", "json", ASSEMBLYAI_API_KEY=KEY)
        text = transcribe(tmp_path, *arguments, ASSEMBLYAI_API_KEY=KEY)
    assert (document.returncode, text.returncode, document.stderr, text.stderr) == (0, 0, "", "")
    assert [line["text"] for line in json.loads(document.stdout)["lines"]] == [NASTY]
    assert "[red][/etc/hosts]" in text.stdout
    assert "<b> &" in text.stdout
    assert "\x1b" not in text.stdout, "a terminal would obey it"
