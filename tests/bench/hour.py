"""What an hour of speech costs: CPU and memory of a process that follows its tape as fast as it goes."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from bench.report import Report
from bench.service import serving
from bench.sound import pattern
from mictape.audio.tape import TapeWriter
from mictape.units import RATE

HOUR_S: Final = 3600
FORGET: Final = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
"""Between this process and the one that is weighed: on Linux a process's peak memory counts as that of
the one that it starts, until that needs more."""


def _in_a_child(what: str, folder: Path) -> dict[str, Any]:
    with serving(paced=False) as url:
        command = [sys.executable, "-S", "-c", FORGET, sys.executable, "-m", "bench.hour_child", what, str(folder), url]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def measure(report: Report) -> None:
    """The bare socket first, then the session, each in a fresh process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sessions").mkdir()
        writer, sound = TapeWriter(folder, 1), pattern()
        for _ in range(HOUR_S * RATE * 2 // len(sound)):
            writer.append(sound)
        writer.close()
        least = _in_a_child("bare", folder)
        reported = _in_a_child("session", folder)
    took = f"{reported['took_s']:.0f} s on the clock, {reported['lines']} lines kept, {reported['covered']:.1%} covered"
    report.add("CPU of an hour, session with its library", reported["cpu_s"], "s", took)
    report.add("CPU of an hour, bare websocket", least["cpu_s"], "s", "same blocks, same answers")
    report.add("session : bare websocket", reported["cpu_s"] / least["cpu_s"], "×")
    report.add("longest the event loop was held", 1000 * reported["held_s"], "ms", "8 ms are allowed at a time")
    report.add("peak memory", reported["peak_mb"], "MB", f"{reported['before_mb']:.0f} MB before the first block")
    quarters = ", ".join(f"{peak:.0f}" for peak in reported["peaks_mb"])
    growth = reported["peaks_mb"][-1] - reported["peaks_mb"][0]
    report.add("growth from the first quarter to the last", growth, "MB", f"after each quarter: {quarters} MB")
