"""The commands `engines`, `login` and `logout`."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from mictape.cli import output
from mictape.cli.options import Commands, add_settings, settings_of
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.paths import Places

if TYPE_CHECKING:
    from mictape.engines.readiness import EngineStatus


def add(commands: Commands) -> None:
    """Add the commands."""
    engines = commands.add_parser("engines", help="list speech engines and what each needs")
    engines.add_argument("--json", action="store_true", help="one JSON document")
    engines.set_defaults(run=_engines)
    login = commands.add_parser(
        "login",
        help="save the API key of a service",
        description="Asks for the key without showing it (a pipe gives one line), tries it, and puts it into the "
        "system's keyring.",
    )
    add_settings(login, "set")
    login.add_argument("name", metavar="NAME", help="the engine")
    login.set_defaults(run=_login)
    logout = commands.add_parser("logout", help="remove the API key of a service")
    logout.add_argument("name", metavar="NAME", help="the engine")
    logout.set_defaults(run=_logout)


def _engines(arguments: argparse.Namespace, where: Places) -> int:
    import asyncio

    from mictape import credentials
    from mictape.engines import catalog
    from mictape.engines.readiness import Readiness, usable_first
    from mictape.terminal import set_up_log

    set_up_log(where.log)
    values = settings_of(arguments, where)

    async def look() -> list["EngineStatus"]:
        looks = [credentials.engine_status(name, values, where.log) for name in catalog.names()]
        known: list[EngineStatus] = []
        for look in asyncio.as_completed(looks):
            known.append(await look)
            if known[-1].readiness is Readiness.READY and not arguments.json:
                _print_row(known[-1])  # at once: a keyring or a distant service may take long
        return usable_first(known)

    known = asyncio.run(look())
    if arguments.json:
        print(output.as_json([_as_json(one) for one in known]))
    else:
        for one in known:
            if one.readiness is not Readiness.READY:
                _print_row(one)
    return ExitCode.DONE


def _print_row(one: "EngineStatus") -> None:
    facts = "; ".join(filter(None, (one.leaves, one.price)))
    print(f"{one.name:<15} {one.readiness:<20} {facts}".rstrip(), flush=True)
    if one.failure is not None:
        print(f"    {one.failure}", flush=True)


def _as_json(one: "EngineStatus") -> dict[str, object]:
    return {
        "name": one.name,
        "title": one.title,
        "state": one.readiness,
        "why": one.failure and one.failure.what,
        "remedy": one.failure and one.failure.remedy,
        "leaves": one.leaves,
        "usd_per_hour": one.usd_per_hour,
    }


def _login(arguments: argparse.Namespace, where: Places) -> int:
    """Take a key, try it, store it; a key that the service refuses is not stored."""
    import asyncio

    from mictape import credentials
    from mictape.settings import Given
    from mictape.terminal import set_up_log

    set_up_log(where.log)
    name: str = arguments.name
    values = settings_of(arguments, where, Given("mictape login", "engine", name))  # whose options `--set` gives
    variable = credentials.variable_of(name)
    keyring = credentials.keyring_for(name)  # asked before the person is, who would type in vain
    key = _asked_for(name)
    lost = asyncio.run(credentials.log_in(name, key, values, where.log))
    if lost is None:
        print(f"{name} takes the key. It is kept in {keyring}.")
    else:
        print(f"The key is kept in {keyring}. It could not be tried: {lost.cause}")
    if os.environ.get(variable, "").strip() not in ("", key.strip()):
        print(f"{variable} is set in the environment to another key, which goes before this one.")
    return ExitCode.DONE


def _asked_for(name: str) -> str:
    """A line from the person, not shown; from a pipe when there is no terminal."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    import getpass
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(f"The key for {name} (it is not shown): ")
        except EOFError:
            return ""
        except getpass.GetPassWarning:
            what = "This terminal shows what is typed"
            raise MictapeError(Failure(what, f"Pipe the key into mictape login {name}", ExitCode.USAGE)) from None


def _logout(arguments: argparse.Namespace, where: Places) -> int:
    from mictape import credentials
    from mictape.terminal import set_up_log

    set_up_log(where.log)
    name: str = arguments.name
    variable = credentials.variable_of(name)
    print(f"The key for {name} is forgotten." if credentials.forget(name) else f"No key for {name} was kept.")
    if os.environ.get(variable, "").strip():
        print(f"{variable} is still set in the environment.")
    return ExitCode.DONE
