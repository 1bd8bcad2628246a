"""The command line. It answers what it can by itself; Textual is imported only when the app starts."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mictape import __version__, settings
from mictape.cli import output
from mictape.failure import ExitCode, Failure, MictapeError, unexpected
from mictape.paths import Places, places

if TYPE_CHECKING:
    from mictape.engines.readiness import Standing

GIVE_UP: Final = "how long to try without a connection to the engine; default 30"

EPILOG: Final = """\
without a command: full-screen in this terminal; starts listening at once

exit codes: 0 done, 2 bad usage, 3 device or file, 4 engine or network, 130 interrupted
"""


def run(argv: Sequence[str]) -> int:
    """Carry out a command line; the exit code. What goes wrong is a sentence on stderr."""
    return output.watched(lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    where = places()
    try:
        return _carry_out(parser().parse_args(argv), where)
    except MictapeError as error:
        return output.say(error.failure)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SystemExit as ended:  # of the parser: help, the version, or bad usage
        return ended.code if isinstance(ended.code, int) else ExitCode.DONE
    except Exception as error:
        if isinstance(sys.stdout, output.Output) and error is sys.stdout.error:
            return ExitCode.DONE  # `watched` reports it
        unexpected(error, "Mictape")
        return output.say(Failure("Unexpected error", f"The details are in {where.log}", ExitCode.UNEXPECTED))


def parser() -> argparse.ArgumentParser:
    """The options and commands."""
    top = argparse.ArgumentParser(
        prog="mictape",
        description="Live speech recognition in the terminal.",
        epilog=EPILOG,
        parents=[_options(None, "engine", "set", "device", "backfill", "keep")],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"mictape {__version__}")
    top.add_argument("--theme", metavar="NAME", help="the colours")
    top.add_argument("--input", metavar="FILE", type=Path, help="play a sound file as if it were live")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    # A command's own defaults would undo what was said before its name, so it has none.
    live = _options(argparse.SUPPRESS, "engine", "set", "device", "backfill", "keep")
    listen = commands.add_parser("listen", parents=[live], help="live, as plain lines on stdout, until Ctrl-C")
    listen.add_argument("--json", action="store_true", help="one JSON object a line")

    still = _options(argparse.SUPPRESS, "engine", "set")
    transcribe = commands.add_parser("transcribe", parents=[still], help="a sound file to text on stdout")
    transcribe.add_argument("file", metavar="FILE", help="a sound file of any kind; - for stdin")
    transcribe.add_argument("--format", choices=["txt", "json"], default="txt")
    transcribe.add_argument("--pace", choices=["fast", "real"], default="fast", help="real: as if it were live")
    transcribe.add_argument("--give-up", metavar="SECONDS", type=float, default=30.0, help=GIVE_UP)
    transcribe.add_argument("--keep", action="store_true", help="keep it as a session")

    devices = commands.add_parser("devices", help="what can be recorded")
    devices.add_argument("--json", action="store_true", help="one JSON document")

    _add_session_commands(commands.add_parser)
    _add_engine_commands(commands.add_parser)
    return top


def _add_session_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    sessions = add("sessions", help="what was recorded before")
    what = sessions.add_subparsers(dest="action", metavar="list|show|complete|delete")
    what.add_parser("list", help="all of them, the newest first (also without a word)")
    show = what.add_parser("show", help="the text of one")
    show.add_argument("session", metavar="ID", nargs="?", default="last", help="its id or how it begins; default last")
    show.add_argument("--format", choices=["txt", "json"], default="txt")
    complete = what.add_parser(
        "complete", parents=[_options(argparse.SUPPRESS, "engine", "set")], help="transcribe what has no text yet"
    )
    complete.add_argument("session", metavar="ID", help="its id, how it begins, or last")
    complete.add_argument("--give-up", metavar="SECONDS", type=float, default=30.0, help=GIVE_UP)
    delete = what.add_parser("delete", help="remove all of one, its sound too")
    delete.add_argument("session", metavar="ID", help="its id, how it begins, or last")


def _add_engine_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    engines = add("engines", help="what can recognise speech, and what it needs")
    engines.add_argument("--json", action="store_true", help="one JSON document")
    login = add(
        "login",
        parents=[_options(argparse.SUPPRESS, "set")],
        help="give the key to a service",
        description="Asks for the key without showing it (a pipe gives one line), tries it, and puts it into the "
        "system's keyring.",
    )
    login.add_argument("name", metavar="NAME", help="the engine")
    logout = add("logout", help="forget the key to a service")
    logout.add_argument("name", metavar="NAME", help="the engine")


def _options(default: str | None, *names: str) -> argparse.ArgumentParser:
    """The options that several commands share: those of `_SHARED` with these names."""
    options = argparse.ArgumentParser(add_help=False, argument_default=default)
    for name in names:
        _SHARED[name](options, default)
    return options


def _add_engine(options: argparse.ArgumentParser, _: str | None) -> None:
    options.add_argument("--engine", metavar="NAME", help="the recogniser; local needs no key and no network")


def _add_set(options: argparse.ArgumentParser, default: str | None) -> None:
    options.add_argument(
        "--set",
        # What is said after a command's name must not undo what was said before it.
        dest="assignments" if default is None else "more_assignments",
        metavar="KEY=VALUE",
        action="append",
        help="a setting of the engine, as in [engines.NAME] of config.toml; may be repeated",
    )


def _add_device(options: argparse.ArgumentParser, default: str | None) -> None:
    options.add_argument("--device", metavar="NAME|ID", help="what to record: its name, a part of it, or its id")
    options.add_argument(
        "--also",
        # As with `--set`, a second one adds to what was said before the command's name.
        dest="also" if default is None else "more_also",
        metavar="NAME|ID",
        action="append",
        help="another device to record at the same time, on a track of its own; may be repeated",
    )
    options.add_argument(
        "--backend",
        dest="audio_backend",
        choices=settings.BACKENDS,
        help="the way to the device; default sounddevice, pyaudio is an extra, parec needs a sound server",
    )
    options.add_argument(
        "--channel", dest="audio_channel", metavar="mix|N", help="which channel of the device; default mix"
    )


def _add_keep(options: argparse.ArgumentParser, default: str | None) -> None:
    options.add_argument(
        "--no-keep", dest="keep", action="store_false", default=default, help="keep neither sound nor text"
    )


def _add_backfill(options: argparse.ArgumentParser, _: str | None) -> None:
    options.add_argument(
        "--backfill",
        choices=settings.BACKFILLS,
        help="who transcribes what an engine that cannot catch up left behind",
    )


_SHARED: Final[Mapping[str, Callable[[argparse.ArgumentParser, str | None], None]]] = {
    "engine": _add_engine,
    "set": _add_set,
    "device": _add_device,
    "backfill": _add_backfill,
    "keep": _add_keep,
}


def _carry_out(arguments: argparse.Namespace, where: Places) -> int:
    match arguments.command:
        case "devices":
            return _devices(as_json=arguments.json)
        case "sessions" if arguments.action != "complete":
            return _sessions(arguments, where)
        case "engines" | "login" | "logout":
            return _about_engines(arguments, where)
        case "listen" | "transcribe" | "sessions":
            from mictape.cli import headless

            return headless.run(arguments, where, _settings(arguments, where))
        case _:
            from mictape.app import run_app

            return run_app(where, _settings(arguments, where), arguments.input)


def _settings(arguments: argparse.Namespace, where: Places) -> settings.Settings:
    said = [*(arguments.assignments or ()), *getattr(arguments, "more_assignments", ())]
    flags = settings.Flags(
        device=arguments.device,
        also=(*(arguments.also or ()), *getattr(arguments, "more_also", ())),
        engine=arguments.engine,
        theme=arguments.theme,
        keep=arguments.keep,
        backfill=arguments.backfill,
        audio_backend=getattr(arguments, "audio_backend", None),
        audio_channel=getattr(arguments, "audio_channel", None),
        engine_settings=settings.assignments(said),
    )
    return settings.load(where, flags)


def _devices(*, as_json: bool) -> int:
    import msgspec

    from mictape.audio.devices import list_devices_now

    devices = list_devices_now()
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(devices), indent=2).decode())
        return ExitCode.DONE
    for device in devices:
        marks = ", ".join(
            [
                device.kind,
                f"{device.channels} ch",
                f"{device.rate} Hz",
                *["default"] * device.default,
                *["muted"] * device.muted,
            ]
        )
        print(f"{device.name}  ({device.host_api}; {marks})\n    {device.id}")
    return ExitCode.DONE


def _about_engines(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.terminal import set_up_log

    set_up_log(where.log)
    match arguments.command:
        case "engines":
            return _engines(where, _settings(arguments, where), as_json=arguments.json)
        case "login":
            arguments.engine = arguments.name  # whose settings `--set` makes
            return _login(arguments.name, where, _settings(arguments, where))
        case _:
            return _logout(arguments.name)


def _engines(where: Places, values: settings.Settings, *, as_json: bool) -> int:
    import asyncio

    from mictape import credentials
    from mictape.engines import catalog
    from mictape.engines.readiness import usable_first

    async def look() -> list["Standing"]:
        return await asyncio.gather(*(credentials.standing_of(name, values, where.log) for name in catalog.names()))

    known = usable_first(asyncio.run(look()))
    if as_json:
        print(json.dumps([_as_json(one) for one in known], indent=2, ensure_ascii=False))
        return ExitCode.DONE
    for one in known:
        facts = "; ".join(filter(None, (one.leaves, one.price)))
        print(f"{one.name:<15} {one.readiness:<20} {facts}".rstrip())
        if one.failure is not None:
            print(f"    {one.failure}")
    return ExitCode.DONE


def _as_json(one: "Standing") -> dict[str, object]:
    return {
        "name": one.name,
        "title": one.title,
        "state": one.readiness,
        "why": one.failure and one.failure.what,
        "remedy": one.failure and one.failure.remedy,
        "leaves": one.leaves,
        "usd_per_hour": one.usd_per_hour,
    }


def _login(name: str, where: Places, values: settings.Settings) -> int:
    """Take a key, try it, store it; a key that the service refuses is not stored."""
    import asyncio

    from mictape import credentials
    from mictape.engines.readiness import tried

    variable = credentials.variable_of(name)
    keyring = credentials.keyring_for(name)  # asked before the person is: nobody likes to type for nothing
    key = credentials.checked(_asked_for(name))
    lost = asyncio.run(tried(credentials.engine_with_key(name, values, where.log, key=key)))
    if lost is not None and not lost.retry:
        raise MictapeError(lost.cause)
    credentials.store(name, key)
    if lost is None:
        print(f"{name} takes the key. It is kept in {keyring}.")
    else:
        print(f"The key is kept in {keyring}. It could not be tried: {lost.cause}")
    if os.environ.get(variable, "").strip() not in ("", key):
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


def _logout(name: str) -> int:
    from mictape import credentials

    variable = credentials.variable_of(name)
    credentials.keyring_for(name)
    print(f"The key for {name} is forgotten." if credentials.forget(name) else f"No key for {name} was kept.")
    if os.environ.get(variable, "").strip():
        print(f"{variable} is still set in the environment.")
    return ExitCode.DONE


def _sessions(arguments: argparse.Namespace, where: Places) -> int:
    from mictape.library import export
    from mictape.library.library import Store

    if arguments.action == "delete":
        with Store(where.library, where.sessions) as store:
            print(f"deleted {store.delete_session(arguments.session)}")
        return ExitCode.DONE
    with contextlib.closing(Store.to_read(where.library, where.sessions)) as store:
        if arguments.action != "show":
            cut_off = {session.id for session in store.unfinished()}
            for session in store.sessions():
                length = str(session.duration).partition(".")[0]
                state = "  cut off" if session.id in cut_off else "  recording" if session.state == "open" else ""
                title = f"  {export.visible(session.title)}" if session.title else ""
                print(f"{session.id}  {length:>8}  {session.lines:>5} lines{title}{state}")
            return ExitCode.DONE
        session = store.session(arguments.session)
        lines = store.lines(session.id)
        if arguments.format == "json":
            print(export.json_session(session, store.tracks(session.id), lines))
        else:
            for line in export.txt(lines):
                print(line)
    return ExitCode.DONE
