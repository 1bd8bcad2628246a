"""The command line on real sound, without a screen: texts, exit codes, sentences."""

import json
import signal
import wave
from pathlib import Path

import pytest

from conftest import Speech
from servers.base import Server
from support.command_line import called, mictape, starts
from support.example_service import leading_to
from support.pulse import PulseServer
from support.references import BECKETT, TWO_CITIES, word_error_rate, words_in_order
from support.sessions import lines_of, room, sessions_of, tape_seconds
from support.soundfiles import beginning
from support.waiting import until

# transcribe


@pytest.mark.parametrize("pace", ["fast", "real"])
@pytest.mark.proof
def test_two_cities_is_recognised_at_both_paces(speech: Speech, pace: str) -> None:
    done = mictape("transcribe", str(speech.two_cities), "--pace", pace)
    assert (done.returncode, done.stderr) == (0, "")
    assert word_error_rate(TWO_CITIES, done.stdout) <= 0.11, done.stdout


def test_json_is_one_document_and_nothing_is_kept_unasked(parrot: Server, speech: Speech, home: Path) -> None:
    done = called("transcribe", *leading_to(parrot), str(speech.beckett), "--format", "json")
    document = json.loads(done.stdout)
    assert document["id"] is None
    assert document["tracks"][0]["source"] == "beckett.wav"
    starts_s = [line["start_s"] for line in document["lines"]]
    assert starts_s == sorted(starts_s)
    assert [line["text"] for line in document["lines"]][:9] == [f"second {at}" for at in range(1, 10)]
    assert list((home / "sessions").iterdir()) == []


def test_what_is_kept_can_be_listed_shown_and_deleted(speech: Speech, home: Path) -> None:
    done = called("transcribe", "-", "--keep", stdin=speech.beckett.read_bytes())
    text = done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    assert words_in_order(BECKETT, text) >= 9, text
    [session] = sessions_of(home)
    assert session.name in called("sessions").stdout
    assert called("sessions", "show").stdout == text
    assert called("sessions", "show", session.name[:8]).stdout == text
    assert json.loads(called("sessions", "show", "last", "--format", "json").stdout)["id"] == session.name
    with wave.open(str(speech.beckett)) as file:
        assert abs(tape_seconds(session) - file.getnframes() / file.getframerate()) < 0.001
    assert called("sessions", "delete", session.name).returncode == 2, "there is no terminal to ask on"
    assert called("sessions", "delete", "--yes", session.name).returncode == 0
    assert session.exists()
    assert called("sessions").stdout == ""
    assert session.name in called("sessions", "restore", session.name).stdout
    assert called("sessions", "delete", "--yes", "--for-good", session.name).returncode == 0
    assert list((home / "sessions").iterdir()) == []
    missing = called("sessions", "show", session.name)
    assert missing.returncode == 2
    assert session.name in missing.stderr


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.wav", None, "missing.wav"),
        ("empty.wav", b"", "empty"),
        ("noise.wav", b"this is no sound file at all, it is text" * 50, "noise.wav"),
    ],
)
def test_a_file_that_is_no_sound_is_a_sentence_and_exit_3(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    done = called("transcribe", str(path))
    assert done.returncode == 3
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.proof
def test_a_truncated_file_gives_its_text_and_says_so(speech: Speech, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    whole = speech.two_cities.read_bytes()
    cut.write_bytes(whole[: len(whole) // 4])
    done = mictape("transcribe", str(cut))
    assert done.returncode == 0
    assert "best of times" in done.stdout
    assert "cut.wav" in done.stderr


def test_an_interrupt_ends_it_with_130_and_what_was_said_so_far(speech: Speech, home: Path) -> None:
    running = starts("transcribe", str(speech.beckett), "--pace", "real", "--keep")
    until(lambda: home.exists() and lines_of(home), timeout_s=60)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "Ever tried." in stdout
    assert "Traceback" not in stderr


@pytest.mark.proof
def test_a_reader_may_leave(speech: Speech, tmp_path: Path) -> None:
    running = starts("transcribe", str(beginning(speech.two_cities, 17, tmp_path / "beginning.wav")))
    assert running.stdout is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.stderr is not None
    stderr = running.stderr.read()
    assert running.wait(30) == 0
    assert stderr == ""


# listen


@pytest.mark.proof
def test_listen_prints_finals_until_ctrl_c(pulse: PulseServer, speech: Speech, home: Path) -> None:
    room(pulse)
    running = starts("listen", "--json", "--device", "PulseAudio:vmic2", env=pulse.env)
    assert running.stdout is not None
    assert running.stderr is not None
    assert "Virtual_Mic_Two" in running.stderr.readline()
    until(lambda: (home / "sessions").exists() and any(tape_seconds(s) > 0 for s in sessions_of(home)))
    pulse.play(speech.two_cities, sink="vmic2_sink")
    first = json.loads(running.stdout.readline())
    assert first["text"]
    assert first["end_s"] > first["start_s"]
    running.send_signal(signal.SIGINT)
    rest, stderr = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Traceback" not in stderr
    # A line may be revised, and then comes again.
    texts = {each["id"]: each["text"] for each in [first, *map(json.loads, rest.splitlines())]}
    assert [text for text in texts.values() if text] == lines_of(home)


def test_listen_without_a_device_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/none")
    if called("devices").returncode == 0:
        pytest.skip("this machine has devices without a sound server")
    done = called("listen")
    assert done.returncode == 3
    assert "microphone" in done.stderr
    assert "Traceback" not in done.stderr


# devices


def test_devices_are_listed_for_people_and_for_programs(pulse: PulseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in pulse.variables.items():
        monkeypatch.setenv(name, value)
    listed = json.loads(called("devices", "--json").stdout)
    assert {"id", "name", "host_api", "channels", "rate", "default", "kind"} <= set(listed[0])
    two = next(device for device in listed if device["id"] == "PulseAudio:vmic2")
    assert (two["name"], two["rate"], two["channels"], two["kind"]) == ("Virtual_Mic_Two", 16_000, 1, "microphone")
    for people in called("devices").stdout, called("devices").stdout:
        assert "Virtual_Mic_Two" in people
        assert "PulseAudio:vmic2" in people


# What is said wrongly


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--engine", "lokal", "transcribe", "x.wav"], "local"),
        (["transcribe"], "FILE"),
        (["sessions", "show", "nothing"], "nothing"),
        (["--frobnicate"], "frobnicate"),
    ],
)
def test_bad_usage_is_a_sentence_and_exit_2(args: list[str], words: str) -> None:
    done = called(*args)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_typo_in_the_configuration_is_reported_with_a_proposal(home: Path, speech: Speech) -> None:
    home.mkdir()
    (home / "config.toml").write_text('# mine\ndevise = "Yeti"\n')
    done = called("transcribe", str(speech.beckett))
    assert done.returncode == 2
    assert "devise" in done.stderr
    assert "line 2" in done.stderr
    assert "device" in done.stderr


def test_a_place_where_nothing_can_be_kept_is_a_sentence(
    tmp_path: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("MICTAPE_HOME", str(blocked / "home"))
    done = called("transcribe", str(speech.beckett), "--keep")
    assert done.returncode == 3
    assert "MICTAPE_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_version_and_help() -> None:
    assert mictape("--version").stdout.startswith("mictape ")
    shown = called("--help").stdout
    for word in ("listen", "transcribe", "devices", "sessions", "exit codes"):
        assert word in shown
