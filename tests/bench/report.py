"""Figures of a benchmark: gathered, shown as a table, written as JSON."""

import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

MILLI: Final = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """One number."""

    part: str
    name: str
    value: float
    unit: str
    """`ms`, `s`, `MB`, …; `×` for a ratio of two things measured in the same run."""
    note: str


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is measured on its own."""

    title: str
    measure: "Callable[[Report], None]"


class Report:
    """The figures of one benchmark."""

    def __init__(self, benchmark: str) -> None:
        self.benchmark = benchmark
        self.figures: list[Figure] = []
        self.began = datetime.now(UTC)
        self._part = ""

    def run(self, part: Part) -> None:
        """Measure a part; how long that took is printed on stderr, since some of it is minutes."""
        began_s = time.monotonic()
        print(f"{part.title} …", end=" ", file=sys.stderr, flush=True)
        self._part = part.title
        part.measure(self)
        print(f"{time.monotonic() - began_s:.0f} s", file=sys.stderr, flush=True)

    def add(self, name: str, value: float, unit: str, note: str = "") -> None:
        """Take in one number."""
        self.figures.append(Figure(self._part, name, value, unit, note))

    def add_delays(self, name: str, delays_s: Sequence[float], note: str = "") -> None:
        """Take in the median and the 99th percentile of delays, seconds, as milliseconds."""
        counted = f"n = {len(delays_s)}" + (f"; {note}" if note else "")
        self.add(f"{name}, p50", MILLI * percentile(delays_s, 50), "ms", counted)
        self.add(f"{name}, p99", MILLI * percentile(delays_s, 99), "ms")

    def show(self) -> None:
        """Print the table."""
        table = Table(title=f"Mictape: {self.benchmark}", title_justify="left")
        table.add_column("figure")
        table.add_column("value", justify="right", no_wrap=True)
        table.add_column("unit", no_wrap=True)
        table.add_column("note")
        part = ""
        for figure in self.figures:
            if figure.part != part:
                part = figure.part
                table.add_section()
                table.add_row(f"[bold]{part}[/]")
            table.add_row(figure.name, readable(figure.value), figure.unit, figure.note)
        Console(width=None if sys.stdout.isatty() else 120).print(table)

    def write(self, path: Path) -> None:
        """Write everything as JSON, with when and on what it was measured."""
        document = {
            "benchmark": self.benchmark,
            "began": self.began.isoformat(timespec="seconds"),
            "machine": {
                "cores": os.cpu_count(),
                "system": platform.system(),
                "architecture": platform.machine(),
                "python": platform.python_version(),
            },
            "figures": [asdict(figure) for figure in self.figures],
        }
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; NaN of nothing."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def readable(value: float) -> str:
    """Three digits that count; whole numbers from a hundred on."""
    if not math.isfinite(value) or value == 0:
        return "0" if value == 0 else "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"
