"""`mictape models`, as it is typed, against a server on this machine."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w

from mictape.failure import ExitCode
from servers import files
from servers.base import CERTIFICATE
from servers.files import FileServer
from support.command_line import called, starts
from support.model_files import content, file_of
from support.waiting import until

DATA = content()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[FileServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("no_proxy", "localhost")
    with files.serving() as running:
        running.content["/sample.gguf"] = DATA
        file = file_of(DATA, f"{running.url}/sample.gguf", name="sample.gguf")
        model = {
            "name": "sample",
            "title": "Sample",
            "runtime": "transcribe-cpp",
            "languages": ["eo"],
            "licence": "CC-BY-4.0",
            "licence_url": "https://example.org/licence",
            "attribution": "Sample by nobody",
            "files": [{"name": file.name, "bytes": file.bytes, "sha256": file.sha256, "urls": list(file.urls)}],
        }
        home.mkdir(exist_ok=True)
        (home / "models.toml").write_text(tomli_w.dumps({"version": 1, "models": [model]}))
        yield running


def models(*arguments: str) -> subprocess.CompletedProcess[str]:
    return called("models", *arguments)


def test_a_model_goes_through_its_life(server: FileServer, home: Path) -> None:
    assert "No model is installed" in models().stdout
    done = models("install", "sample", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "Sample: 0 MB",
        "Licence: CC-BY-4.0 https://example.org/licence",
        "Attribution: Sample by nobody",
    ]
    folder = home / "models" / "sample"
    assert lines[-1] == f"sample is installed in {folder}"
    assert (folder / "sample.gguf").read_bytes() == DATA
    assert "sample           Sample  · installed" in models().stdout
    assert models("path", "sample").stdout.strip() == str(folder)
    assert models("path").stdout.strip() == str(home / "models")
    assert "every file is as it should be" in models("verify").stdout
    (folder / "sample.gguf").write_bytes(bytes(len(DATA)))
    damaged = models("verify", "sample")
    assert damaged.returncode == ExitCode.SOUND
    assert "does not have the right SHA-256" in damaged.stdout
    assert models("remove", "sample").stdout.strip() == "sample is removed"
    assert not folder.exists()
    assert models("remove", "sample").returncode == ExitCode.SOUND


def test_nothing_is_fetched_before_consent(server: FileServer) -> None:
    refused = models("install", "sample")
    assert refused.returncode == ExitCode.USAGE
    assert "Add --yes" in refused.stderr
    assert "Licence: CC-BY-4.0" in refused.stdout
    assert not server.requests


def test_progress_is_json_lines(server: FileServer) -> None:
    done = models("install", "sample", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1] == {"model": "sample", "bytes": len(DATA), "of": len(DATA)}
    [row] = json.loads(models("list", "--language", "eo", "--json").stdout)
    assert row["name"] == "sample"
    assert row["installed"] is row["checked"] is True


def test_ctrl_c_keeps_what_has_come_and_the_next_run_goes_on(server: FileServer, home: Path) -> None:
    server.behaviours.append(files.stop_after(1000))
    running = starts("models", "install", "sample", "--yes")
    part = home / "models" / "sample" / "sample.gguf.part"
    until(lambda: part.exists() and server.requests)
    running.send_signal(signal.SIGINT)
    _, complaint = running.communicate(timeout=30)
    assert running.returncode == ExitCode.INTERRUPTED
    assert "mictape models install sample goes on from there" in complaint
    server.requests.clear()
    assert models("install", "sample", "--yes").returncode == 0
    assert server.requests[0].headers.get("Range") in (None, "bytes=1000-")


def test_a_killed_download_leaves_nothing_in_the_way(server: FileServer, home: Path) -> None:
    server.behaviours.append(files.stop_after(1000))
    with starts("models", "install", "sample", "--yes", "--json") as running:
        until(lambda: server.requests)
        running.kill()
    assert models("install", "sample", "--yes").returncode == 0
    assert (home / "models" / "sample" / "sample.gguf").read_bytes() == DATA


def test_a_network_that_gives_nothing_is_exit_code_4(server: FileServer) -> None:
    server.content.clear()
    done = models("install", "sample", "--yes")
    assert done.returncode == ExitCode.ENGINE
    assert "mictape: sample.gguf could not be downloaded (localhost: HTTP 404" in done.stderr
    assert "--from" in done.stderr


def test_a_store_that_is_only_read_is_used_and_left_alone(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stick" / "sample"
    folder.mkdir(parents=True)
    (folder / "sample.gguf").write_bytes(DATA)
    monkeypatch.setenv("MICTAPE_MODELS", str(tmp_path / "stick"))
    assert f"installed in {folder}" in models().stdout
    refused = models("remove", "sample")
    assert refused.returncode == ExitCode.SOUND
    assert "which Mictape only reads" in refused.stderr
    assert list(folder.iterdir()) == [folder / "sample.gguf"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("install", "smaple"), 2, "There is no model smaple. Did you mean sample"),
        (("list", "--language", "Klingon"), 2, "There is no language Klingon"),
        (("verify", "sample"), 3, "The model sample is not installed. Type: mictape models install sample"),
        (("install", "sample", "--yes", "--from", "/no/such"), 3, "/no/such cannot be read: no such file"),
        (("install", "sample", "--set", "models.mirror=http://x"), 2, "https://"),
        (("try", "sample", "--clips", "/no/such"), 3, "The model sample is not installed"),
    ],
)
def test_a_mistake_is_one_sentence(server: FileServer, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    done = models(*arguments)
    assert done.returncode == code
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not server.requests


def test_the_catalogue_is_listed_by_language() -> None:
    names = [line.split()[0] for line in models("list", "--language", "de").stdout.splitlines() if line[0] != " "]
    assert names[:3] == ["world", "european", "german"]
    assert "There is no model for Irish" in models("list", "--language", "ga").stdout
    assert len(json.loads(models("list", "--all", "--json").stdout)) >= 12
