"""The command `doctor`: what is here and what is missing, to paste into a bug report. It shows no secrets."""

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mictape import __version__
from mictape.cli import output
from mictape.cli.options import Commands, settings_of
from mictape.failure import ExitCode, MictapeError, discreet
from mictape.paths import Places
from mictape.plain_text import counted

PACKAGES: Final = ("textual", "onnxruntime", "numpy", "sounddevice", "soundfile", "websockets", "keyring", "pulsectl")
"""Whose versions explain most of what is reported."""

PROGRAMS: Final = ("parec", "pactl", "ffmpeg", "tmux")

PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

PROBLEMS: Final = 1
"""The exit code when problems were found, as that of `brew doctor` and `npm doctor`."""

LOG_LINES: Final = 5
"""Warnings and errors of the log that are shown."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    part: str
    """The heading it stands below."""
    name: str
    value: str
    ok: bool = True
    """Whether nothing is wrong with it."""


def add(commands: Commands) -> None:
    """Add the command."""
    doctor = commands.add_parser("doctor", help="check this installation; paste the output into a bug report")
    doctor.add_argument("--json", action="store_true", help="one JSON document")
    doctor.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace, where: Places) -> int:
    findings = list(_looked(arguments, where))
    wrong = sum(not each.ok for each in findings)
    code = PROBLEMS if wrong else ExitCode.DONE
    if arguments.json:
        rows = [{"part": each.part, "name": each.name, "value": each.value, "ok": each.ok} for each in findings]
        print(output.as_json(rows))
        return code
    part = ""
    for each in findings:
        if each.part != part:
            part = each.part
            print(f"{part}:")
        print(f"  {'' if each.ok else '! '}{each.name}: {each.value}")
    print(f"{counted(wrong, 'problem')} found; marked with !." if wrong else "No problems found.")
    return code


def _looked(arguments: argparse.Namespace, where: Places) -> Iterator[Finding]:
    """Look at everything; a part that cannot be looked at is a finding of its own."""
    parts: Sequence[tuple[str, Callable[[], Iterator[tuple[str, str, bool]]]]] = (
        ("Mictape", _versions),
        ("Folders", lambda: _folders(where)),
        ("Settings", lambda: _settings(arguments, where)),
        ("Library", lambda: _library(where)),
        ("Programs", _programs),
        ("Devices", _devices),
        ("Model files", _models),
        ("Keyring", _keyring),
        ("Engines", lambda: _engines(arguments, where)),
        ("Network", _proxies),
        ("Terminal", _terminal),
        ("Log", lambda: _log(where.log)),
    )
    said = set[str]()
    for part, look in parts:
        try:
            for name, value, ok in look():
                yield Finding(part, name, discreet(value), ok)
        except MictapeError as error:
            what = str(error.failure)
            # A mistake in the settings stands in the way of several parts, and is one problem.
            yield Finding(part, "not available", "see above" if what in said else what, what in said)
            said.add(what)
        except Exception as error:  # whatever a library raises here is what is looked for
            yield Finding(part, "failed", discreet(f"{type(error).__name__}: {error}"), False)


def _versions() -> Iterator[tuple[str, str, bool]]:
    yield "version", __version__, True
    yield "Python", f"{platform.python_version()} ({platform.python_implementation()}), {sys.executable}", True
    yield "system", f"{platform.platform()}, {platform.machine()}", True
    for name in PACKAGES:
        try:
            yield name, version(name), True
        except PackageNotFoundError:
            wanted = name != "pulsectl" or sys.platform == "linux"
            yield name, "not installed", not wanted


def _folders(where: Places) -> Iterator[tuple[str, str, bool]]:
    for name, folder in (("data", where.data), ("settings", where.config), ("state", where.state)):
        there = next(each for each in (folder, *folder.parents) if each.exists())
        writable = os.access(there, os.W_OK)
        free_mb = shutil.disk_usage(there).free // 1_000_000
        yield name, f"{folder} ({'' if writable else 'not '}writable, {free_mb:,} MB free)", writable


def _settings(arguments: argparse.Namespace, where: Places) -> Iterator[tuple[str, str, bool]]:
    settings = settings_of(arguments, where)
    yield "config.toml", f"{where.config_file}{'' if where.config_file.exists() else ' (does not exist)'}", True
    for name, origin in settings.origins.items():
        yield name, settings.place(*name.split(".")) or str(origin), True
    from mictape.keys import keymap_of  # needs Textual

    try:
        keymap_of(settings)
    except MictapeError as error:  # the app does not start with them
        yield "keys", str(error.failure), False
    from mictape.themes import check_theme

    try:
        if place := settings.place("theme"):
            check_theme(settings.theme, place, where.themes)
    except MictapeError as error:
        yield "theme", str(error.failure), False


def _library(where: Places) -> Iterator[tuple[str, str, bool]]:
    from mictape.library.store import Store

    there = where.library.exists()
    yield "library.db", f"{where.library}{'' if there else ' (does not exist)'}", True
    if there:
        with Store.to_read(where.library, where.sessions) as store:
            yield "sessions", str(store.count_sessions()), True


def _programs() -> Iterator[tuple[str, str, bool]]:
    for name in PROGRAMS:
        yield name, shutil.which(name) or "not found", True


def _devices() -> Iterator[tuple[str, str, bool]]:
    from mictape.audio.devices import list_devices_now

    for device in list_devices_now():
        marks = [device.kind, f"{device.rate} Hz", *["default"] * device.default, *["muted"] * device.muted]
        yield device.name, f"{device.host_api}; {', '.join(marks)}", True


def _models() -> Iterator[tuple[str, str, bool]]:
    from mictape.bundled import FILES

    for file in FILES:
        whole = file.is_whole()
        yield file.name, "complete" if whole else "missing or damaged: install Mictape again", whole


def _keyring() -> Iterator[tuple[str, str, bool]]:
    import keyring

    yield "backend", keyring.get_keyring().name, True


def _engines(arguments: argparse.Namespace, where: Places) -> Iterator[tuple[str, str, bool]]:
    import asyncio

    from mictape import credentials
    from mictape.engines import catalog

    settings = settings_of(arguments, where)

    async def look() -> list[tuple[str, str, bool]]:
        known = await asyncio.gather(
            *(credentials.engine_status(name, settings, where.log) for name in catalog.names())
        )
        return [
            (
                each.name,
                f"{each.readiness}{f': {each.failure}' if each.failure else ''}",
                each.name != settings.engine or not each.failure,
            )
            for each in known
        ]

    yield from asyncio.run(look())


def _proxies() -> Iterator[tuple[str, str, bool]]:
    for name in PROXIES:
        if value := os.environ.get(name) or os.environ.get(name.upper()):
            yield name, value if name == "no_proxy" else without_login(value), True


def without_login(url: str) -> str:
    """An address without the name and the password that may be in it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return "not an address"
    return f"{parts.scheme}://{'…@' if '@' in parts.netloc else ''}{host}{port}"


def _terminal() -> Iterator[tuple[str, str, bool]]:
    size = shutil.get_terminal_size()
    names = ("TERM", "COLORTERM", "TERM_PROGRAM", "TMUX", "SSH_CONNECTION", "NO_COLOR", "LANG")
    yield "size", f"{size.columns}×{size.lines}", True
    yield "is one", str(sys.stdout.isatty()).lower(), True
    for name in names:
        if value := os.environ.get(name):
            yield name, "set" if name in ("TMUX", "SSH_CONNECTION") else value, True


def _log(path: Path) -> Iterator[tuple[str, str, bool]]:
    yield "file", f"{path}{'' if path.exists() else ' (does not exist)'}", True
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        bad = [line for line in lines if " WARNING " in line or " ERROR " in line or " CRITICAL " in line]
        for number, line in enumerate(bad[-LOG_LINES:], 1):
            yield f"last {number}", line[:300], True
