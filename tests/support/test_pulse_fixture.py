"""The private sound server does what the tests that stand on it need."""

import subprocess
import sys
from array import array

from conftest import Speech
from support.pulse import PulseServer, running
from support.waiting import until

RECORD = """
import sys, sounddevice
with sounddevice.RawInputStream(device="pulse", samplerate=16000, channels=1, dtype="int16", blocksize=320) as stream:
    print("recording", flush=True)
    data, _ = stream.read(int(sys.argv[1]))
    sys.stderr.buffer.write(bytes(data))
"""
"""Records a number of samples from the source that PULSE_SOURCE names, and writes them to stderr."""


def record(pulse: PulseServer, source: str, samples: int) -> "subprocess.Popen[bytes]":
    """Start a process that records; it is recording when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", RECORD, str(samples)],
        env=pulse.env | {"PULSE_SOURCE": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"recording\n"
    return process


def test_it_offers_two_microphones_and_their_monitors(pulse: PulseServer) -> None:
    assert set(pulse.sources()) == {"spk.monitor", "vmic_sink.monitor", "vmic", "vmic2_sink.monitor", "vmic2"}
    assert pulse.control("get-default-source").strip() == "vmic"


def test_what_is_played_into_a_microphone_arrives_unchanged(pulse: PulseServer) -> None:
    counter = array("h", [n % 30_000 + 1 for n in range(16_000)]).tobytes()
    recorder = record(pulse, "vmic2", 32_000)
    pulse.play_raw(counter)
    _, received = recorder.communicate(timeout=30)
    assert counter in received


def test_a_file_is_recorded_by_the_microphone_it_is_played_into_and_by_no_other(
    pulse: PulseServer, speech: Speech
) -> None:
    first, second = record(pulse, "vmic", 32_000), record(pulse, "vmic2", 32_000)
    player = pulse.play(speech.beckett)
    received, silence = first.communicate(timeout=30)[1], second.communicate(timeout=30)[1]
    player.terminate()
    assert max(array("h", received[-32_000:])) > 1000
    assert set(silence[-32_000:]) == {0}


def test_microphones_come_and_go(pulse: PulseServer) -> None:
    pulse.add("headset", "Headset")
    assert "headset" in pulse.sources()
    pulse.set_default("headset")
    pulse.set_muted("headset")
    assert pulse.control("get-source-mute", "headset").strip() == "Mute: yes"
    pulse.remove("headset")
    assert "headset" not in pulse.sources()
    assert pulse.control("get-default-source").strip() != "headset"


def test_recorders_are_counted(pulse: PulseServer) -> None:
    assert pulse.recorders() == []
    recorder = record(pulse, "vmic", 16_000)
    until(lambda: len(pulse.recorders()) == 1, what="one recording stream")
    recorder.communicate(timeout=30)
    until(lambda: pulse.recorders() == [], what="no recording stream")


def test_two_servers_know_nothing_of_each_other_and_leave_nothing_behind(pulse: PulseServer) -> None:
    with running() as other:
        other.add("headset", "Headset")
        assert "headset" not in pulse.sources()
        player = other.play_raw(bytes(32_000 * 60))
    assert player.poll() is not None
    assert other.process.poll() is not None
    assert not other.folder.exists()
