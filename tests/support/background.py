"""A server that goes on in a thread while the test itself waits for something else."""

import asyncio
import threading
from collections.abc import Coroutine, Generator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@contextmanager
def in_background(serving: AbstractAsyncContextManager[T]) -> Generator[T]:
    """Enter an asynchronous context on an event loop in another thread, for the length of a `with` block."""
    loop, stack = asyncio.new_event_loop(), AsyncExitStack()

    def carry_out(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    async def leave() -> Any:
        await stack.aclose()

    thread = threading.Thread(target=loop.run_forever, name="in-background")
    thread.start()
    try:
        yield carry_out(stack.enter_async_context(serving))
    finally:
        carry_out(leave())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
