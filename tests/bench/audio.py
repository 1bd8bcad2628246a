"""From the microphone to the tape: what is lost, how late it is, and what it costs. Linux with a compiler and ALSA."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from textual.widget import Widget

from bench.report import Part, Report, percentile
from mictape.audio.ballistics import Meter
from mictape.audio.capture.recorder import Mixer
from mictape.audio.messages import LevelCell
from mictape.audio.tape import Tape, count_samples, read_journal
from mictape.units import RATE
from mictape.widgets.level_meter import LevelMeter
from support import clocked_mic
from support.clocked_mic import CYCLE, ClockedMics, Microphone, breaks, counted
from support.lossless import FREE_S, HELD, HOLD_S, end, hold_up, recording
from support.waiting import until
from support.widget_app import WidgetApp

RUN_S: Final = 20
STALL_S: Final = 60
"""So long everything is held up, again and again or at a stretch."""
METER_S: Final = 10
FRAMES_PER_S: Final = 30
ROOT: Final = Path(__file__).parents[2]
HOLDS: Final = {
    "event loop blocked": signal.SIGUSR1,
    "interpreter lock held": signal.SIGUSR2,
    "stopped": signal.SIGSTOP,
}


@contextmanager
def _home() -> Generator[Path]:
    """A folder of Mictape's own, for its children, too."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("MICTAPE_HOME")
        os.environ["MICTAPE_HOME"] = folder
        yield Path(folder)
        if before is None:
            del os.environ["MICTAPE_HOME"]
        else:
            os.environ["MICTAPE_HOME"] = before


def _lost(pcm: bytes, samples: float) -> int:
    """Samples that are missing in a recording of the counter, which by the clock should have about so many.

    The counter tells how many exactly, but for whole cycles of it.
    """
    missing = sum(missing for _, missing in breaks(counted(pcm)))
    return missing + CYCLE * max(0, round((samples - len(pcm) / 2 - missing) / CYCLE))


def _ours(mics: ClockedMics, how: signal.Signals) -> int:
    """Samples that are missing on the tape of the app."""
    with _home() as home:
        with recording(mics, home, str(HELD), str(HOLD_S)) as (app, session):
            if how is signal.SIGSTOP:
                app.signal(how)
                until(lambda: count_samples(session, 1) >= STALL_S * RATE, timeout_s=2 * STALL_S)
                app.signal(signal.SIGCONT)
            else:
                hold_up(app, session, how, STALL_S)
            end(app)
        tape = Tape.finished(session, 1)
        first, *_, last = read_journal(session, 1).anchors
        untold = tape.samples - (last.sample - first.sample)
        return _lost(tape.read(0, tape.samples), untold + (last.monotonic - first.monotonic) * RATE)


def _tutorial(mics: ClockedMics, how: signal.Signals) -> int:
    """Samples that are missing in what the tutorial's way recorded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound.s16"
        child = Path(__file__).with_name("tutorial_child.py")
        env = mics.env | {"PYTHONPATH": str(ROOT / "tests")}
        command = [sys.executable, str(child), "counter", str(STALL_S), str(path)]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout
            process.stdout.readline()
            began_s = time.monotonic()
            for _ in range(1 if how is signal.SIGSTOP else int(STALL_S / (HOLD_S + FREE_S))):
                time.sleep(HOLD_S + FREE_S)
                process.send_signal(how)
            if how is signal.SIGSTOP:
                time.sleep(STALL_S)
                process.send_signal(signal.SIGCONT)
            process.wait()
            samples = (time.monotonic() - began_s) * RATE
        return _lost(path.read_bytes(), samples)


def losses(report: Report) -> None:
    """Frames lost under each hold, Mictape's and the tutorial's way."""
    with clocked_mic.built() as mics:
        for what, how in HOLDS.items():
            held = "at a stretch" if how is signal.SIGSTOP else f"held {HOLD_S:g} s again and again"
            note = f"{STALL_S} s, {held}"
            report.add(f"lost, {what}", _ours(mics, how), "frames", note)
            report.add(f"the tutorial's way, {what}", _tutorial(mics, how), "frames", "overflows do not end it here")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _capture(mics: ClockedMics, mic: Microphone, folder: Path) -> Generator[int]:
    """The capture process alone, writing; its process id."""
    device = msgspec.json.encode(mic.device).decode()
    options = ("--folder", str(folder), "--track", "1", "--source", "device", "--device", device)
    command = [sys.executable, "-m", "mictape.audio.capture.process", *options]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=mics.env, cwd=ROOT, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet) as child:
        assert child.stdin
        child.stdin.write(b"go\n")
        child.stdin.flush()
        yield child.pid
        child.stdin.close()


def _delays(folder: Path) -> list[float]:
    """Seconds from when a sample was recorded until it is in the file; the newest one of each growth."""
    delays: list[float] = []
    ends_s, before = time.monotonic() + RUN_S, count_samples(folder, 1)
    while time.monotonic() < ends_s:
        if (samples := count_samples(folder, 1)) > before:
            tape = Tape.finished(folder, 1)
            (value,) = counted(tape.read(samples - 1, 1))
            delays.append(((int(time.monotonic() * RATE) - int(value)) % CYCLE) / RATE)
            before = samples
        time.sleep(0.001)
    return delays


def tape(report: Report) -> None:
    """How late the tape is, and the CPU of the capture process."""
    mics_of = {mic.name: mic for mic in clocked_mic.MICROPHONES}
    with clocked_mic.built() as mics:
        for name, measured in (("counter", "16 kHz"), ("counter48", "48 kHz, resampled")):
            with tempfile.TemporaryDirectory() as folder, _capture(mics, mics_of[name], Path(folder)) as pid:
                while not count_samples(Path(folder), 1):
                    time.sleep(0.01)
                began_s, cpu_s = time.monotonic(), _cpu_s(pid)
                if name == "counter":
                    delays = _delays(Path(folder))
                    report.add_delays(
                        "recorded → on the tape", delays, "its newest sample; blocks come three at a time"
                    )
                    report.add("recorded → on the tape, max", 1000 * max(delays), "ms")
                else:
                    time.sleep(METER_S)
                share = 100 * (_cpu_s(pid) - cpu_s) / (time.monotonic() - began_s)
            report.add(f"CPU of the capture process, {measured}", share, "%", "of one core")


def resampler(report: Report) -> None:
    """What a block of 20 ms costs on its way from 48 kHz to 16 kHz."""
    chance = np.random.default_rng(1)
    for channels in (1, 2, 32):
        block = chance.integers(-9_000, 9_000, (960, channels), dtype=np.int16)
        mixer, costs = Mixer(48_000), list[float]()
        for _ in range(2_000):
            began_s = time.perf_counter()
            mixer.feed(block)
            costs.append(time.perf_counter() - began_s)
        report.add(f"48 → 16 kHz, {channels} ch, p50", 1e6 * percentile(costs, 50), "µs", "a block of 20 ms")


async def _ticking(widget: Widget, tick: Callable[[], object]) -> float:
    """CPU seconds per second of an app in which `tick` is called 30 times a second."""
    app = WidgetApp(widget)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        app.set_interval(1 / FRAMES_PER_S, tick)
        began = resource.getrusage(resource.RUSAGE_SELF)
        await asyncio.sleep(METER_S)
        ended = resource.getrusage(resource.RUSAGE_SELF)
    return (ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime) / METER_S


def meter(report: Report) -> None:
    """The meter on a signal that moves all the time, 30 times a second, beside an empty timer of the same rate."""
    widget, movement, chance, events = LevelMeter(), Meter(), np.random.default_rng(1), 0

    def pull() -> None:
        nonlocal events
        for peak in chance.uniform(0.02, 0.7, 2):
            movement.feed(LevelCell(1, float(peak), float(peak) ** 2 / 2, 0))
            events += RATE // 50
        widget.pull(movement.reading, events)

    moving = asyncio.run(_ticking(widget, pull))
    empty = asyncio.run(_ticking(Widget(), lambda: None))
    report.add("meter at 30 Hz", 1000 * moving, "ms/s", "CPU, drawn; a level that jumps in every frame")
    report.add("meter : empty timer at 30 Hz", moving / empty, "×", f"empty: {1000 * empty:.1f} ms/s")


PARTS: Final = (
    Part("Lost while held up", losses),
    Part("Microphone to tape", tape),
    Part("The resampler", resampler),
    Part("The meter", meter),
)
