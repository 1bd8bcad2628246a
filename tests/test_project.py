"""The project itself: who imports what when it runs, what the files may not name, and how it is set up.

import-linter checks the layers as they are written (`make check`); here fresh interpreters show what is really loaded.
"""

import ast
import importlib
import importlib.util
import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest
from textual.message_pump import MessagePump

from mictape import bundled
from mictape.cli.parser import COMMANDS

ROOT = Path(__file__).parents[1]

PACKAGE = ROOT / "tui" / "mictape"

BELOW_THE_WIDGETS = ("session", "recognition", "library", "engines", "transcript", "audio", "vad")
HEAVY = ("numpy", "onnxruntime", "sounddevice", "soxr", "soundfile", "moonshine_voice", "pulsectl", "websockets")
APP_SIDE_OF_SOUND = ("source", "devices", "device_monitor", "messages", "tape", "clock", "ballistics")
HEAVY_WIDGETS = ("textual.widgets._text_area", "textual.widgets._markdown", "textual.widgets._data_table")


# ---- What is loaded --------------------------------------------------------------------------------------------------


def loaded_by(code: str, *arguments: str) -> set[str]:
    """The modules that a fresh interpreter has after running `code` with `arguments` on its command line."""
    tell = "import sys\ntry:\n    {}\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
    program = tell.format(code) + "sys.stderr.write('\\nLOADED ' + ' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("LOADED ")[2].split())


def of(names: Iterable[str], loaded: set[str]) -> list[str]:
    """Those of `names` that are in `loaded`, as modules or as packages."""
    return [name for name in names if any(module == name or module.startswith(f"{name}.") for module in loaded)]


def modules_in(package: str) -> list[str]:
    files = sorted((PACKAGE / package).glob("*.py"))
    return [f"mictape.{package}.{file.stem}" for file in files if file.stem != "__init__"]


def test_nothing_below_the_widgets_loads_textual_or_settings() -> None:
    modules = [name for package in BELOW_THE_WIDGETS for name in modules_in(package)]
    loaded = loaded_by(f"import {', '.join(modules)}")
    assert of(modules, loaded) == modules
    assert of(["textual", "mictape.settings"], loaded) == [], "a session is made of values, not of settings"


def test_the_apps_side_of_sound_needs_no_sound_library() -> None:
    loaded = loaded_by(f"import {', '.join(f'mictape.audio.{name}' for name in APP_SIDE_OF_SOUND)}")
    assert of(HEAVY, loaded) == []


def test_the_processes_of_sound_load_no_event_loop_no_cryptography_and_for_a_device_no_decoders() -> None:
    audio = [f"mictape.audio.{name}" for name in ("capture.process", "capture.backends", "listing", "probe", "player")]
    loaded = loaded_by(f"import {', '.join(audio)}, mictape.vad.process")
    assert of(["numpy", "soxr"], loaded) == ["numpy", "soxr"]
    assert of(["asyncio", "_ssl", "_hashlib", "soundfile"], loaded) == []


def test_the_first_frame_is_shown_without_the_recording_sound_network_and_heavy_widgets() -> None:
    loaded = loaded_by("import mictape.app")
    assert of(["textual.app"], loaded) == ["textual.app"]
    behind = ["recording", "session.session", "recognition", "library.store", "audio.source", "engines.base", "flows"]
    assert of([f"mictape.{name}" for name in behind], loaded) == []
    assert of(HEAVY_WIDGETS, loaded) == []
    assert of(HEAVY, loaded_by("import mictape.app, mictape.flows.recording")) == []


def test_the_first_frame_has_no_dialogs_no_cryptography_and_no_dataclasses() -> None:
    loaded = loaded_by("import mictape.cli.main, mictape.app")
    assert of(["mictape.screens.prompt", "mictape.screens.theme_picker", "_hashlib"], loaded) == []
    assert of(["mictape.widgets.search_bar", "mictape.transcript.query", "mictape.screens.palette"], loaded) == []
    assert of(["json", "pkgutil", "importlib.util", "tomli_w"], loaded) == [], "2 % of the CPU until then"
    # Python compiles the methods of a dataclass anew at each start, 1.3 ms of CPU each; msgspec's Struct has them.
    ours = {name: Path(name.replace(".", "/")) for name in loaded if name.startswith("mictape.")}
    texts = {name: (ROOT / "tui" / path).with_suffix(".py") for name, path in ours.items()}
    made = [name for name, path in texts.items() if path.is_file() and "@dataclass" in path.read_text(encoding="utf-8")]
    assert made == []


def test_a_start_loads_no_commands_and_nothing_that_only_some_engines_need() -> None:
    loaded = loaded_by(
        "from pathlib import Path; from mictape.cli.parser import parse; parse(['--device', 'x'], Path('none'));"
        "import mictape.app, mictape.flows.recording; from mictape.engines import catalog;"
        "catalog.create('local', {}, Path('log'))"
    )
    commands = [f"mictape.cli.{name}" for name in COMMANDS]
    writers = [f"mictape.library.export.{name}" for name in ("page", "subtitles", "table")]
    assert of(["mictape.app", "mictape.engines.local.engine"], loaded) == [
        "mictape.app",
        "mictape.engines.local.engine",
    ]
    assert of([*commands, *writers, "importlib.metadata", "email", "keyring", "httpx", "truststore"], loaded) == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["sessions"], ["sessions", "--help"]], ids=" ".join)
def test_what_only_prints_answers_at_once(arguments: list[str]) -> None:
    loaded = loaded_by("import runpy; runpy.run_module('mictape', run_name='__main__', alter_sys=True)", *arguments)
    assert of(["mictape.cli.main"], loaded) == ["mictape.cli.main"]
    assert of(["textual", *HEAVY], loaded) == []


# ---- What the files say ----------------------------------------------------------------------------------------------

HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("debian", "org"))]
"""Package registries. They are the machine's business, so not even this line names one."""


def files_of_the_project() -> list[Path]:
    """All that is tracked or about to be."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git checkout")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_names_a_registry_or_a_place_on_the_machine_it_was_written_on() -> None:
    places = [f"{ROOT}/", f"{Path.home()}/", f"/{'work'}/{'main'}", f"/{'work'}/{'shared'}"]
    forbidden = re.compile("|".join(re.escape(text) for text in [*HOSTS, *places]))
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files_of_the_project()
        if (match := forbidden.search(path.read_bytes().decode("utf-8", errors="replace")))
    ]
    assert found == []


@pytest.mark.parametrize("lock", ["requirements.lock", "tests/requirements.lock"])
def test_locks_pin_everything_with_hashes_and_name_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\w)", text)
    assert len(entries) > 10
    assert [entry for entry in entries if not re.match(r"[\w.-]+==\S+", entry) or "--hash=sha256:" not in entry] == []
    assert re.findall(r"https?:|--index|--extra-index|--find-links|file:", text) == []


def test_the_tests_lock_agrees_with_the_lock() -> None:
    pins = [
        dict(re.findall(r"^([\w.-]+)==(\S+)(?= \\| ;)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))
        for lock in ("requirements.lock", "tests/requirements.lock")
    ]
    assert len(pins[0].keys() & pins[1].keys()) > 3
    assert [
        name for name in pins[0].keys() & pins[1].keys() if name != "numpy" and pins[0][name] != pins[1][name]
    ] == []


def test_every_dependency_says_what_it_is_for() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = tomllib.loads(text)
    lines = text.splitlines()
    for name in [*declared["project"]["dependencies"], *declared["dependency-groups"]["dev"]]:
        number = next(at for at, line in enumerate(lines) if line.strip().startswith(f'"{name}"'))
        assert "# " in lines[number] or lines[number - 1].strip().startswith("# "), name


IMPORT = re.compile(r"^ *(?:import|from) (\w+)[\w.]*(?: import .+| as \w+)?$", re.MULTILINE)
"""A line that imports; ruff sees to it that it imports from one place."""


def test_what_the_package_imports_is_a_dependency() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for names in declared["optional-dependencies"].values() for name in names]
    wanted = {re.match(r"[\w-]+", name)[0].lower() for name in (*declared["dependencies"], *extras)}  # pyright: ignore[reportOptionalSubscript]
    carriers, found = packages_distributions(), set[str]()
    for path in PACKAGE.rglob("*.py"):
        names = set(IMPORT.findall(path.read_text(encoding="utf-8")))
        for top in names - sys.stdlib_module_names - {"mictape"}:
            brought = {carrier.lower().replace("_", "-") for carrier in carriers.get(top, [top])}
            assert brought & wanted, f"{path.relative_to(ROOT)} imports {top}"
            found.add(top)
    assert {"textual", "numpy"} <= found


@pytest.mark.proof
def test_the_wheel_carries_all_that_the_app_reads(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    for kind in ("*.py", "*.tcss"):
        wanted = {path.relative_to(PACKAGE.parent).as_posix() for path in PACKAGE.rglob(kind)}
        assert wanted
        assert wanted - held == set()
    assert {f"mictape/_themes/{path.name}" for path in (ROOT / "themes").glob("*.toml")} - held == set()
    assert {f"mictape/_models/{file.name}" for file in bundled.FILES} - held == set()
    assert "mictape/py.typed" in held
    assert [name for name in held if not name.startswith(("mictape/", "mictape-"))] == []


INTENDED = {
    *("_dispatch_message", "_compositor_refresh", "_fatal_error", "_handle_exception", "_load_screen_css", "_shutdown")
}
"""Textual's private methods that are extended, knowing what they do."""


@cache
def classes_in(file: str) -> dict[str, ast.ClassDef]:
    """The classes of a file by their names."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


@cache
def private_names(cls: type) -> set[str]:
    """The private names that a class defines or sets on its objects."""
    body = classes_in(inspect.getfile(cls))[cls.__name__]
    stores = (node for node in ast.walk(body) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store))
    names = {node.attr for node in stores if isinstance(node.value, ast.Name) and node.value.id == "self"}
    defined = (node for node in ast.walk(body) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {name for name in names | {node.name for node in defined} if re.match(r"_[^_]", name)}


def test_no_widget_uses_a_private_name_of_textual() -> None:
    """Textual sets its own attributes at any time: a screen's `_selecting` became False with the first drag."""
    files = [file for folder in ("screens", "widgets") for file in (PACKAGE / folder).rglob("*.py")]
    files += PACKAGE.glob("*app.py")
    names = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in files]
    modules = [importlib.import_module(name) for name in names]
    widgets = [cls for module in modules for cls in vars(module).values() if isinstance(cls, type)]
    widgets = [cls for cls in widgets if issubclass(cls, MessagePump) and cls.__module__.startswith("mictape")]
    assert len(widgets) > 30
    for cls in widgets:
        for base in cls.__mro__[1:]:
            if base.__module__.startswith("textual"):
                assert private_names(cls) & private_names(base) <= INTENDED, (cls, base)


# ---- How it is set up ------------------------------------------------------------------------------------------------


@pytest.fixture
def fitting() -> ModuleType:
    """The script that takes out of a lock what a machine has no wheel for."""
    spec = importlib.util.spec_from_file_location("fitting", ROOT / "scripts" / "fitting.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("platforms", "fits"),
    [
        ({"manylinux_2_36_x86_64", "manylinux_2_28_x86_64", "linux_x86_64"}, True),
        ({"macosx_15_0_arm64", "macosx_14_0_arm64"}, True),
        ({"win_amd64"}, True),
        ({"manylinux_2_31_x86_64", "manylinux_2_28_x86_64", "linux_x86_64"}, True),  # Debian 11
        ({"manylinux_2_27_x86_64", "linux_x86_64"}, False),
        ({"musllinux_1_2_x86_64", "linux_x86_64"}, False),
        ({"macosx_14_0_arm64"}, True),
        ({"macosx_13_0_arm64"}, False),
        ({"macosx_15_0_x86_64"}, False),
    ],
)
def test_a_machine_without_a_wheel_gets_all_the_rest(fitting: ModuleType, platforms: set[str], fits: bool) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    text, left_out = fitting.fitting(lock, platforms)
    assert left_out == ([] if fits else ["flatbuffers", "onnxruntime", "protobuf"])
    entries = re.split(r"^(?=\w)", lock, flags=re.MULTILINE)
    assert text == "".join(entry for entry in entries if entry.partition("==")[0] not in left_out)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a package and empty locks: what setting up does without a network."""
    folder = tmp_path / "a checkout"  # with a space, as people have them
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.lock", "tests/requirements.lock", "tui/mictape/__init__.py", "tui/mictape/__main__.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "tui/mictape/__main__.py").write_text("import sys; print('started', *sys.argv[1:])")
    shutil.copy(PACKAGE / "bundled.py", folder / "tui/mictape")
    (folder / "tui/mictape/_models").symlink_to(PACKAGE / "_models")
    return folder


def path_with(folder: Path, *more: str) -> Path:
    """A folder of programs: what every system has, Python, and nothing that could install or record anything."""
    folder.mkdir()
    for program in (
        "sh",
        "cat",
        "chmod",
        "cksum",
        "dirname",
        "grep",
        "id",
        "mktemp",
        "rm",
        "tail",
        "tr",
        "uname",
        "env",
        *more,
    ):
        found = shutil.which(program)
        assert found is not None
        (folder / program).symlink_to(found)
    (folder / "python3").symlink_to(os.path.realpath(sys.executable))
    return folder


def set_up(checkout: Path, programs: Path, for_what: str = "run", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(programs / "sh"), "scripts/setup.sh", for_what],
        cwd=checkout,
        env={"PATH": str(programs), "HOME": str(checkout), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


posix_only = pytest.mark.skipif(os.name != "posix", reason="make and sh are for Linux and macOS")


@pytest.mark.proof
@posix_only
def test_setting_up_is_done_once_and_again_only_when_something_changed(checkout: Path, tmp_path: Path) -> None:
    programs = path_with(tmp_path / "bin")
    first = set_up(checkout, programs)
    assert first.returncode == 0, first.stderr
    assert "installing the Python packages into .venv" in first.stderr
    started = subprocess.run(
        [checkout / ".venv/bin/mictape", "now"], cwd="/", capture_output=True, text=True, check=False
    )
    assert started.stdout == "started now\n"

    if "continuing without" not in first.stderr:  # with all system packages there
        assert (second := set_up(checkout, programs)).returncode == 0
        assert second.stdout + second.stderr == ""

    (checkout / "requirements.lock").write_text("# another\n")
    assert "installing the Python packages" in set_up(checkout, programs).stderr

    moved = checkout.rename(tmp_path / "moved")
    assert "installing the Python packages" in set_up(moved, programs).stderr
    started = subprocess.run([moved / ".venv/bin/mictape"], cwd="/", capture_output=True, text=True, check=False)
    assert started.stdout == "started\n"


@pytest.mark.proof
@posix_only
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="system packages are for Linux")
def test_missing_system_packages_are_named_installed_and_lived_without(checkout: Path, tmp_path: Path) -> None:
    programs = path_with(tmp_path / "bin")
    (programs / "apt-get").write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/asked"\nexit 100\n')
    (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    for program in ("apt-get", "sudo"):
        (programs / program).chmod(0o755)
    done = set_up(checkout, programs, "test")
    assert done.returncode == 0, done.stderr
    assert "pulseaudio pulseaudio-utils: a private sound server for the tests" in done.stderr
    assert "espeak-ng: speech for the tests" in done.stderr
    assert "apt-get refused, see above." in done.stderr
    assert re.search(r"continuing without:.* espeak-ng", done.stderr)
    assert (tmp_path / "asked").read_text() == "update -qq\n"
    # It is looked for again, the Python packages are not.
    again = set_up(checkout, programs, "test").stderr
    assert "continuing without" in again
    assert "installing the Python packages" not in again


@pytest.mark.proof
@posix_only
def test_without_a_network_it_says_so_and_keeps_the_details(checkout: Path, tmp_path: Path) -> None:
    (checkout / "requirements.lock").write_text(f"anyio==4.16.0 --hash=sha256:{'0' * 64}\n")
    (checkout / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:9/simple\nretries = 1\n")
    done = set_up(checkout, path_with(tmp_path / "bin"), PIP_CONFIG_FILE=str(checkout / "pip.conf"))
    assert done.returncode == 1
    assert "Mictape: the Python packages could not be fetched. Connect to the network and start again." in done.stderr
    assert "Retrying" not in done.stderr
    assert "anyio" in (checkout / ".venv" / "install.log").read_text()


@posix_only
def test_without_a_python_that_is_new_enough_it_says_so(checkout: Path, tmp_path: Path) -> None:
    programs = path_with(tmp_path / "bin")
    (programs / "python3").unlink()
    done = set_up(checkout, programs)
    assert done.returncode == 1
    assert "needs Python 3.11 to 3.14" in done.stderr
