"""What is installed, how it gets there and goes, and which model is used."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mictape.failure import ExitCode, MictapeError
from mictape.models.catalogue import Catalogue, Model
from mictape.models.choice import choose, missing, suggestion
from mictape.models.download import Client, Stopped
from mictape.models.install import Installation, install, verify
from mictape.models.store import Installed, Store
from mictape.paths import places
from servers import files
from servers.base import CERTIFICATE
from servers.files import FileServer
from support.model_files import content, file_of, model_of

DATA, TOKENS = content(), content(1000, seed=2)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("no_proxy", "localhost")
    with files.serving() as running:
        running.content = {"/weights.gguf": DATA, "/tokens.txt": TOKENS}
        yield running


def sample(server: FileServer | None = None) -> Model:
    base = server.url if server else "https://localhost:9"
    tokens = file_of(TOKENS, f"{base}/tokens.txt", name="tokens.txt")
    return model_of(file_of(DATA, f"{base}/weights.gguf"), tokens)


def put(store: Path, model: Model) -> None:
    folder = store / model.name
    folder.mkdir(parents=True)
    for file, data in zip(model.files, (DATA, TOKENS), strict=False):
        (folder / file.name).write_bytes(data)


def refused(run: Callable[[], object], *, why: str, code: ExitCode = ExitCode.SOUND) -> None:
    with pytest.raises(MictapeError) as raised:
        run()
    assert why in raised.value.failure.what
    assert raised.value.failure.remedy
    assert raised.value.failure.code is code


def test_a_model_is_installed_checked_and_removed(server: FileServer, tmp_path: Path) -> None:
    store, model, seen = Store(tmp_path / "models"), sample(server), list[tuple[int, int]]()
    installed = install(store, model, Installation(progress=lambda done, total: seen.append((done, total))))
    assert store.find(model) == installed
    assert installed.writable
    assert installed.checked
    assert [path.read_bytes() for path in installed.paths] == [DATA, TOKENS]
    assert seen[-1] == (model.bytes, model.bytes)
    assert verify(installed, lambda done, total: None) is None
    store.remove(installed)
    assert store.find(model) is None
    assert not installed.folder.exists()


def test_other_files_in_the_folder_stay(server: FileServer, tmp_path: Path) -> None:
    store, model = Store(tmp_path / "models"), sample(server)
    installed = install(store, model, Installation())
    (installed.folder / "notes.txt").write_text("mine")
    store.remove(installed)
    assert [path.name for path in installed.folder.iterdir()] == ["notes.txt"]


def test_a_damaged_file_is_named_and_fetched_again(server: FileServer, tmp_path: Path) -> None:
    store, model = Store(tmp_path / "models"), sample(server)
    installed = install(store, model, Installation())
    weights = installed.paths[0]
    os.utime(weights, ns=(1, 1))
    assert not installed.checked
    weights.write_bytes(bytes(len(DATA)))
    wrong = verify(installed, lambda done, total: None)
    assert wrong is not None
    assert str(weights) in wrong
    assert "SHA-256" in wrong


def test_a_model_with_one_file_missing_is_not_installed(server: FileServer, tmp_path: Path) -> None:
    store, model = Store(tmp_path / "models"), sample(server)
    server.behaviours += [files.serve, files.status(404)]
    refused(
        lambda: install(store, model, Installation()), why="tokens.txt could not be downloaded", code=ExitCode.ENGINE
    )
    assert store.find(model) is None
    assert store.begun(model) == len(DATA)
    refused(lambda: store.named(Catalogue([model]), "sample"), why="only partly downloaded")
    server.requests.clear()
    install(store, model, Installation())
    assert [asked.path for asked in server.requests] == ["/tokens.txt"]


def test_a_folder_with_the_right_files_is_an_installed_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, stick, model = tmp_path / "shared", tmp_path / "stick", sample()
    put(stick, model)
    monkeypatch.setenv("MICTAPE_MODELS", os.pathsep.join([str(shared), str(stick)]))
    store = Store.here(places())
    installed = Installed(model, stick / "sample", writable=False)
    assert store.find(model) == installed
    assert not installed.checked
    assert verify(installed, lambda done, total: None) is None
    assert not (stick / "sample" / "model.json").exists()  # nothing is written there
    refused(lambda: store.remove(installed), why="which Mictape only reads")
    (stick / "sample" / "tokens.txt").write_bytes(TOKENS[1:])
    assert store.find(model) is None


@pytest.mark.parametrize("origin", ["folder", "address"])
def test_a_model_comes_from_another_place(server: FileServer, tmp_path: Path, origin: str) -> None:
    store, model = Store(tmp_path / "models"), sample()
    put(tmp_path, model)
    place = str(tmp_path / "sample") if origin == "folder" else server.url
    installed = install(store, model, Installation(origin=place))
    assert installed.checked


def test_a_single_file_comes_from_a_file_or_its_own_address(server: FileServer, tmp_path: Path) -> None:
    store, model = Store(tmp_path / "models"), model_of(file_of(DATA))
    (tmp_path / "download").write_bytes(DATA)
    for origin in (str(tmp_path / "download"), f"{server.url}/weights.gguf"):
        store.remove(install(store, model, Installation(origin=origin)))
    refused(lambda: install(store, model, Installation()), why="has no address for weights.gguf", code=ExitCode.USAGE)


@pytest.mark.parametrize(
    ("data", "why"),
    [(DATA[:-1], "has 299999 bytes instead of 300000"), (bytes(len(DATA)), "does not have the right SHA-256")],
)
def test_another_file_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    store, model = Store(tmp_path / "models"), model_of(file_of(DATA))
    (tmp_path / "download").write_bytes(data)
    refused(lambda: install(store, model, Installation(origin=str(tmp_path / "download"))), why=why)
    assert store.find(model) is None
    assert not store.begun(model)


def test_a_place_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    store, model = Store(tmp_path / "models"), model_of(file_of(DATA))
    refused(lambda: install(store, model, Installation(origin="/no/such")), why="/no/such cannot be read: no such file")
    refused(
        lambda: install(store, model, Installation(origin="http://localhost/x")),
        why="http://localhost/x is no https address",
        code=ExitCode.USAGE,
    )


def test_room_is_looked_for_before_the_first_byte(server: FileServer, tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    huge = sample(server).files[0]
    model = model_of(type(huge)(huge.name, 1 << 60, huge.urls, huge.sha256))
    refused(lambda: install(store, model, Installation()), why="MB are free")
    assert not server.requests


def test_one_process_at_a_time_and_a_killed_one_leaves_no_lock(server: FileServer, tmp_path: Path) -> None:
    store, model = Store(tmp_path / "models"), sample(server)
    script = (
        "import sys; from pathlib import Path; from mictape.models.store import Store\n"
        "from support.model_files import model_of, file_of\n"
        "with Store(Path(sys.argv[1])).locked(model_of(file_of(b'x'))): print('locked', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(store.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert other.stdout
    assert other.stdout.readline() == b"locked\n"
    refused(lambda: install(store, model, Installation()), why="Another Mictape is at work on the model sample")
    other.kill()
    other.communicate()
    assert install(store, model, Installation()).checked


def test_stopping_a_copy_leaves_no_model(tmp_path: Path) -> None:
    store, model, stop = Store(tmp_path / "models"), model_of(file_of(DATA)), threading.Event()
    (tmp_path / "download").write_bytes(DATA)
    stop.set()
    with pytest.raises(Stopped):
        install(store, model, Installation(Client(stop=stop), origin=str(tmp_path / "download")))
    assert store.find(model) is None


def test_measurements_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "models")
    assert store.measured() == {}
    store.note_measured("sample", 0.25)
    store.note_measured("other", 0.5)
    assert store.measured() == {"sample": 0.25, "other": 0.5}
    (store.folder / "measured.json").write_text("{")
    assert store.measured() == {}


# Which model is used.

FIRST = model_of(file_of(DATA), name="first", languages=("de", "fr"), memory_mb=4000)
SECOND = model_of(file_of(DATA), name="second", languages=("de",), usable=("pl",), memory_mb=500)
FILES_ONLY = model_of(file_of(DATA), name="files-only", languages=("en", "de"), live=False)
ENGLISH = model_of(file_of(DATA), name="english", languages=("en",))
ALL = Catalogue([FILES_ONLY, FIRST, SECOND, ENGLISH])


def chosen(language: str | None, *here: Model, name: str = "", memory_mb: int | None = None) -> str | None:
    installed = [Installed(model, Path(model.name), writable=True) for model in here]
    found = choose(ALL, installed, language, name, memory_mb)
    return found and found.model.name


def test_the_first_installed_model_of_the_catalogue_that_fits_is_used() -> None:
    assert chosen("de-AT", SECOND, FIRST) == "first"
    assert chosen("de", SECOND, FIRST, memory_mb=4000) == "second"
    assert chosen("de", FIRST, memory_mb=4000) == "first"  # better too large than none
    assert chosen("pl", FIRST, SECOND) == "second"


def test_english_has_the_model_that_comes_with_mictape() -> None:
    assert chosen(None) is chosen("en-GB") is None
    assert chosen(None, ENGLISH) == chosen("en", ENGLISH) == "english"
    assert chosen("en", ENGLISH, name="tiny-english") is None
    assert chosen("en", FILES_ONLY) is None  # too slow to follow speech, unless it is asked for
    assert chosen("en", FILES_ONLY, name="files-only") == "files-only"


def test_what_is_missing_is_said_with_the_command() -> None:
    refused(lambda: chosen("de"), why="No local model for German is installed", code=ExitCode.ENGINE)
    assert "mictape models install first (0 MB)" in missing(ALL, "de", None).remedy
    assert "mictape models install second" in missing(ALL, "de", 4000).remedy
    refused(lambda: chosen("ja"), why="There is no local model for Japanese", code=ExitCode.ENGINE)
    refused(lambda: chosen("xx"), why="There is no language xx", code=ExitCode.USAGE)
    refused(lambda: chosen("de", name="first"), why="The model first is not installed", code=ExitCode.ENGINE)
    refused(lambda: chosen("ja", FIRST, name="first"), why="does not know Japanese", code=ExitCode.USAGE)
    refused(lambda: chosen("de", name="tiny-english"), why="does not know German", code=ExitCode.USAGE)
    refused(lambda: chosen("de", name="frist"), why="There is no model frist", code=ExitCode.USAGE)


def test_a_suggestion_prefers_what_can_follow_speech() -> None:
    assert suggestion(ALL, "de", None) == FIRST
    assert suggestion(ALL, "en", None) == ENGLISH
    assert suggestion(ALL, "ja", None) is None
