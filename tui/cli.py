"""The command line. It answers what it can by itself; Textual is imported only when the app starts."""

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tui import __version__, settings
from tui.failure import ExitCode, Failure, MictapeError
from tui.paths import Places, places

EPILOG: Final = """\
without a command: full-screen in this terminal; starts listening at once

exit codes: 0 done, 2 bad usage, 3 device or file, 4 engine or network, 130 interrupted
"""


def run(argv: Sequence[str]) -> int:
    """Carry out a command line; the exit code. What goes wrong is a sentence on stderr."""
    arguments = parser().parse_args(argv)
    where = places()
    try:
        return _carry_out(arguments, where)
    except MictapeError as error:
        print(f"mictape: {error.failure}", file=sys.stderr)
        return error.failure.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has gone, as `head` does; Python would complain about it once more at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except Exception:
        logging.getLogger(__name__).exception("unexpected")
        failure = Failure("Something went wrong that Mictape has no sentence for", f"The log tells more: {where.log}")
        print(f"mictape: {failure}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The options and commands."""
    top = argparse.ArgumentParser(
        prog="mictape",
        description="Live speech recognition in the terminal.",
        epilog=EPILOG,
        parents=[_options(None, "engine", "device", "keep")],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"mictape {__version__}")
    top.add_argument("--theme", metavar="NAME", help="the colours")
    top.add_argument("--input", metavar="FILE", type=Path, help="play a sound file as if it were live")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    # A command's own defaults would undo what was said before its name, so it has none.
    live = _options(argparse.SUPPRESS, "engine", "device", "keep")
    listen = commands.add_parser("listen", parents=[live], help="live, as plain lines on stdout, until Ctrl-C")
    listen.add_argument("--json", action="store_true", help="one JSON object a line")

    still = _options(argparse.SUPPRESS, "engine")
    transcribe = commands.add_parser("transcribe", parents=[still], help="a sound file to text on stdout")
    transcribe.add_argument("file", metavar="FILE", help="WAV, FLAC, OGG or MP3; - for a WAV on stdin")
    transcribe.add_argument("--format", choices=["txt", "json"], default="txt")
    transcribe.add_argument("--pace", choices=["fast", "real"], default="fast", help="real: as if it were live")
    transcribe.add_argument("--keep", action="store_true", help="keep it as a session")

    devices = commands.add_parser("devices", help="what can be recorded")
    devices.add_argument("--json", action="store_true", help="one JSON document")

    sessions = commands.add_parser("sessions", help="what was recorded before")
    what = sessions.add_subparsers(dest="action", metavar="list|show|delete")
    what.add_parser("list", help="all of them, the newest first (also without a word)")
    show = what.add_parser("show", help="the text of one")
    show.add_argument("session", metavar="ID", nargs="?", default="last", help="its id or how it begins; default last")
    show.add_argument("--format", choices=["txt", "json"], default="txt")
    delete = what.add_parser("delete", help="remove all of one, its sound too")
    delete.add_argument("session", metavar="ID", help="its id, how it begins, or last")
    return top


def _options(default: str | None, *names: str) -> argparse.ArgumentParser:
    """The options that several commands share."""
    options = argparse.ArgumentParser(add_help=False, argument_default=default)
    if "engine" in names:
        options.add_argument("--engine", metavar="NAME", help="the recogniser; local needs no key and no network")
    if "device" in names:
        options.add_argument("--device", metavar="NAME|ID", help="what to record: its name, a part of it, or its id")
    if "keep" in names:
        options.add_argument(
            "--no-keep", dest="keep", action="store_false", default=default, help="keep neither sound nor text"
        )
    return options


def _carry_out(arguments: argparse.Namespace, where: Places) -> int:
    match arguments.command:
        case "devices":
            return _devices(as_json=arguments.json)
        case "sessions":
            return _sessions(arguments, where)
        case "listen" | "transcribe":
            from tui import headless

            return headless.run(arguments, where, _settings(arguments, where))
        case _:
            from tui.app import run_app

            return run_app(where, _settings(arguments, where), arguments.input)


def _settings(arguments: argparse.Namespace, where: Places) -> settings.Settings:
    flags = settings.Flags(device=arguments.device, engine=arguments.engine, theme=arguments.theme, keep=arguments.keep)
    return settings.load(where, flags)


def _devices(*, as_json: bool) -> int:
    import msgspec

    from tui.audio.devices import list_devices_now

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


def _sessions(arguments: argparse.Namespace, where: Places) -> int:
    from tui.transcript import export
    from tui.transcript.library import Store

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
