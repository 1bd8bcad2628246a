"""Key terms: those of the settings with those of the session, as many as a service takes.

What a service would refuse, or take and then stop working, is left out here, and that is reported.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service takes."""

    most: int | None = None
    """Terms of a connection."""
    longest: int | None = None
    """Characters of one."""
    total: int | None = None
    """What all may cost together."""
    cost: Callable[[str], int] = len
    unit: str = "characters"
    """What `cost` counts."""
    forbidden: str = ""
    """Characters that none may have."""

    def __str__(self) -> str:
        """For a sentence: `100 of at most 50 characters each`."""
        each = f"at most {self.longest} characters each" if self.longest else ""
        number = str(self.most) if self.most else ""
        together = f"{self.total} {self.unit} together" if self.total else ""
        signs = f"none with {' or '.join(sign for sign in self.forbidden if sign.isprintable())}"
        first = " of ".join(filter(None, (number, each)))
        return ", ".join(filter(None, (first, together, signs if self.forbidden else ""))) or "any number"


ANY: Final = Limits()


@dataclass(frozen=True, slots=True)
class Terms:
    """The key terms of a connection."""

    service: str
    """Its name, for the sentence."""
    limits: Limits
    own: tuple[str, ...] = ()
    """Those of the settings."""
    others: tuple[str, ...] = ()
    """Those of the session."""
    taken: tuple[str, ...] = field(init=False)
    """All together without repetitions, those of the settings first, as many as the service takes."""
    left_out: str = field(init=False)
    """A sentence about those it does not take; empty when it takes all."""

    def __post_init__(self) -> None:
        """Count."""
        every = [term for term in dict.fromkeys((*self.own, *self.others)) if term.strip()]
        taken: list[str] = []
        spent = 0
        for term in every:
            cost = self.limits.cost(term)
            if self._fits(term, len(taken), spent + cost):
                taken.append(term)
                spent += cost
        object.__setattr__(self, "taken", tuple(taken))
        said = f"{self.service} takes {len(taken)} of {len(every)} key terms: {self.limits}"
        object.__setattr__(self, "left_out", said if len(taken) < len(every) else "")

    def with_others(self, others: tuple[str, ...]) -> "Terms":
        """The same settings with other terms of the session."""
        return Terms(self.service, self.limits, self.own, others)

    def _fits(self, term: str, number: int, spent: int) -> bool:
        limits = self.limits
        return (
            (limits.most is None or number < limits.most)
            and (limits.longest is None or len(term) <= limits.longest)
            and (limits.total is None or spent <= limits.total)
            and not any(sign in term for sign in limits.forbidden)
        )
