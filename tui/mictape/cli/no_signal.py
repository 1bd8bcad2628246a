"""When `listen` says that a microphone gives nothing but zeros. Pure."""

from typing import Final

FIRST_S: Final = 3.0
"""So long nothing must have come the first time."""
AGAIN_S: Final = 30.0
"""And later: a noise gate gives zeros in each pause, of which one line is enough."""


class NoSignal:
    """Decides for one microphone; asked several times a second."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._limit_s = FIRST_S
        self._said = False

    def look(self, no_signal: bool, now_s: float) -> bool | None:
        """What to say now: True, nothing comes; False, there is a signal again; None, nothing new."""
        if not no_signal:
            said, self._said, self._since_s = self._said, False, None
            return False if said else None
        self._since_s = now_s if self._since_s is None else self._since_s
        if self._said or now_s - self._since_s < self._limit_s:
            return None
        self._said, self._limit_s = True, AGAIN_S
        return True
