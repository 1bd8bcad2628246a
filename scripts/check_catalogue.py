"""Checks the shipped catalogue of models against its addresses, before a release.

.venv/bin/python scripts/check_catalogue.py [--hashes] [NAME …]

Each address is asked for one byte: it must answer over https with the size that the catalogue says. Where the answer
tells a SHA-256 (`X-Linked-ETag`, as Hugging Face sends it), that is compared, too. With `--hashes` every file is
downloaded and its hash compared: some gigabytes. The exit code is 1 when anything is wrong.
"""

import argparse
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any, Final

from mictape.failure import MictapeError
from mictape.models.catalogue import Model, ModelFile, shipped
from mictape.models.download import Client, fetch, trusted

TIMEOUT_S: Final = 60.0
LINKED: Final = "X-Linked-ETag"


class _Noting(urllib.request.HTTPRedirectHandler):
    """Follows redirects and keeps the hash that the first answer tells."""

    def __init__(self) -> None:
        self.linked = ""

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> Any:  # noqa: ANN401
        self.linked = self.linked or headers.get(LINKED, "")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def problem_of(file: ModelFile, url: str) -> str:
    """What is wrong with an address of a file; empty when nothing is."""
    noting = _Noting()
    opener = urllib.request.build_opener(noting, urllib.request.HTTPSHandler(context=trusted()))
    request = urllib.request.Request(url, headers={"Range": "bytes=0-0", "Accept-Encoding": "identity"})
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            size = _size(answer.headers)
            linked = (noting.linked or answer.headers.get(LINKED, "")).strip('"')
    except (OSError, urllib.error.URLError) as error:
        return str(error)
    if size != file.bytes:
        return f"{size} bytes instead of {file.bytes}"
    if len(linked) == len(file.sha256 or "") and linked != file.sha256:
        return f"SHA-256 {linked} instead of {file.sha256}"
    return ""


def _size(headers: HTTPMessage) -> int:
    """The size of the whole file, whether or not the server knows ranges."""
    whole = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    return int(whole) if whole.isdigit() else -1


def check(models: Sequence[Model], *, hashes: bool, out: IO[str] = sys.stdout) -> int:
    """Check models; how many addresses are wrong."""
    wrong = 0
    for model in models:
        for file in model.files:
            for url in file.urls:
                problem = problem_of(file, url)
                if hashes and not problem:
                    with tempfile.TemporaryDirectory() as folder:
                        try:
                            fetch(file, Path(folder), Client(), lambda _: None)
                        except MictapeError as error:
                            problem = str(error)
                wrong += bool(problem)
                print(f"{model.name:<16} {problem or 'ok':<40} {url}", file=out, flush=True)
    return wrong


def main() -> int:
    """Read the command line and check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="models to check; default: all")
    parser.add_argument("--hashes", action="store_true", help="download every file and compare its hash")
    asked = parser.parse_args()
    models = [model for model in shipped() if not asked.names or model.name in asked.names]
    return 1 if check(models, hashes=asked.hashes) else 0


if __name__ == "__main__":
    sys.exit(main())
