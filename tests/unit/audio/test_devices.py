"""What can be recorded: real servers, real PortAudio, and what is chosen from the list."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest

from mictape import subprocesses as children
from mictape.audio import devices, listing
from mictape.audio.devices import Device, find, list_devices, list_devices_now, pick
from mictape.audio.listing import numbered
from mictape.failure import ExitCode, MictapeError
from support.pulse import PulseServer, missing
from support.waiting import until_async

NO_SERVER = {"PULSE_SERVER": "unix:/nowhere"}


def surround(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


# ---- PulseAudio ------------------------------------------------------------------------------------------------------


async def test_a_sound_servers_sources_have_their_human_names(
    pulse: PulseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    surround(monkeypatch, pulse.variables)
    listed = await list_devices()
    assert [device.name for device in listed] == [
        "Virtual_Mic",
        "Virtual_Mic_Two",
        "Speakers (computer sound)",
        "Virtual_Mic_Feed (computer sound)",
        "Virtual_Mic_Two_Feed (computer sound)",
    ]
    assert listed[0] == Device(
        id="PulseAudio:vmic",
        name="Virtual_Mic",
        host_api="PulseAudio",
        channels=1,
        rate=48_000,
        default=True,
        kind="microphone",
        target="vmic",
    )
    # Each source's own rate, not the one of whichever libpulse reported last.
    assert [device.rate for device in listed] == [48_000, 16_000, 48_000, 48_000, 16_000]
    assert [device.channels for device in listed] == [1, 1, 2, 1, 1]
    assert [device.kind for device in listed[2:]] == ["computer sound"] * 3


def test_each_listing_is_fresh(pulse: PulseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, pulse.variables)
    pulse.add("headset", "Virtual_Mic")  # as two of one make: the same human name
    pulse.set_default("headset")
    pulse.set_muted("vmic2")
    listed = list_devices_now()
    assert [(device.name, device.target, device.default) for device in listed[:2]] == [
        ("Virtual_Mic 2", "headset", True),
        ("Virtual_Mic", "vmic", False),
    ]
    assert [device.target for device in listed if device.muted] == ["vmic2"]
    pulse.remove("headset")
    assert find(list_devices_now(), "Virtual_Mic 2", "PulseAudio") is None


def test_a_folder_of_the_same_name_where_the_person_is_is_not_run(
    pulse: PulseServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    surround(monkeypatch, pulse.variables)
    (tmp_path / "mictape").mkdir()
    (tmp_path / "mictape" / "__init__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    assert list_devices_now()[0].name == "Virtual_Mic"


def test_a_server_that_hangs_is_given_up_and_its_child_ended(
    pulse: PulseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    surround(monkeypatch, pulse.variables)
    pulse.process.send_signal(signal.SIGSTOP)  # it accepts, and never answers
    try:
        for reported in (asyncio.run(failure_of(0.5)), failure_of_now(0.5)):
            assert reported == "The sound system gave no list of its devices within 0.5 seconds"
    finally:
        pulse.process.send_signal(signal.SIGCONT)


async def failure_of(timeout_s: float) -> str:
    with pytest.raises(MictapeError) as raised:
        await list_devices(timeout_s)
    return raised.value.failure.what


def failure_of_now(timeout_s: float) -> str:
    with pytest.raises(MictapeError) as raised:
        list_devices_now(timeout_s)
    return raised.value.failure.what


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("kills", [2, 3])
def test_a_child_that_is_killed_is_replaced_but_not_for_ever(
    kills: int, pulse: PulseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    surround(monkeypatch, pulse.variables)
    real = children.command
    started: list[str] = []

    def command(module: str, *arguments: str) -> list[str]:
        started.append(module)
        killed = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"]
        return killed if len(started) <= kills else real(module, *arguments)

    monkeypatch.setattr(children, "command", command)
    if kills < 3:
        assert list_devices_now()[0].name == "Virtual_Mic"
    else:
        with pytest.raises(MictapeError, match="could not be made"):
            list_devices_now()
    assert len(started) == 3


async def test_cancelled_it_leaves_no_process(pulse: PulseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, pulse.variables)
    pulse.process.send_signal(signal.SIGSTOP)
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        started.append(await start(*arguments, **options))  # pyright: ignore[reportArgumentType]
        return started[0]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    try:
        task = asyncio.create_task(list_devices())
        await until_async(lambda: started, what="the child")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 20)
        assert started[0].returncode is not None
    finally:
        pulse.process.send_signal(signal.SIGCONT)


# ---- PortAudio -------------------------------------------------------------------------------------------------------


def alsa(folder: Path, *definitions: str) -> dict[str, str]:
    """Variables of a machine without a sound server, whose ALSA devices are these definitions."""
    if missing():
        pytest.skip("PortAudio and ALSA are installed together with PulseAudio's programs")
    settings = folder / "alsa.conf"
    settings.write_text("\n".join(["</usr/share/alsa/alsa.conf>", *definitions]))
    return NO_SERVER | {"ALSA_CONFIG_PATH": str(settings), "HOME": str(folder)}


def test_without_a_server_alsas_devices_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    defined = [f"pcm.{name} {{ type null hint {{ show on }} }}" for name in ("desk", "headset")]
    surround(monkeypatch, alsa(tmp_path, *defined))
    listed = {device.name: device for device in list_devices_now()}
    assert {"desk", "headset"} <= set(listed)
    assert not {"null", "pulse", "jack", "lavrate"} & set(listed)
    assert (listed["desk"].id, listed["desk"].host_api, listed["desk"].kind) == ("ALSA:desk", "ALSA", "microphone")
    assert sum(device.default for device in listed.values()) == 1


def test_settings_that_portaudio_chokes_on_are_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surround(monkeypatch, alsa(tmp_path, "pcm.lavrate.hint { show on }"))
    with pytest.raises(MictapeError, match="PortAudio cannot start: Error initializing PortAudio") as raised:
        list_devices_now()
    assert raised.value.failure.code is ExitCode.SOUND


# What PortAudio shows on machines that this one is not: per host API its inputs, as (name, channels).
ELSEWHERE: dict[str, tuple[str, dict[str, list[tuple[str, int]]], list[str]]] = {
    "numbers of cards, and what is no device, are left out": (
        "linux",
        {
            "ALSA": [("HDA Intel PCH: ALC257 Analog (hw:0,0)", 2), ("HDMI 0 (hw:0,3)", 0), ("lavrate", 128)],
            "OSS": [("/dev/dsp", 2)],
            "JACK Audio Connection Kit": [("system", 2)],
        },
        ["ALSA:HDA Intel PCH: ALC257 Analog"],
    ),
    "twins get ordinals": (
        "darwin",
        {"Core Audio": [("USB Mic", 1), ("USB Mic", 1), ("BlackHole 2ch", 2)]},
        ["Core Audio:USB Mic", "Core Audio:USB Mic 2", "Core Audio:BlackHole 2ch"],
    ),
    "Windows shows each device four times": (
        "win32",
        {
            "MME": [("Microphone (Realtek High Defini", 2)],
            "Windows DirectSound": [("Microphone (Realtek High Definition Audio)", 2)],
            "Windows WASAPI": [("Microphone (Realtek High Definition Audio)", 2)],
            "Windows WDM-KS": [("Microphone (Realtek HD Audio Mic input)", 2)],
        },
        ["Windows WASAPI:Microphone (Realtek High Definition Audio)"],
    ),
    "without WASAPI there is MME": (
        "win32",
        {"Windows WASAPI": [("Speakers", 0)], "MME": [("Microphone", 1)]},
        ["MME:Microphone"],
    ),
}


@pytest.mark.parametrize(("platform", "host_apis", "expected"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_portaudios_list_is_thinned_to_what_a_person_means(
    platform: str,
    host_apis: dict[str, list[tuple[str, int]]],
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = [
        {"name": name, "max_input_channels": channels, "default_samplerate": 44_100.0}
        for devices in host_apis.values()
        for name, channels in devices
    ]
    apis: list[dict[str, object]] = []
    for name, inputs in host_apis.items():
        first = sum(len(host_apis[before]) for before in list(host_apis)[: len(apis)])
        indices = list(range(first, first + len(inputs)))
        apis.append({"name": name, "devices": indices, "default_input_device": first})
    shown = SimpleNamespace(query_hostapis=lambda: apis, query_devices=lambda: entries)
    monkeypatch.setitem(sys.modules, "sounddevice", shown)
    monkeypatch.setattr(sys, "platform", platform)
    listed = listing.portaudio_inputs()
    assert [f"{device.host_api}:{device.name}" for _, device in listed] == expected
    assert all(device.target.startswith(str(entries[index]["name"])) for index, device in listed)
    assert [device.default for _, device in listed] == [True] + [False] * (len(listed) - 1)
    for _, device in listed:
        assert device.kind == ("computer sound" if device.name == "BlackHole 2ch" else "microphone")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere PortAudio comes in the wheel")
def test_without_portaudio_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A sounddevice that finds no library fails at its import, and with this OSError.
    (tmp_path / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n')
    surround(monkeypatch, NO_SERVER | {"PYTHONPATH": str(tmp_path)})
    with pytest.raises(MictapeError) as raised:
        list_devices_now()
    assert raised.value.failure.code is ExitCode.SOUND
    assert "PortAudio" in raised.value.failure.what
    assert raised.value.failure.remedy == devices.no_portaudio().remedy


def test_the_install_command_is_this_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.no_portaudio().remedy == "Install PortAudio and the ALSA plug-ins with your package manager"
    (tmp_path / "zypper").touch(0o700)
    assert devices.no_portaudio().remedy == "Run: sudo zypper install libportaudio2 pulseaudio-utils"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert devices.no_pulse_plugin().remedy == "Run: zypper install libportaudio2 pulseaudio-utils"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sentence names Linux's sound servers")
def test_nothing_to_record_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if Path("/dev/snd").exists():
        pytest.skip("this machine has a sound card")
    surround(monkeypatch, NO_SERVER | {"HOME": str(tmp_path)})
    with pytest.raises(MictapeError) as raised:
        list_devices_now()
    assert raised.value.failure.code is ExitCode.SOUND
    assert "nothing to record" in raised.value.failure.what
    assert raised.value.failure.remedy


def test_a_child_that_dies_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit(7)\n")
    monkeypatch.setattr(devices.subprocesses, "environment", lambda *_: os.environ | {"PYTHONPATH": str(tmp_path)})
    assert "list of sound devices" in failure_of_now(20)


# ---- Choosing --------------------------------------------------------------------------------------------------------


def device(name: str, target: str = "", host_api: str = "PulseAudio") -> Device:
    target = target or name.lower().replace(" ", "_")
    return Device(
        id=f"{host_api}:{target}",
        name=name,
        host_api=host_api,
        channels=1,
        rate=48_000,
        default=False,
        kind="microphone",
        target=target,
    )


DEVICES = [
    device("Blue Yeti", "alsa_input.usb-Blue_Yeti"),
    device("Blue Yeti Nano", "alsa_input.usb-Nano"),
    device("Built-in", "alsa_input.pci-0000"),
    device("Speakers (computer sound)", "alsa_output.pci-0000.monitor"),
]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Blue Yeti", "Blue Yeti"),  # exact, though it is a part of another
        ("blue yeti", "Blue Yeti"),
        ("PulseAudio:alsa_input.usb-Nano", "Blue Yeti Nano"),
        ("nano", "Blue Yeti Nano"),
        ("BUILT", "Built-in"),
        ("alsa_output", "Speakers (computer sound)"),  # in no name, in one id
    ],
)
def test_a_device_is_picked_by_id_name_or_a_part_that_only_one_has(text: str, name: str) -> None:
    assert pick(DEVICES, text).name == name


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        (
            "yeti",
            '"yeti" fits more than one device',
            'Name one of "Blue Yeti", "Blue Yeti Nano"',
        ),
        (
            "Røde",
            'There is no device "Røde"',
            'Name one of "Blue Yeti", "Blue Yeti Nano", "Built-in", "Speakers (computer sound)"',
        ),
        ("alsa", '"alsa" fits more than one device', 'Name one of "Blue Yeti", "Blue Yeti Nano", "Built-in", …'),
    ],
)
def test_what_fits_none_or_several_is_refused_with_the_list(text: str, what: str, remedy: str) -> None:
    with pytest.raises(MictapeError) as raised:
        pick(DEVICES, text)
    assert raised.value.failure.code is ExitCode.USAGE
    assert raised.value.failure.what == what
    assert raised.value.failure.remedy.startswith(remedy.removesuffix("…"))


def test_one_name_in_two_host_apis_is_distinguished_by_id() -> None:
    two = [device("Mic", "a", "Windows WASAPI"), device("Mic", "b", "MME")]
    with pytest.raises(MictapeError) as raised:
        pick(two, "mic")
    assert raised.value.failure.remedy == 'Name one of "Windows WASAPI:a", "MME:b"'
    assert pick(two, "MME:b") is two[1]


def test_the_remembered_device_is_found_by_name_and_host_api_only() -> None:
    assert find(DEVICES, "Blue Yeti", "PulseAudio") is DEVICES[0]
    assert find(DEVICES, "Blue Yeti", "ALSA") is None
    assert find(DEVICES, "Blue", "PulseAudio") is None


def test_devices_of_one_make_get_ordinals_that_nothing_else_has() -> None:
    twins = [device("Mic", "mic"), device("Mic 2", "x"), device("Mic", "mic"), device("Mic", "y", "ALSA")]
    named = list(numbered(twins))
    assert [each.name for each in named] == ["Mic", "Mic 2", "Mic 3", "Mic"]
    assert [each.id for each in named] == ["PulseAudio:mic", "PulseAudio:x", "PulseAudio:mic 2", "ALSA:y"]
    assert list(numbered(named)) == named
