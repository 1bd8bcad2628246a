"""What models cost on this machine: the one that every Mictape carries, and all that are installed.

The store of the person who measures is looked into (`MICTAPE_HOME`, `MICTAPE_MODELS`), so the figures are those of real
weights. Speech goes in as fast as it is spoken.
"""

import asyncio
import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Final

from bench.clips import clips_of_the_wheel
from bench.local import listen
from bench.report import Part, Report, percentile
from mictape.engines.base import Request
from mictape.engines.local.engine import LocalEngine, LocalOptions
from mictape.models import catalogue
from mictape.models.choice import BUILT_IN
from mictape.models.store import Store
from mictape.paths import places
from support.local_engine import pid_of
from support.references import word_error_rate

TICKS: Final = os.sysconf("SC_CLK_TCK")
REST_S: Final = 5.0
"""Seconds without a connection, in which CPU at rest is measured."""


def measure(name: str, report: Report) -> None:
    """One model: live, then at rest."""
    asyncio.run(_measure(name, report))


async def _measure(name: str, report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = LocalEngine(LocalOptions(model=name), Path(folder) / "engine.log")
        try:
            await (await engine.connect(Request())).close()
            pid = pid_of(engine)
            loaded_s = _cpu_s(pid)
            report.add("CPU, loading", loaded_s, "s")
            report.add("memory at rest", _status_mb(pid, "VmRSS"), "MB")
            clip = clips_of_the_wheel()[0]
            listened = await listen(engine, clip.pcm(), live=True)
            report.add("CPU per second of speech, live", (_cpu_s(pid) - loaded_s) / listened.seconds, "s/s")
            partials, finals = listened.delays()
            if partials:
                report.add("first partial after the onset, p50", percentile(partials, 50), "s", f"n = {len(partials)}")
            if finals:
                report.add("final after the end of speech, p50", percentile(finals, 50), "s", f"n = {len(finals)}")
            report.add("memory, peak", _status_mb(pid, "VmHWM"), "MB")
            report.add("word error rate", 100 * word_error_rate(clip.reference, listened.text), "%", clip.name)
            before_s = _cpu_s(pid)
            await asyncio.sleep(REST_S)
            report.add("CPU per second at rest", (_cpu_s(pid) - before_s) / REST_S, "s/s")
        finally:
            await engine.close()


def _cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _status_mb(pid: int, name: str) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split(f"{name}:")[1].split()[0]) / 1024


def _names() -> list[str]:
    """The model that every Mictape carries first, then the installed ones that know English."""
    where = places()
    installed = Store.here(where).installed(catalogue.load(where.config))
    return [BUILT_IN, *(one.model.name for one in installed if one.model.knows("en"))]


PARTS: Final = tuple(Part(name, partial(measure, name)) for name in _names())
