"""The device picker: what it lists, how one chooses, what it says when there is nothing."""

import asyncio
import os
import signal
import sys
from array import array
from math import inf
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.visual import VisualType
from textual.widgets import Input

from mictape.audio import devices
from mictape.audio.device_monitor import DeviceMonitor
from mictape.audio.devices import Device
from mictape.audio.monitor_messages import Levels
from mictape.failure import Failure, MictapeError
from mictape.screens.device_picker import Choice, DevicePicker
from mictape.widgets.device_list import DeviceList, bar, details, in_groups, key_of, marks, matching
from support.pulse import PulseServer
from support.screen_app import ScreenApp, screen_app
from support.waiting import until_async
from support.widget_app import WidgetApp

YETI = Device("pulse:yeti", "Blue Yeti", "PulseAudio", 2, 48_000, True, "microphone", "yeti")
WEBCAM = Device("pulse:cam", "HD Webcam [b]C920[/b]", "PulseAudio", 1, 44_100, False, "microphone", "cam", muted=True)
REALTEK = Device("alsa:hw0", "Realtek", "ALSA", 1, 16_000, False, "microphone", "hw:0")
SPEAKERS = Device("pulse:mon", "Speakers", "PulseAudio", 2, 48_000, False, "computer sound", "spk.monitor")
ALL = [SPEAKERS, WEBCAM, REALTEK, YETI]


class Listing:
    """Lists what it is given, and counts how often it is asked."""

    def __init__(self, *answers: list[Device] | MictapeError) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.held = asyncio.Event()
        self.held.set()

    async def load(self) -> list[Device]:
        self.asked += 1
        await self.held.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, MictapeError):
            raise answer
        return answer


NOT_ASKED = object()


class Opened:
    """An open picker and what it gave back."""

    def __init__(self, app: WidgetApp, picker: DevicePicker) -> None:
        self.app = app
        self.picker = picker
        self.result: object = NOT_ASKED

    @property
    def names(self) -> list[str]:
        """The names that are listed, from top to bottom."""
        devices = self.picker.query_one(DeviceList)
        ids = [option.id for option in devices.options]
        return [device.name for device in map(devices._devices.get, filter(None, ids)) if device is not None]

    @property
    def chosen_name(self) -> str | None:
        """The name under the cursor."""
        device = self.picker.query_one(DeviceList).device
        return device.name if device else None


async def opened(pilot: Pilot[None], picker: DevicePicker) -> Opened:
    app = pilot.app
    assert isinstance(app, WidgetApp)
    seen = Opened(app, picker)

    def left(result: Choice | None) -> None:
        seen.result = result

    await app.push_screen(picker, left)
    await pilot.pause()
    return seen


def test_groups_put_microphones_first_and_the_likely_ones_on_top() -> None:
    groups = in_groups(ALL, in_use=[("Realtek", "ALSA")], last_used=("HD Webcam [b]C920[/b]", "PulseAudio"))
    assert groups == [("microphone", [REALTEK, WEBCAM, YETI]), ("computer sound", [SPEAKERS])]


def test_marks_and_details_are_words() -> None:
    assert marks(YETI, [("Blue Yeti", "PulseAudio")], None) == ["in use", "default"]
    assert marks(WEBCAM, [], ("HD Webcam [b]C920[/b]", "PulseAudio")) == ["last used", "muted"]
    assert marks(YETI, [], ("Blue Yeti", "ALSA")) == ["default"], "the same name at another host API is another"
    assert details(WEBCAM) == "44.1 kHz · mono · PulseAudio"


def test_filter_takes_every_word_anywhere_in_any_case() -> None:
    assert matching(ALL, "pulse YET") == [YETI]
    assert matching(ALL, "computer") == [SPEAKERS]
    assert matching(ALL, "  ") == ALL
    assert matching(ALL, "yeti alsa") == []


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_shows_everything_as_it_is(size: tuple[int, int]) -> None:
    async with (app := WidgetApp()).run_test(size=size) as pilot:
        picker = DevicePicker(Listing(ALL).load, in_use=[("Blue Yeti", "PulseAudio")])
        await opened(pilot, picker)
        await until_async(lambda: app.sees("Blue Yeti"))
        for words in (
            "Record from",
            "Microphones",
            "Computer sound",
            "in use · default",
            "HD Webcam [b]",
            "esc cancel",
        ):
            assert app.sees(words), "\n".join(app.rows)


async def test_arrows_and_enter_choose_while_the_filter_has_the_focus() -> None:
    async with WidgetApp().run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load, in_use=[("Blue Yeti", "PulseAudio")]))
        await until_async(lambda: seen.chosen_name == "Blue Yeti")
        assert seen.names == ["Blue Yeti", "HD Webcam [b]C920[/b]", "Realtek", "Speakers"]
        await pilot.press("down", "down", "down")
        assert seen.chosen_name == "Speakers", "the heading is stepped over"
        await pilot.press("up", "enter")
        await until_async(lambda: seen.result is not NOT_ASKED)
        assert seen.result == Choice(REALTEK)


async def test_typing_filters_and_says_when_nothing_fits() -> None:
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await until_async(lambda: seen.names)
        await pilot.press(*"real")
        assert seen.names == ["Realtek"]
        await pilot.press(*"[x]")
        assert seen.names == []
        assert app.sees('None of 4 devices fits "real[x]".')
        await pilot.press("enter")
        assert seen.result is NOT_ASKED
        await pilot.press("backspace", "backspace", "backspace", "enter")
        await until_async(lambda: seen.result == Choice(REALTEK))


async def test_a_whole_name_is_meant_where_others_begin_with_it() -> None:
    long, short = (replace(REALTEK, id=name, name=name) for name in ("Realtek Two", "Realtek"))
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing([long, short]).load, in_use=[key_of(long)]))
        await until_async(lambda: len(seen.names) == 2)
        await pilot.press(*"realte")
        assert app.sees("Realtek Two")
        await pilot.press("k", "enter")
        await until_async(lambda: seen.result == Choice(short))


async def test_a_click_chooses() -> None:
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await until_async(lambda: app.sees("Realtek"))
        row = next(y for y, text in enumerate(app.rows) if "Realtek" in text)
        await pilot.click(offset=(app.rows[row].index("Realtek"), row))
        await until_async(lambda: seen.result == Choice(REALTEK))


async def test_escape_leaves_without_a_choice() -> None:
    async with WidgetApp().run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await pilot.press("escape")
        await until_async(lambda: seen.result is not NOT_ASKED)
        assert seen.result is None


async def test_says_that_it_is_looking_and_can_be_left_meanwhile() -> None:
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        listing = Listing(ALL)
        listing.held.clear()
        seen = await opened(pilot, DevicePicker(listing.load))
        await until_async(lambda: app.sees("Looking for microphones …"))
        await pilot.press("escape")
        await until_async(lambda: seen.result is None)


async def test_a_failure_shows_its_sentence_and_r_looks_again() -> None:
    failure = Failure("PortAudio is not installed", "Install libportaudio2 and look again")
    listing = Listing(MictapeError(failure), ALL)
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(listing.load))
        await until_async(lambda: app.sees(str(failure)))
        assert app.sees("r look again")
        await pilot.press("enter")
        await pilot.press("r")
        await until_async(lambda: seen.names)
        assert listing.asked == 2
        assert not app.sees("PortAudio")
        await pilot.press(*"yeti", "enter")
        await until_async(lambda: seen.result == Choice(YETI))


async def test_nothing_to_record_says_so() -> None:
    async with (app := WidgetApp()).run_test(size=(60, 20)) as pilot:
        await opened(pilot, DevicePicker(Listing([]).load))
        await until_async(lambda: app.sees("There is nothing here to record from."))


async def test_looking_again_keeps_cursor_and_filter() -> None:
    listing = Listing(ALL, [REALTEK, WEBCAM, YETI])
    async with WidgetApp().run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(listing.load))
        await until_async(lambda: seen.names)
        await pilot.press(*"e", "down")
        before = seen.chosen_name
        await pilot.press("ctrl+r")
        await until_async(lambda: "Speakers" not in seen.names)
        assert listing.asked == 2
        assert seen.chosen_name == before
        assert seen.picker.query_one(Input).value == "e"


async def test_a_device_that_is_gone_gives_the_cursor_to_the_first() -> None:
    listing = Listing(ALL, [SPEAKERS, REALTEK])
    async with WidgetApp().run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(listing.load))
        await until_async(lambda: seen.chosen_name == "Blue Yeti")
        await pilot.press("f5")
        await until_async(lambda: seen.names == ["Realtek", "Speakers"])
        assert seen.chosen_name == "Realtek"


# ---- While it is open ------------------------------------------------------------------------------------------------


def levels(**peaks: float) -> Levels:
    return Levels({f"pulse:{name}": peak for name, peak in peaks.items()})


def test_a_bar_has_eighths_and_shows_the_faintest_sound() -> None:
    assert bar(-inf) == " " * 8
    assert bar(-90.0) == "▏" + " " * 7
    assert bar(-30.0) == "████    "
    assert bar(-33.0, cells=4) == "█▊  "
    assert bar(0.0) == bar(3.0) == "█" * 8


async def test_meters_rise_at_once_fall_slowly_and_are_drawn_only_when_they_change() -> None:
    async with (app := WidgetApp()).run_test(size=(100, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await until_async(lambda: seen.names)
        drawn = 0
        rows = seen.picker.query_one(DeviceList)
        draw = rows.replace_option_prompt

        def counted(option_id: str, prompt: VisualType) -> DeviceList:
            nonlocal drawn
            drawn += 1
            return draw(option_id, prompt)

        rows.replace_option_prompt = counted
        assert not app.sees("▕")
        seen.picker.take(levels(yeti=1.0, cam=0.0))
        await pilot.pause()
        assert app.sees("▕████████▏")
        assert app.sees("▕        ▏")
        assert drawn == 2
        for _ in range(3):
            seen.picker.take(levels(yeti=1.0, cam=0.0))
        assert drawn == 2, "nothing has changed"
        for _ in range(42):  # 1.7 s of 40 ms, of which no message tells of the Yeti
            seen.picker.take(levels(cam=0.0))
        await pilot.pause()
        assert app.sees(f"▕{bar(-20.0)}▏")


async def test_what_comes_and_goes_leaves_cursor_and_filter_alone() -> None:
    new = Device("pulse:new", "A new one", "PulseAudio", 1, 48_000, True, "microphone", "new")
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await until_async(lambda: seen.names)
        await pilot.press(*"e", "down")
        assert seen.chosen_name == "HD Webcam [b]C920[/b]"
        seen.picker.take(devices.Listing((new, *ALL)))
        assert seen.names[0] == "A new one"
        assert seen.chosen_name == "HD Webcam [b]C920[/b]"
        seen.picker.take(devices.Listing((WEBCAM, SPEAKERS)))
        assert seen.chosen_name == "HD Webcam [b]C920[/b]"
        assert seen.picker.query_one(Input).value == "e"
        failure = Failure("The last one has gone", "Plug it in again")
        seen.picker.take(devices.Listing(failure=failure))
        await until_async(lambda: app.sees(str(failure)))
        seen.picker.take(devices.Listing((REALTEK,)))
        await until_async(lambda: seen.names == ["Realtek"])
        assert not app.sees("has gone")


async def test_plus_adds_the_device_unless_it_is_recorded_already() -> None:
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        picker = DevicePicker(Listing(ALL).load, in_use=[("Blue Yeti", "PulseAudio")], can_add=True)
        seen = await opened(pilot, picker)
        await until_async(lambda: seen.chosen_name == "Blue Yeti")
        assert app.sees("+ add")
        await pilot.press("+")
        await until_async(lambda: app.sees("Blue Yeti is recorded already."))
        await pilot.press("down", "+")
        await until_async(lambda: seen.result == Choice(WEBCAM, "add"))


async def test_plus_again_removes_what_was_added_even_when_it_has_gone() -> None:
    async with (app := WidgetApp()).run_test(size=(100, 24)) as pilot:
        in_use = [("Blue Yeti", "PulseAudio")]
        picker = DevicePicker(Listing([YETI, SPEAKERS]).load, in_use=in_use, added=[WEBCAM], can_add=True)
        seen = await opened(pilot, picker)
        await until_async(lambda: seen.names == ["Blue Yeti", "HD Webcam [b]C920[/b]", "Speakers"])
        assert app.sees("in use · gone · muted")
        assert app.sees("+ add")
        await pilot.press("down")
        await until_async(lambda: app.sees("+ remove"))
        await pilot.press("enter")
        await until_async(lambda: app.sees("has a track of its own. + removes it"))
        assert seen.result is NOT_ASKED
        await pilot.press("+")
        await until_async(lambda: seen.result == Choice(WEBCAM, "remove"))


async def test_where_nothing_can_be_added_a_plus_is_text() -> None:
    async with (app := WidgetApp()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await until_async(lambda: seen.names)
        assert not app.sees("+ add")
        await pilot.press("+")
        assert seen.picker.query_one(Input).value == "+"
        await until_async(lambda: app.sees("Record a first device with Enter"))


async def test_a_muted_microphone_is_unmuted_from_the_picker(
    pulse: PulseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in pulse.variables.items():
        monkeypatch.setenv(name, value)
    pulse.set_muted("vmic2")
    async with (app := WidgetApp()).run_test(size=(100, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(devices.list_devices, DeviceMonitor()))
        await until_async(lambda: seen.chosen_name == "Virtual_Mic")
        await pilot.press("ctrl+u")
        assert not app.sees("unmute"), "it is not muted: the key is the filter's own"
        await pilot.press("down")
        await until_async(lambda: app.sees("^u unmute") and app.sees("muted"))
        await pilot.press("ctrl+u")
        await until_async(lambda: not app.sees("muted"))
        assert seen.chosen_name == "Virtual_Mic_Two"
        pulse.add("headset", "Headset")
        await until_async(lambda: "Headset" in seen.names)
        await pilot.press("escape")
        await until_async(lambda: seen.result is None)
    assert "Mute: no" in pulse.control("list", "sources").partition("Name: vmic2\n")[2]


def probe_of(app: ScreenApp) -> int:
    """The process that looks at devices for this app, by its command line."""
    children = Path(f"/proc/{app.process.pid}/task/{app.process.pid}/children").read_text().split()
    for child in children:
        if b"mictape.audio.probe" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return 0


@pytest.mark.proof
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks for the probe in /proc")
def test_choosing_a_device_that_has_just_gone_leaves_the_old_one_running(pulse: PulseServer, home: Path) -> None:
    pulse.play_raw(array("h", [300, -300] * 16_000 * 60).tobytes())
    pulse.add("headset", "Headset")
    with screen_app("--device", "PulseAudio:vmic2", env=pulse.env) as app:
        app.sees("LISTENING", timeout_s=60)
        app.press("d")
        app.sees("Record from", "in use", "Headset", "▕")
        os.kill(probe_of(app), signal.SIGSTOP)  # so that the picker does not see it go
        pulse.remove("headset")
        app.press("headset", "enter")
        app.sees("Headset is gone. Plug it in again")
        before = app.sees("LISTENING", "Virtual_Mic_Two")
        app.until(lambda text: text.splitlines()[0] != before.splitlines()[0])
        app.press("q")
        assert app.ends() == 0
    assert not (home / "state.toml").exists() or "Headset" not in (home / "state.toml").read_text()
