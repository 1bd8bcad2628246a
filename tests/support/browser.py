"""A real browser without a window: Chromium, driven over its DevTools protocol."""

import asyncio
import itertools
import shutil
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from support.waiting import until_async

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""None when there is no such browser."""


class Page:
    """A page that is open."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        await self._connection.send(msgspec.json.encode({"id": number, "method": method, "params": params}).decode())
        while True:
            answer = msgspec.json.decode(await self._connection.recv())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")


@asynccontextmanager
async def opened(path: Path, profile: Path) -> AsyncGenerator[Page]:
    """A file in the browser, which keeps what it needs in the folder `profile`."""
    assert CHROMIUM is not None
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
    command = [CHROMIUM, *options, "--remote-debugging-port=0", f"--user-data-dir={profile}", path.as_uri()]
    browser = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL)
    try:
        port_file = profile / "DevToolsActivePort"
        port = await until_async(lambda: port_file.exists() and port_file.read_text().partition("\n")[0], 60)
        target = await until_async(lambda: asyncio.to_thread(_target, int(port)), 60)
        async with connect(target, max_size=None) as connection:
            page = Page(connection)
            shown = "location.protocol === 'file:' && document.readyState === 'complete'"
            await until_async(lambda: page.evaluate(shown), 60)
            yield page
    finally:
        browser.kill()
        await browser.wait()


def _target(port: int) -> str:
    """The address of the page that is open; empty while there is none."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as http:
        http.request("GET", "/json/list")
        pages = [each for each in msgspec.json.decode(http.getresponse().read()) if each["type"] == "page"]
    return pages[0]["webSocketDebuggerUrl"] if pages else ""
