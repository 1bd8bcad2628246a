"""The release script that compares the catalogue with its addresses, against a server on this machine."""

import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from servers import files
from servers.base import CERTIFICATE
from servers.files import FileServer
from support.model_files import content, file_of, model_of

SCRIPT = Path(__file__).parents[3] / "scripts" / "check_catalogue.py"
DATA = content(50_000)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_catalogue", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("no_proxy", "localhost")
    with files.serving() as running:
        running.content["/file"] = DATA
        yield running


def checked(script: ModuleType, server: FileServer, data: bytes = DATA, *, hashes: bool = False) -> tuple[int, str]:
    out = io.StringIO()
    model = model_of(file_of(data, f"{server.url}/file"))
    return script.check([model], hashes=hashes, out=out), out.getvalue()


def test_an_address_with_the_right_size_is_good_and_only_a_byte_is_asked_for(
    script: ModuleType, server: FileServer
) -> None:
    assert checked(script, server) == (0, f"sample           {'ok':<40} {server.url}/file\n")
    assert server.requests[0].headers["Range"] == "bytes=0-0"


def test_another_size_and_a_missing_file_are_found(script: ModuleType, server: FileServer) -> None:
    wrong, said = checked(script, server, DATA + b"x")
    assert (wrong, "50000 bytes instead of 50001" in said) == (1, True)
    server.content.clear()
    wrong, said = checked(script, server)
    assert (wrong, "404" in said) == (1, True)


def test_the_hash_in_an_answer_is_compared(script: ModuleType, server: FileServer) -> None:
    server.behaviours.append(files.redirect_with(f"{server.url}/file", X_Linked_ETag='"' + "0" * 64 + '"'))
    wrong, said = checked(script, server)
    assert (wrong, "SHA-256 0000" in said) == (1, True)


def test_with_hashes_the_file_itself_is_compared(script: ModuleType, server: FileServer) -> None:
    assert checked(script, server, hashes=True)[0] == 0
    server.content["/file"] = bytes(len(DATA))
    wrong, said = checked(script, server, hashes=True)
    assert (wrong, "right SHA-256" in said) == (1, True)
