"""What another user sees."""

import os
from collections.abc import Generator
from contextlib import contextmanager

_NOBODY = 65534


@contextmanager
def without_rights() -> Generator[None]:
    """As a user who may look at no more than anybody may; as the same user where that is not root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
