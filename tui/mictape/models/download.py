"""Fetching one file over HTTPS: resumed where it stopped, checked before it gets its name.

The bytes go to `NAME.part`. A second attempt asks for the rest, and with If-Range for all of it when the file has
changed. Every attempt begins at the original address, for services redirect to signed addresses that expire. Only when
size and SHA-256 are right is the file renamed.
"""

import http.client
import importlib
import os
import random
import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final, cast
from urllib.parse import urljoin, urlsplit

from mictape import __version__
from mictape.failure import ExitCode, Failure, MictapeError
from mictape.models.catalogue import ModelFile
from mictape.models.store import CHUNK, ETAG, PART, damage, writing

TRIES: Final = 5
"""Attempts in a row that bring nothing, at one address."""
STALLED_S: Final = 30.0
"""Longest that a server may send nothing."""
FIRST_WAIT_S: Final = 1.0
"""Before the second attempt; twice as long before each further one, up to `LONGEST_WAIT_S`, with jitter."""
LONGEST_WAIT_S: Final = 60.0
SOURCE: Final = "https://huggingface.co"
"""What a mirror stands in for."""
MIRROR_VARIABLE: Final = "HF_ENDPOINT"
"""The environment variable that tools of Hugging Face read the mirror's address from."""

_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that another attempt may not get."""

Progress = Callable[[int], None]
"""Called with the bytes of the file that are here."""


@dataclass(frozen=True, slots=True)
class Client:
    """How files are fetched."""

    mirror: str = ""
    """What takes the place of `SOURCE` in addresses; empty: nothing does."""
    stop: threading.Event | None = None
    """Set to stop; what has been downloaded stays."""
    wait: Callable[[float], None] = time.sleep
    stalled_s: float = STALLED_S

    def address(self, url: str) -> str:
        """An address with the mirror in it."""
        if self.mirror and url.startswith(f"{SOURCE}/"):
            return self.mirror.rstrip("/") + url.removeprefix(SOURCE)
        return url


class Stopped(Exception):  # noqa: N818 (not an error: it was asked for)
    """The download was given up on request; what has come stays for the next attempt."""


class _Passing(Exception):  # noqa: N818
    """An attempt failed in a way that another one may not."""

    def __init__(self, why: str, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.after_s = after_s


class _Useless(Exception):  # noqa: N818
    """This address will not give the file, however often it is asked."""


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects, with the headers, but only to https."""

    def http_error_302(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
    ) -> Any:  # noqa: ANN401 (as in the standard library)
        """Refuse the address before anything is asked of it."""
        where = urljoin(req.full_url, headers.get("Location", ""))
        if urlsplit(where).scheme != "https":
            fp.close()
            raise _Useless("it redirects to an address that is not https")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def mirror_of(setting: str, environ: Mapping[str, str] = os.environ) -> str:
    """The mirror in force: the setting, else the environment's.

    Raises:
        MictapeError: (`ExitCode.USAGE`) it is no https address.
    """
    mirror = setting or environ.get(MIRROR_VARIABLE, "").strip()
    parts = urlsplit(mirror)
    if mirror and (parts.scheme != "https" or not parts.netloc):
        source = "models.mirror" if setting else MIRROR_VARIABLE
        raise MictapeError(
            Failure(f"{source} is {mirror}, which is no https address", f"Write it like {SOURCE}", ExitCode.USAGE)
        )
    return mirror


def fetch(file: ModelFile, folder: Path, client: Client, progress: Progress) -> Path:
    """Fetch a file into `folder`, unless it is there; where it is then.

    Raises:
        MictapeError: (`ExitCode.ENGINE`) no address gives it, or it is not what it should be; (`ExitCode.SOUND`) it
            cannot be written.
        Stopped: `client.stop` was set.
    """
    target = folder / file.name
    if target.is_file() and target.stat().st_size == file.bytes:
        progress(file.bytes)
        return target
    if not file.urls:
        what = f"The catalogue has no address for {file.name}"
        raise MictapeError(Failure(what, "Give its place with --from", ExitCode.USAGE))
    download = _Download(file, folder, client, progress)
    reasons: list[str] = []
    for url in map(client.address, file.urls):
        try:
            download.from_address(url)
        except _Useless as error:
            reasons.append(f"{urlsplit(url).hostname}: {error}")
            continue
        with writing(folder):
            download.part.replace(target)
            download.beside.unlink(missing_ok=True)
        return target
    remedy = "Check the network, or give a file, a folder or another address with --from"
    raise MictapeError(Failure(f"{file.name} could not be downloaded ({'; '.join(reasons)})", remedy, ExitCode.ENGINE))


class _Download:
    """One file on its way."""

    def __init__(self, file: ModelFile, folder: Path, client: Client, progress: Progress) -> None:
        self.part = folder / f"{file.name}{PART}"
        self.beside = folder / f"{file.name}{ETAG}"
        """The server's name for the bytes that `part` begins with."""
        self._file = file
        self._client = client
        self._progress = progress
        self._opener = urllib.request.build_opener(_HttpsOnly, urllib.request.HTTPSHandler(context=trusted()))

    def from_address(self, url: str) -> None:
        """Fetch all that is missing and check the whole. Raises `_Useless`, `Stopped`, `MictapeError`."""
        failed = 0
        while (before := self._have()) != self._file.bytes:
            try:
                self._attempt(url)
            except _Passing as error:
                failed = 1 if self._have() > before else failed + 1
                if failed >= TRIES:
                    raise _Useless(str(error)) from error
                self._pause(max(error.after_s, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (failed - 1))))
        with writing(self.part.parent):
            wrong = damage(self.part, self._file)
        if wrong is not None:
            self._forget()
            raise _Useless(f"what it gives {wrong}, and was deleted")

    def _attempt(self, url: str) -> None:
        """Ask once for what is missing and take what comes."""
        have, etag = self._begun()
        headers = {"User-Agent": f"mictape/{__version__}", "Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-"} | ({"If-Range": etag} if etag else {})
        try:
            asked = urllib.request.Request(url, headers=headers)
            answer = self._opener.open(asked, timeout=self._client.stalled_s)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from error
        except urllib.error.URLError as error:
            raise _broken(error.reason) from error
        except (OSError, http.client.HTTPException) as error:
            raise _broken(error) from error
        with cast("http.client.HTTPResponse", answer) as response:
            if response.status == HTTPStatus.PARTIAL_CONTENT:
                self._check_range(response.headers.get("Content-Range", ""), have)
            else:
                have = 0
            _check_length(response, have, self._file.bytes)
            self._note(response.headers.get("ETag", ""))
            self._take(response, have)

    def _take(self, response: http.client.HTTPResponse, have: int) -> None:
        """Write what comes behind the first `have` bytes."""
        whole, stop = self._file.bytes, self._client.stop
        with writing(self.part.parent), self.part.open("r+b" if have else "wb") as out:
            out.truncate(have)
            out.seek(have)
            self._progress(have)
            while have < whole:
                if stop is not None and stop.is_set():
                    raise Stopped
                try:
                    block = response.read1(CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    raise _broken(error) from error
                if not block:
                    raise _Passing(f"the connection ended after {have} of {whole} bytes")
                if have + len(block) > whole:
                    out.truncate(0)
                    raise _Useless(f"it gives more than the {whole} bytes of the file")
                out.write(block)
                have += len(block)
                self._progress(have)
            out.flush()
            os.fsync(out.fileno())

    def _check_range(self, content_range: str, have: int) -> None:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", content_range)
        if match is None or int(match[1]) != have or match[3] not in ("*", str(self._file.bytes)):
            self._forget()
            raise _Passing("it gives another part of the file than the one asked for")

    def _refused(self, error: urllib.error.HTTPError) -> "_Passing | _Useless":
        """What an answer that is no success means."""
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._forget()
            return _Passing("it does not have the part that was asked for")
        why = f"HTTP {error.code} {error.reason}".strip()
        if error.code in _PASSING:
            after = error.headers.get("Retry-After", "")
            return _Passing(why, min(LONGEST_WAIT_S, float(after)) if after.isdigit() else 0.0)
        return _Useless(why)

    # What is here.

    def _have(self) -> int:
        with suppress(OSError):
            return self.part.stat().st_size
        return 0

    def _begun(self) -> tuple[int, str]:
        """The bytes that are here and may be gone on from, and the server's name for what they begin; else 0."""
        have = self._have()
        try:
            etag = self.beside.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            etag = ""
        # Without entity tag and hash a change of the file meanwhile would not be noticed.
        if have >= self._file.bytes or not (etag or self._file.sha256):
            self._forget()
            return 0, ""
        return have, etag

    def _note(self, etag: str) -> None:
        """Keep a strong entity tag: only those may be used for ranges (RFC 9110 §13.1.5)."""
        with writing(self.part.parent):
            if etag.startswith('"'):
                self.beside.write_text(etag, encoding="utf-8")
            else:
                self.beside.unlink(missing_ok=True)

    def _forget(self) -> None:
        with writing(self.part.parent):
            self.part.unlink(missing_ok=True)
            self.beside.unlink(missing_ok=True)

    def _pause(self, seconds: float) -> None:
        seconds *= random.uniform(0.8, 1.2)
        if self._client.stop is None:
            self._client.wait(seconds)
        elif self._client.stop.wait(seconds):
            raise Stopped


def _check_length(response: http.client.HTTPResponse, have: int, whole: int) -> None:
    """Refuse what is not the file before the first byte of it is written."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _Useless("it compresses the file, though it was asked not to")
    length = response.headers.get("Content-Length", "")
    if length.isdigit() and have + int(length) != whole:
        kind = response.headers.get_content_type()
        hint = ", perhaps the login page of a network" if kind == "text/html" else ""
        raise _Useless(f"it gives {have + int(length)} bytes of {kind} instead of {whole}{hint}")


def _broken(error: object) -> _Passing | _Useless:
    """What an error of the connection means."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _Useless(f"its certificate is not trusted here: {error.verify_message}")
    if isinstance(error, TimeoutError):
        return _Passing("it sends nothing")
    why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return _Passing(why.lower())


def trusted() -> ssl.SSLContext:
    """TLS with the certificates of the system, which know a company's own; Python's defaults without truststore."""
    try:
        truststore = cast("Any", importlib.import_module("truststore"))
    except ImportError:
        return ssl.create_default_context()
    return cast("ssl.SSLContext", truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
