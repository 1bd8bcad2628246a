"""Engines by name, their options, who can use them; third parties installed for real (a distribution on the path)."""

import subprocess
import sys
from pathlib import Path

import pytest

from mictape.engines import catalog
from mictape.engines.local.engine import no_runtime
from mictape.failure import ExitCode, Failure, MictapeError

ECHO = """
from pathlib import Path
import msgspec
from mictape.engines.base import Capabilities, Request

class EchoOptions(msgspec.Struct, frozen=True):
    url: str = "ws://127.0.0.1"
    tries: int = 3

class EchoEngine:
    Options = EchoOptions
    name, title, capabilities = "echo", "echo", Capabilities()

    def __init__(self, options, log):
        self.options, self.log = options, log
"""


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution with three engines: one that works, one that does not, one named like ours."""
    site = tmp_path / "site"
    info = site / "echo_engine-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "echo_engine.py").write_text(ECHO, "utf-8")
    (site / "broken_engine.py").write_text("raise RuntimeError('no such luck')", "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-engine\nVersion: 1.0\n", "utf-8")
    points = ("echo = echo_engine:EchoEngine", "broken = broken_engine:Engine", "local = echo_engine:EchoEngine")
    (info / "entry_points.txt").write_text("\n".join(["[mictape.engines]", *points]), "utf-8")
    monkeypatch.syspath_prepend(str(site))


def failure_of(name: str, options: dict[str, object]) -> Failure:
    with pytest.raises(MictapeError) as caught:
        catalog.create(name, options, Path("log"))
    return caught.value.failure


def test_the_local_engine_is_there_and_is_the_first() -> None:
    assert catalog.names()[0] == "local"
    engine = catalog.create("local", {}, Path("log"))
    assert engine.name == "local"
    assert engine.title == "local · moonshine tiny-en · English"
    assert engine.capabilities.offline
    assert engine.capabilities.languages == ("en",)
    assert engine.capabilities.fastest_pace is None
    assert not engine.capabilities.word_times
    assert not engine.capabilities.billed


def test_an_unknown_engine_is_answered_with_a_proposal_or_the_list() -> None:
    failure = failure_of("lokal", {})
    assert failure.code is ExitCode.USAGE
    assert "lokal" in failure.what
    assert failure.remedy == "Did you mean local?"
    assert failure_of("zzz", {}).remedy.startswith("Choose one of: ")


@pytest.mark.usefixtures("third_party")
def test_an_engine_of_a_third_party_is_listed_and_made_with_its_own_options(tmp_path: Path) -> None:
    assert catalog.names() == [*catalog.OWN, "broken", "echo"]
    engine = catalog.create("echo", {"tries": 7}, tmp_path / "log")
    made = vars(engine)
    assert made["options"].tries == 7
    assert made["options"].url == "ws://127.0.0.1"
    assert made["log"] == tmp_path / "log"


@pytest.mark.usefixtures("third_party")
def test_nobody_takes_the_name_of_an_engine_of_ours() -> None:
    assert type(catalog.create("local", {}, Path("log"))).__module__ == "mictape.engines.local.engine"


@pytest.mark.usefixtures("third_party")
def test_an_engine_that_cannot_be_imported_is_a_sentence() -> None:
    failure = failure_of("broken", {})
    assert failure.code is ExitCode.ENGINE
    assert "broken" in failure.what
    assert "no such luck" in failure.what


@pytest.mark.usefixtures("third_party")
def test_an_unknown_setting_is_answered_with_a_proposal() -> None:
    failure = failure_of("echo", {"trys": 7})
    assert failure.code is ExitCode.USAGE
    assert failure.what.endswith("has no setting trys")
    assert failure.remedy == "Did you mean tries?"
    assert failure_of("echo", {"zzz": 7}).remedy == "Its settings are: url, tries"


@pytest.mark.usefixtures("third_party")
def test_a_setting_of_the_wrong_type_is_named() -> None:
    failure = failure_of("echo", {"tries": "7"})
    assert failure.code is ExitCode.USAGE
    assert "`tries`" in failure.what
    assert "int" in failure.what
    assert failure.remedy == "Correct it in [engines.echo]"


def test_what_the_local_engine_can_be_set_to_is_reported() -> None:
    assert failure_of("local", {"voice": "x"}).remedy == (
        "Its settings are: model, second_model, second_pass, word_times"
    )
    assert "`second_pass`" in failure_of("local", {"second_pass": "sometimes"}).what


def test_importing_the_catalog_imports_no_engine() -> None:
    search = "re.compile('engines.local|moonshine').search"
    code = f"import re, sys, mictape.engines.catalog; print(*filter({search}, sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "\n"


def test_the_local_engine_is_checked_without_loading_its_library() -> None:
    code = """
import asyncio, sys
from pathlib import Path
from mictape.engines import catalog
from mictape.engines.base import Request
print(asyncio.run(catalog.create("local", {}, Path("log")).check(Request())), "onnxruntime" in sys.modules)
"""
    # In an interpreter of its own: other tests load the library into this one.
    checked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert checked.stdout == "None False\n"


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (("darwin", "x86_64", "15.1", "", ""), "Intel Macs"),
        (("darwin", "arm64", "13.7.1", "", ""), "macOS 14 or later; this is 13.7.1"),
        (("win32", "x86", "", "", ""), "64-bit Windows only; this is x86"),
        (("linux", "x86_64", "", "", ""), "musl"),
        (("linux", "x86_64", "", "glibc", "2.27"), "glibc 2.28 or later; this is 2.27"),
        (("linux", "armv7l", "", "glibc", "2.36"), "linux for armv7l"),
        (("freebsd14", "amd64", "", "", ""), "freebsd14"),
        (("linux", "x86_64", "", "glibc", "2.36"), "not installed"),
        (("darwin", "arm64", "15.0", "", ""), "not installed"),
        (("win32", "AMD64", "", "", ""), "not installed"),
    ],
)
def test_a_machine_without_a_wheel_gets_the_reason(machine: tuple[str, str, str, str, str], says: str) -> None:
    failure = no_runtime(*machine)
    assert says in failure.what
    assert "--engine" in failure.remedy
