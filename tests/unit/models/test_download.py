"""Downloads against a server that does everything a server may do to them."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mictape.failure import ExitCode, MictapeError
from mictape.models.catalogue import ModelFile
from mictape.models.download import SOURCE, TRIES, Client, Stopped, fetch, mirror_of
from servers import files
from servers.base import CERTIFICATE
from servers.files import FileServer
from support.model_files import content, file_of
from support.waiting import until

PATH = "/repo/resolve/abc/weights.gguf"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with files.serving() as running:
        running.content[PATH] = content()
        yield running


class Fetching:
    """One download, its waits and its progress."""

    def __init__(self, server: FileServer, folder: Path, *, hashed: bool = True) -> None:
        self.server = server
        self.folder = folder
        self.waits: list[float] = []
        self.here: list[int] = []
        self.file: ModelFile = file_of(server.content[PATH], server.url + PATH, hashed=hashed)
        self.client = Client(wait=self.waits.append, stalled_s=20)

    @property
    def part(self) -> Path:
        return self.folder / "weights.gguf.part"

    def run(self) -> bytes:
        return fetch(self.file, self.folder, self.client, self.here.append).read_bytes()

    def fails(self, *, why: str, code: ExitCode = ExitCode.ENGINE) -> None:
        with pytest.raises(MictapeError) as raised:
            self.run()
        assert why in raised.value.failure.what
        assert raised.value.failure.remedy
        assert raised.value.failure.code is code
        assert not (self.folder / "weights.gguf").exists()


@pytest.fixture
def download(server: FileServer, tmp_path: Path) -> Fetching:
    return Fetching(server, tmp_path)


def ranges(server: FileServer) -> list[str | None]:
    return [asked.headers.get("Range") for asked in server.requests]


def test_a_file_arrives_and_nothing_else_is_left(download: Fetching) -> None:
    assert download.run() == content()
    assert [path.name for path in download.folder.iterdir()] == ["weights.gguf"]
    assert download.here[-1] == len(content())
    assert download.server.requests[0].headers["Accept-Encoding"] == "identity"


def test_a_file_that_is_there_is_not_asked_for(download: Fetching) -> None:
    (download.folder / "weights.gguf").write_bytes(content())
    assert download.run() == content()
    assert not download.server.requests


def test_a_cut_connection_goes_on_where_it_was_cut(download: Fetching) -> None:
    download.server.behaviours += [files.cut_after(100_000), files.cut_after(50_000)]
    assert download.run() == content()
    assert ranges(download.server) == [None, "bytes=100000-", "bytes=150000-"]
    assert download.server.requests[1].headers["If-Range"] == download.server.etag(PATH)


def test_progress_starts_the_count_of_tries_again(download: Fetching) -> None:
    download.server.behaviours += [files.cut_after(10_000)] * (2 * TRIES)
    assert download.run() == content()


def test_a_server_that_never_gives_more_is_given_up(download: Fetching) -> None:
    download.server.behaviours += [files.cut_after(1000), *[files.cut_after(0)] * 99]
    download.fails(why="the connection ended after 1000 of 300000 bytes")
    # The first one brought something; then each wait is about twice the one before.
    assert len(download.waits) == TRIES - 1
    assert all(later > before for before, later in zip(download.waits, download.waits[1:], strict=False))
    assert download.part.stat().st_size == 1000


def test_a_later_run_goes_on_with_what_is_there(download: Fetching) -> None:
    download.server.behaviours += [files.cut_after(1000), *[files.status(404)] * 9]
    download.fails(why="HTTP 404")
    download.server.behaviours.clear()
    download.server.requests.clear()
    assert download.run() == content()
    assert ranges(download.server) == ["bytes=1000-"]


def test_a_server_that_knows_no_ranges_gives_the_whole(download: Fetching) -> None:
    download.server.behaviours += [files.cut_after(1000), files.ignore_range]
    assert download.run() == content()


def test_another_part_than_asked_for_is_not_taken(download: Fetching) -> None:
    download.server.behaviours += [files.cut_after(1000), files.other_range]
    assert download.run() == content()
    assert ranges(download.server) == [None, "bytes=1000-", None]


def test_a_file_that_changed_meanwhile_is_fetched_whole(server: FileServer, tmp_path: Path) -> None:
    download = Fetching(server, tmp_path, hashed=False)
    server.behaviours += [files.cut_after(1000), *[files.status(404)] * 9]
    download.fails(why="HTTP 404")
    server.behaviours.clear()
    server.content[PATH] = content(seed=2)
    assert download.run() == content(seed=2)


def test_without_hash_and_entity_tag_nothing_is_resumed(server: FileServer, tmp_path: Path) -> None:
    download = Fetching(server, tmp_path, hashed=False)
    download.part.write_bytes(b"x" * 1000)
    assert download.run() == content()
    assert ranges(server) == [None]


def test_a_whole_part_is_checked_and_not_fetched_again(download: Fetching) -> None:
    download.part.write_bytes(content())
    assert download.run() == content()
    assert not download.server.requests


def test_a_part_that_is_too_long_is_thrown_away(download: Fetching) -> None:
    download.part.write_bytes(content() + b"more")
    assert download.run() == content()
    assert ranges(download.server) == [None]


def test_a_range_that_is_refused_is_followed_by_the_whole(download: Fetching) -> None:
    download.server.behaviours += [files.cut_after(1000), files.status(416)]
    assert download.run() == content()
    assert ranges(download.server) == [None, "bytes=1000-", None]


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (files.wrong_end, "does not have the right SHA-256, and was deleted"),
        (files.announce_more, "301000 bytes of text/plain instead of 300000"),
        (files.never_ending, "more than the 300000 bytes"),
        (files.compressed, "compresses the file"),
        (files.login_page, "perhaps the login page of a network"),
        (files.status(403), "HTTP 403"),
        (files.redirect("http://localhost/x"), "redirects to an address that is not https"),
        (files.redirect("ftp://localhost/x"), "redirects to an address that is not https"),
    ],
)
def test_what_is_not_the_file_is_refused_and_leaves_nothing(
    download: Fetching, behaviour: files.Behaviour, why: str
) -> None:
    download.server.behaviours.append(behaviour)
    download.fails(why=why)
    assert len(download.server.requests) == 1
    assert not download.part.exists() or not download.part.stat().st_size


def test_what_a_wrong_answer_finds_here_stays(download: Fetching) -> None:
    download.server.behaviours += [files.cut_after(1000), files.login_page]
    download.fails(why="login page")
    assert download.part.read_bytes() == content()[:1000]


def test_the_next_address_is_tried(download: Fetching) -> None:
    download.server.content["/other"] = content()
    download.file = file_of(content(), f"{download.server.url}/gone", f"{download.server.url}/other")
    assert download.run() == content()


def test_a_redirect_is_followed_with_the_range_from_the_first_address_each_time(download: Fetching) -> None:
    download.server.content["/signed"] = content()
    there = files.redirect(f"{download.server.url}/signed")
    download.server.behaviours += [there, files.cut_after(1000), there, files.serve]
    assert download.run() == content()
    assert [asked.path for asked in download.server.requests] == [PATH, "/signed", PATH, "/signed"]
    assert download.server.requests[3].headers["Range"] == "bytes=1000-"


def test_a_busy_server_is_asked_again_when_it_says(download: Fetching) -> None:
    download.server.behaviours += [files.status(503), files.status(429, Retry_After=30)]
    assert download.run() == content()
    first, second = download.waits
    assert first < 2
    assert 20 < second < 40


def test_a_server_that_says_nothing_any_more_is_asked_again(download: Fetching) -> None:
    download.client = Client(stalled_s=1)
    download.server.behaviours.append(files.stop_after(1000))
    assert download.run() == content()
    assert ranges(download.server)[:2] == [None, "bytes=1000-"]


def test_a_slow_server_is_waited_for(download: Fetching) -> None:
    download.server.behaviours.append(files.in_drops)
    assert download.run() == content()
    assert len(download.server.requests) == 1


def test_nothing_listens(download: Fetching) -> None:
    download.file = file_of(content(), "https://localhost:9/weights.gguf")
    download.fails(why="localhost: connection refused")


def test_a_certificate_that_is_not_trusted_is_said_at_once(download: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    download.fails(why="its certificate is not trusted here")
    assert not download.waits


def test_stopping_leaves_what_has_come(download: Fetching) -> None:
    stop = threading.Event()
    download.client = Client(stop=stop, stalled_s=20)
    download.server.behaviours.append(files.in_drops)

    def progress(here: int) -> None:
        if here > 1000:
            stop.set()

    with pytest.raises(Stopped):
        fetch(download.file, download.folder, download.client, progress)
    assert 1000 < download.part.stat().st_size < len(content())


def test_stopping_ends_a_wait(download: Fetching) -> None:
    stop = threading.Event()
    download.client = Client(stop=stop)
    download.server.behaviours += [files.status(503, Retry_After=60)] * 9
    ended: list[BaseException] = []

    def run() -> None:
        try:
            download.run()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: download.server.requests)
    stop.set()
    thread.join(20)
    assert isinstance(ended[0], Stopped)


def test_a_write_that_fails_is_a_sentence_and_the_rest_comes_later(download: Fetching) -> None:
    resource = pytest.importorskip("resource", reason="the system has no limit for files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        download.fails(why="cannot be written: file too large", code=ExitCode.SOUND)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert download.run() == content()
    assert ranges(download.server) == [None, "bytes=100000-"]


def test_a_proxy_is_used_and_kept_out_where_it_is_not_wanted(
    download: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    with files.proxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert download.run() == content()
        assert len(proxy.tunnels) == 1
        (download.folder / "weights.gguf").unlink()
        monkeypatch.setenv("no_proxy", "localhost")
        assert download.run() == content()
        assert len(proxy.tunnels) == 1


def test_a_mirror_takes_the_place_of_the_host(download: Fetching) -> None:
    download.file = file_of(content(), SOURCE + PATH)
    download.client = Client(mirror=f"{download.server.url}/")
    assert download.run() == content()


def test_the_mirror_is_the_setting_then_the_environment() -> None:
    environ = {"HF_ENDPOINT": "https://mirror.example"}
    assert mirror_of("", {}) == ""
    assert mirror_of("", environ) == "https://mirror.example"
    assert mirror_of("https://mine.example", environ) == "https://mine.example"
    for call in (partial(mirror_of, "http://mine.example", {}), partial(mirror_of, "", {"HF_ENDPOINT": "mirror"})):
        with pytest.raises(MictapeError) as raised:
            call()
        assert raised.value.failure.code is ExitCode.USAGE


def test_a_folder_that_cannot_be_written_is_a_sentence(download: Fetching) -> None:
    download.folder = download.folder / "missing"
    download.fails(why="cannot be written: no such file", code=ExitCode.SOUND)


def test_no_descriptor_stays_open(download: Fetching) -> None:
    listed = Path("/proc/self/fd")
    if not listed.exists():
        pytest.skip("the system does not list descriptors")

    def run() -> None:
        download.server.behaviours += [files.cut_after(100)] * 5 + [files.status(503)] * 3
        download.run()
        (download.folder / "weights.gguf").unlink()

    run()
    before = sum(1 for _ in listed.iterdir())
    run()
    until(lambda: sum(1 for _ in listed.iterdir()) <= before)
