"""API keys: from the environment, then from the system's keyring; never from a file of ours.

On a system without a keyring a key that is given in the app is used until it ends.

A key goes from here into the engine that needs it and nowhere else. It is kept under the name of the environment
variable that could hold it, so engines that share a variable share what `mictape login` stored.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NoReturn, TypeVar

from mictape.engines import catalog
from mictape.engines.base import Engine, Lost
from mictape.engines.readiness import EngineStatus, in_thread, status_of, tried
from mictape.failure import ExitCode, Failure, MictapeError, keep_secret
from mictape.settings import Settings

SERVICE: Final = "mictape"
"""The service name of our keyring entries."""

KEYRING_S: Final = 20.0
"""How long a keyring may take: time enough to type its password. Some never answer."""

NO_KEYRING: Final = "This system has no keyring to keep a key in"

T = TypeVar("T")

_of_this_run: Final[dict[str, str]] = {}
"""Keys that were given where there is no keyring, by variable."""

_one_at_a_time: Final = threading.Lock()
"""Engines are looked at side by side, but a keyring that is locked should ask for its password once."""

_log = logging.getLogger(__name__)


def key_for(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The key for an engine; None when there is none, or the engine takes none.

    May take long: a keyring may ask the person to unlock it.

    Raises:
        MictapeError: There is no such engine, or (`ExitCode.ENGINE`) the keyring cannot be read.
    """
    variable = catalog.key_variable(name)
    if variable is None:
        return None
    key = environ.get(variable, "").strip() or _of_this_run.get(variable) or _from_keyring(name, variable)
    if key:
        keep_secret(key)
    return key or None


def engine_with_key(name: str, settings: Settings, log: Path, *, key: str | None = None) -> Engine:
    """Make an engine with its settings and its key; nothing is started.

    May take long, as `key_for` does.

    Args:
        name: The engine's name, whether or not it is the one in force.
        settings: Where its settings are.
        log: The file that the engine's process, if it has one, appends to.
        key: The key to use; None: the one that `key_for` finds.

    Raises:
        MictapeError: There is no such engine, a setting does not fit, or the keyring cannot be read.
    """
    options = settings.engines.get(name, {})
    return catalog.create(name, options, log, key=key or key_for(name), place=partial(settings.place, "engines", name))


async def engine_status(name: str, settings: Settings, log: Path) -> EngineStatus:
    """What an engine would do here, with its settings and its key; never raises."""
    options = settings.engines.get(name, {})
    return await status_of(name, options, log, partial(key_for, name), partial(settings.place, "engines", name))


async def log_in(name: str, typed: str, settings: Settings, log: Path) -> Lost | None:
    """Take a key: try it, and store it unless the service refuses it; without a keyring it is used for this run.

    Args:
        name: The engine's name.
        typed: The key as it was typed or pasted.
        settings: Where the engine's settings are.
        log: As for `engine_with_key`.

    Returns:
        Why the key could not be tried, although it is taken; None when the service accepted it.

    Raises:
        MictapeError: It cannot be a key, the service refuses it, or the keyring does not take it.
    """
    key = checked(typed)
    lost = await tried(await in_thread(lambda: engine_with_key(name, settings, log, key=key)))
    if lost is not None and not lost.retry:
        raise MictapeError(lost.cause)
    if await in_thread(has_keyring):
        await in_thread(lambda: store(name, key))
    else:
        _of_this_run[variable_of(name)] = key
    return lost


def kept(name: str) -> str:
    """Where `log_in` keeps the key of an engine: a sentence for the person who is asked for it. May take long.

    Raises:
        MictapeError: There is no such engine, or it takes no key.
    """
    variable = variable_of(name)
    if has_keyring():
        return "It is tried, and kept in the system's keyring."
    return f"{NO_KEYRING}. This one is tried, and used until you quit; to keep it, set {variable}."


def variable_of(name: str) -> str:
    """The environment variable of an engine's key.

    Raises:
        MictapeError: (`ExitCode.USAGE`) there is no such engine, or it takes no key.
    """
    variable = catalog.key_variable(name)
    if variable is None:
        raise MictapeError(Failure(f"The engine {name} needs no key", "Use it as it is", ExitCode.USAGE))
    return variable


def checked(text: str) -> str:
    """A typed or pasted key without the space around it.

    Raises:
        MictapeError: (`ExitCode.USAGE`) that cannot be a key: it goes into a header of HTTP, which takes visible
            ASCII only.
    """
    key = text.strip()
    if not key:
        raise MictapeError(Failure("No key was given", "Nothing has changed; try again", ExitCode.USAGE))
    if not key.isascii() or not key.isprintable() or " " in key:
        what = "A key has no spaces and no special characters"
        raise MictapeError(Failure(what, "Copy it again, alone", ExitCode.USAGE))
    keep_secret(key)
    return key


def keyring_for(name: str) -> str:
    """The name of the keyring that `store` would use.

    Raises:
        MictapeError: (`ExitCode.ENGINE`) this system has none; the sentence says how to do without.
    """
    import keyring

    variable = variable_of(name)
    if not has_keyring():
        remedy = f"Put the key into the environment variable {variable}"
        raise MictapeError(Failure(NO_KEYRING, remedy, ExitCode.ENGINE))
    return keyring.get_keyring().name


def has_keyring() -> bool:
    """Whether this system has a keyring. May take long: looking for one asks the session's services."""
    import keyring
    from keyring.backends.fail import Keyring as NoKeyring
    from keyring.backends.null import Keyring as NullKeyring

    return not isinstance(keyring.get_keyring(), NoKeyring | NullKeyring)


def store(name: str, key: str) -> None:
    """Put an engine's key into the system's keyring, in place of the one before.

    Raises:
        MictapeError: The engine takes no key, or (`ExitCode.ENGINE`) the keyring does not take it.
    """
    import keyring

    variable = variable_of(name)
    keyring_for(name)
    try:
        keyring.set_password(SERVICE, variable, key)
    except Exception as error:  # a back end raises what it likes
        raise _refused("does not take the key", variable, error) from None


def forget(name: str) -> bool:
    """Remove an engine's key from the system's keyring; whether there was one.

    Raises:
        MictapeError: The engine takes no key, or (`ExitCode.ENGINE`) the keyring does not give it away.
    """
    import keyring

    variable = variable_of(name)
    if _from_keyring(name, variable) is None:
        return False
    try:
        keyring.delete_password(SERVICE, variable)
    except Exception as error:  # a back end raises what it likes
        raise _refused("does not forget the key", variable, error) from None
    return True


def _from_keyring(name: str, variable: str) -> str | None:
    """The stored key; None when there is none or no keyring at all."""
    import keyring
    from keyring.errors import NoKeyringError

    def ask() -> str | None:
        with _one_at_a_time:
            return keyring.get_password(SERVICE, variable)

    try:
        return _within(KEYRING_S, ask)
    except NoKeyringError:
        return None
    except TimeoutError as error:
        raise _refused(f"did not answer within {KEYRING_S:.0f} s", variable, error) from None
    except Exception as error:  # a back end raises what it likes
        raise _refused(f"does not give the key for {name}", variable, error) from None


def _within(limit_s: float, work: Callable[[], T]) -> T:
    """What `work` returns, done in a thread. Raises what it raises, or TimeoutError after the limit."""
    outcomes: SimpleQueue[Callable[[], T]] = SimpleQueue()

    def run() -> None:
        try:
            result = work()
        except Exception as error:
            outcomes.put(partial(_raise, error))
        else:
            outcomes.put(lambda: result)

    threading.Thread(target=run, daemon=True).start()
    try:
        outcome = outcomes.get(timeout=limit_s)
    except Empty:
        raise TimeoutError from None
    return outcome()


def _raise(error: Exception) -> NoReturn:
    raise error


def _refused(what: str, variable: str, error: Exception) -> MictapeError:
    """What a keyring's own words are worth: their kind, in the log. They may hold what they are about."""
    _log.warning("the system's keyring %s: %s", what, type(error).__name__)
    remedy = f"Unlock it, or put the key into the environment variable {variable}"
    return MictapeError(Failure(f"The system's keyring {what}", remedy, ExitCode.ENGINE))
