"""What each engine would do here: whether it can work, what leaves the machine, what an hour costs.

Nothing is opened that is billed: a service is ready when its key is there and its address answers. Whether the key
is the right one shows a conversation, which `tried` holds.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from mictape.engines import catalog
from mictape.engines.base import Connection, Engine, Lost, Request
from mictape.engines.urls import host_of
from mictape.failure import ExitCode, Failure, MictapeError

ANSWER_S: Final = 5.0
"""Longest that the way to an address may take, with a proxy and TLS; a distant one needs a tenth of it."""

LOOK_S: Final = 15.0
"""Longest that anything about one engine may take, a keyring that asks for a password left aside."""

TRIAL_S: Final = 20.0
"""Longest that a conversation without sound may take: the handshake's 10 s and as long to end it."""

NOTHING: Final = "nothing leaves this machine"
HERE: Final = "sound goes to a server on this machine"
SOMEWHERE: Final = "sound leaves this machine"

T = TypeVar("T")


class Readiness(StrEnum):
    """Whether an engine can work, in a word or two."""

    LOOKING = "looking …"
    READY = "ready"
    NEEDS_KEY = "needs a key"
    RETIRED = "retired"
    """The service has ended."""
    UNREACHABLE = "not reachable"
    NO_PLATFORM = "not on this platform"
    UNUSABLE = "cannot be used"
    """It cannot be imported, its settings have a mistake, or it says itself that trying is of no use."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What is known of one engine."""

    name: str
    readiness: Readiness = Readiness.LOOKING
    title: str = ""
    """What it says of itself."""
    failure: Failure | None = None
    """What stands in the way, and what to do about it."""
    leaves: str = ""
    """What leaves the machine: a clause."""
    usd_per_hour: float | None = None
    """The list price of an hour in US dollars; None: not known, or nothing to pay."""
    billed: bool = False

    @property
    def price(self) -> str:
        """The price of an hour, for people: `$0.45 an hour`; empty when it is not known."""
        if self.usd_per_hour is not None:
            return f"${self.usd_per_hour:.2f} an hour"
        return "billed by the service" if self.billed else ""


async def status_of(
    name: str,
    options: Mapping[str, object],
    log: Path,
    key: Callable[[], str | None],
    place: Callable[[str], str] | None = None,
) -> EngineStatus:
    """Find out about one engine. Never raises: what goes wrong is part of the answer.

    Args:
        name: One of `catalog.names`.
        options: Its settings, as in `[engines.NAME]`.
        log: The file that its process, if it has one, appends to.
        key: Gives its key; may take long and raise `MictapeError`, so it is called in a thread.
        place: Where a setting was made, for the sentence about a mistake in it.
    """
    given = None
    try:
        given = await in_thread(key)
        # Importing an engine, too, takes longer than a screen may stand still.
        engine = await in_thread(lambda: catalog.create(name, options, log, key=given, place=place))
    except MictapeError as error:
        return EngineStatus(name, Readiness.UNUSABLE, failure=error.failure)
    try:
        async with asyncio.timeout(LOOK_S):
            return await _about(name, engine, options, has_key=given is not None)
    except TimeoutError:
        failure = Failure(f"{name} did not say within {LOOK_S:.0f} s whether it is ready", "Try again", ExitCode.ENGINE)
    except Exception as error:  # whatever a third party's engine raises
        failure = Failure(
            f"{name} cannot say whether it is ready: {error}", "Report it to its authors", ExitCode.ENGINE
        )
    finally:
        with contextlib.suppress(Exception):
            await engine.close()
    return EngineStatus(name, Readiness.UNUSABLE, failure=failure)


async def tried(engine: Engine) -> Lost | None:
    """Hold a conversation without sound; None when the service took part in it, else why it did not.

    This is how a key is proved, for every protocol: what is refused for good says so with `retry` false. The engine
    is closed.
    """
    try:
        async with asyncio.timeout(TRIAL_S):
            connection = await engine.connect(Request())
            draining = asyncio.create_task(_drain(connection))
            try:
                await asyncio.sleep(0)  # so that what is said before a close is read before the close is found
                await connection.finish()
                await draining
            finally:
                draining.cancel()
                await asyncio.gather(draining, return_exceptions=True)
                await connection.close()
    except Lost as lost:
        return lost
    except TimeoutError:
        return Lost(Failure(f"{engine.title} does not answer", "Check the network", ExitCode.ENGINE))
    finally:
        await engine.close()
    return None


async def _drain(connection: Connection) -> None:
    async for _ in connection:
        pass


async def in_thread(work: Callable[[], T]) -> T:
    """Do what blocks in a thread that need not be waited for.

    A keyring may ask for its password for as long as it likes. `asyncio.to_thread` would keep the program from
    ending until it is answered.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(set_outcome: Callable[[], None]) -> None:
        if not done.done():  # it is not waited for any more
            set_outcome()

    def run() -> None:
        outcome: Callable[[], None]
        try:
            outcome = partial(done.set_result, work())
        except Exception as error:
            outcome = partial(done.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, daemon=True).start()
    return await done


async def _about(name: str, engine: Engine, options: Mapping[str, object], *, has_key: bool) -> EngineStatus:
    url = catalog.url_of(name, engine, options)
    failure = await engine.check(Request())
    can = engine.capabilities
    if failure is not None and failure.needs_key and not has_key:
        readiness = Readiness.NEEDS_KEY
    elif failure is not None and can.retired:
        readiness = Readiness.RETIRED
    elif failure is not None:
        readiness = Readiness.UNUSABLE if url else Readiness.NO_PLATFORM
    elif url and (failure := await _unreachable(url, engine)) is not None:
        readiness = Readiness.UNREACHABLE
    else:
        readiness = Readiness.READY
    return EngineStatus(
        name, readiness, engine.title, failure, leaves(url, offline=can.offline), can.usd_per_hour, can.billed
    )


def leaves(url: str, *, offline: bool) -> str:
    """What leaves the machine. Of an address only the host is shown: the rest may hold a token."""
    if offline:
        return HERE if url else NOTHING
    host = host_of(url)
    return f"sound goes to {host}" if host else SOMEWHERE


_ORDER: Final = (
    *(Readiness.READY, Readiness.LOOKING, Readiness.UNREACHABLE, Readiness.NEEDS_KEY),
    *(Readiness.UNUSABLE, Readiness.NO_PLATFORM, Readiness.RETIRED),
)


def usable_first(statuses: Iterable[EngineStatus]) -> list[EngineStatus]:
    """What can be used at once, then what needs something, then what cannot be used; what is retired last."""
    return sorted(statuses, key=lambda one: _ORDER.index(one.readiness))


async def _unreachable(url: str, engine: Engine) -> Failure | None:
    """Why there is no way to this address; None when there is one."""
    from mictape.engines.network import reach  # brings websockets, which the app's first frame does not need
    from mictape.engines.verdicts import Service

    try:
        async with asyncio.timeout(ANSWER_S):
            await reach(url, getattr(engine, "service", Service(engine.name, engine.name)))
    except Lost as lost:
        return lost.cause
    except TimeoutError:
        return Failure(f"{host_of(url)} does not answer", "Check the network and the engine's url", ExitCode.ENGINE)
    return None
