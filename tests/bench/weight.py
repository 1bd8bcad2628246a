"""What Mictape weighs while it runs: the first frame, CPU and memory of its processes, beside what any program costs.

CPU is the processes' own time as the system counts it, so other work on the machine disturbs it little; compare figures
of one run only. The microphone is a virtual one with the hiss of a quiet room.
"""

import os
import random
import select
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Final

from bench.clips import clips_of_the_wheel
from bench.report import Part, Report
from support.child_processes import children_of
from support.pulse import PulseServer, running
from support.screen_app import ScreenApp

STARTS: Final = 20
"""First frames measured, of each program in turn; a first one of each, which compiles, is not counted."""
WATCH_S: Final = 20.0
"""How long CPU is counted."""
SETTLE_S: Final = 6.0
"""Before: the model is loaded by then."""
SIZE: Final = (120, 40)
TICKS: Final = os.sysconf("SC_CLK_TCK")

BLANK: Final = """
from textual.app import App
from textual.widgets import Label
class Blank(App[None]):
    def compose(self):
        yield Label("a blank app")
    def on_mount(self):
        if {hz}: self.set_interval(1 / {hz}, lambda: None)
Blank().run()
"""

ROLES: Final = (
    ("capture", "mictape.audio.capture.process"),
    ("engine", "mictape.engines.local.process"),
    ("speech detector", "mictape.vad.process"),
)


def cpu_s(pid: int) -> float:
    """CPU time of a process and of its children that have ended, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def own_cpu_s(pid: int) -> float:
    """CPU time of a process alone, seconds, to the nanosecond: the other count has steps of 10 ms."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it


def memory_mb(pid: int) -> float:
    """Memory of a process, its share of what it shares (PSS), MB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def processes(app: ScreenApp) -> dict[str, int]:
    """The process ids of the app and its children, by what they do."""
    pid = app.process.pid
    children = {role: child for role, module in ROLES for child in children_of(pid, module)}
    return {"app": pid, **children}


def watched(app: ScreenApp, seconds: float) -> dict[str, float]:
    """CPU of each process in per cent of a core, over some seconds in which the terminal is read."""
    pids = processes(app)
    before = {role: cpu_s(pid) for role, pid in pids.items()}
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        app.read()
        time.sleep(0.05)
    elapsed = time.monotonic() - began
    return {role: 100 * (cpu_s(pid) - before[role]) / elapsed for role, pid in pids.items()}


def first_frame(argv: list[str], env: Mapping[str, str], word: str) -> tuple[float, float]:
    """Start a program, wait until it writes `word`, kill it; wall and CPU seconds until then.

    Its screen is not made up meanwhile, which takes so long that what comes behind the frame would be counted, too.
    """
    began = time.monotonic()
    app = ScreenApp(argv, env, *SIZE)
    written = b""
    try:
        while word.encode() not in written:
            assert select.select([app.master], [], [], 60)[0], f"{argv} writes no {word}"
            written += os.read(app.master, 65_536)
        return time.monotonic() - began, own_cpu_s(app.process.pid)
    finally:
        app.close()


def home(folder: Path, pulse: PulseServer) -> dict[str, str]:
    """The environment of an app on the private sound server."""
    return dict(pulse.env) | {"MICTAPE_HOME": str(folder / "home")}


def measure_start(report: Report) -> None:
    """Until the first frame, against a blank Textual app."""
    with tempfile.TemporaryDirectory() as folder, running() as pulse:
        env = home(Path(folder), pulse)
        ours = [sys.executable, "-P", "-m", "mictape", "--device", "PulseAudio:vmic2", "--no-keep"]
        blank = [sys.executable, "-c", BLANK.format(hz=0)]
        figures: dict[str, list[tuple[float, float]]] = {"mictape": [], "blank": []}
        for _ in range(STARTS + 1):
            figures["mictape"].append(first_frame(ours, env, "LOADING"))
            figures["blank"].append(first_frame(blank, env, "a blank app"))
    for at, what in enumerate(("wall", "CPU")):
        mine, other = (median(each[at] for each in figures[name][1:]) for name in ("mictape", "blank"))
        report.add(f"first frame, {what}", mine, "s", f"a blank Textual app {other:.2f} s")
        report.add(f"first frame, {what}, against a blank app", mine / other, "×")


def measure_running(report: Report) -> None:
    """CPU and memory in silence, with the palette open, and during speech."""
    hiss = array("h", random.Random(1).choices((-3, -2, -1, 0, 1, 2, 3), k=16_000 * 300)).tobytes()
    with tempfile.TemporaryDirectory() as folder, running() as pulse:
        env = home(Path(folder), pulse)
        pulse.play_raw(hiss, sink="vmic2_sink")
        app = ScreenApp([sys.executable, "-P", "-m", "mictape", "--device", "PulseAudio:vmic2"], env, *SIZE)
        try:
            app.sees("LISTENING", timeout_s=60)
            watched(app, SETTLE_S)
            for role, percent in watched(app, WATCH_S).items():
                report.add(f"{role}, in silence", percent, "%", "of a core")
            app.press("\x10")
            watched(app, 1)
            report.add("app, palette open", watched(app, WATCH_S)["app"], "%", "of a core")
            app.press("escape")
            report.add("memory of all processes", sum(map(memory_mb, processes(app).values())), "MB")
            clips = [clip for clip in clips_of_the_wheel() if "two" in clip.name]
            if clips:
                pulse.play(clips[0].path, sink="vmic2_sink")
                watched(app, 2)
                speaking = watched(app, WATCH_S)
                for role, percent in speaking.items():
                    report.add(f"{role}, during speech", percent, "%", "of a core")
                report.add("all of it, during speech", sum(speaking.values()) / 100, "s/s")
        finally:
            app.close()
        parec = subprocess.Popen(
            ["parec", "--device=vmic2", "--rate=16000", "--channels=1"], env=env, stdout=subprocess.DEVNULL
        )
        time.sleep(WATCH_S)
        report.add("parec alone", 100 * cpu_s(parec.pid) / WATCH_S, "%", "of a core")
        parec.kill()
        parec.wait()
    for hz, name in ((0, "a blank Textual app"), (30, "… with a timer of 30 Hz")):
        blank = ScreenApp([sys.executable, "-c", BLANK.format(hz=hz)], os.environ, *SIZE)
        try:
            blank.sees("a blank app", timeout_s=60)
            watched(blank, 1)
            report.add(name, watched(blank, WATCH_S)["app"], "%", "of a core")
        finally:
            blank.close()


PARTS: Final = (Part("Start", measure_start), Part("Running", measure_running))
