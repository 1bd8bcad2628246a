"""The device picker: what it lists, how one chooses, what it says when there is nothing."""

import asyncio

import pytest
from stage import Stage
from textual.pilot import Pilot
from textual.widgets import Input
from waiting import until_async

from tui.audio.devices import Device
from tui.failure import Failure, MictapeError
from tui.screens.device_picker import DevicePicker
from tui.widgets.device_list import DeviceList, details, in_groups, marks, matching

YETI = Device("pulse:yeti", "Blue Yeti", "PulseAudio", 2, 48_000, True, "microphone", "yeti")
WEBCAM = Device("pulse:cam", "HD Webcam [b]C920[/b]", "PulseAudio", 1, 44_100, False, "microphone", "cam", muted=True)
REALTEK = Device("alsa:hw0", "Realtek", "ALSA", 1, 16_000, False, "microphone", "hw:0")
SPEAKERS = Device("pulse:mon", "Speakers", "PulseAudio", 2, 48_000, False, "computer sound", "spk.monitor")
ALL = [SPEAKERS, WEBCAM, REALTEK, YETI]


class Listing:
    """Lists what it is told, and counts how often it is asked."""

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

    def __init__(self, stage: Stage, picker: DevicePicker) -> None:
        self.stage = stage
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
    stage = pilot.app
    assert isinstance(stage, Stage)
    seen = Opened(stage, picker)

    def left(result: Device | None) -> None:
        seen.result = result

    await stage.push_screen(picker, left)
    await pilot.pause()
    return seen


def test_groups_put_microphones_first_and_the_likely_ones_on_top() -> None:
    groups = in_groups(ALL, in_use=("Realtek", "ALSA"), last_used=("HD Webcam [b]C920[/b]", "PulseAudio"))
    assert groups == [("microphone", [REALTEK, WEBCAM, YETI]), ("computer sound", [SPEAKERS])]


def test_marks_and_details_are_words() -> None:
    assert marks(YETI, ("Blue Yeti", "PulseAudio"), None) == ["in use", "default"]
    assert marks(WEBCAM, None, ("HD Webcam [b]C920[/b]", "PulseAudio")) == ["last used", "muted"]
    assert marks(YETI, None, ("Blue Yeti", "ALSA")) == ["default"], "the same name at another host API is another"
    assert details(WEBCAM) == "44.1 kHz · mono · PulseAudio"


def test_filter_takes_every_word_anywhere_in_any_case() -> None:
    assert matching(ALL, "pulse YET") == [YETI]
    assert matching(ALL, "computer") == [SPEAKERS]
    assert matching(ALL, "  ") == ALL
    assert matching(ALL, "yeti alsa") == []


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_shows_everything_as_it_is(size: tuple[int, int]) -> None:
    async with (stage := Stage()).run_test(size=size) as pilot:
        picker = DevicePicker(Listing(ALL).load, in_use=("Blue Yeti", "PulseAudio"))
        await opened(pilot, picker)
        await until_async(lambda: stage.sees("Blue Yeti"))
        for words in ("Record from", "Microphones", "Computer sound", "in use · default", "HD Webcam [b]", "esc leave"):
            assert stage.sees(words), "\n".join(stage.rows)


async def test_arrows_and_enter_choose_while_the_filter_has_the_focus() -> None:
    async with Stage().run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load, in_use=("Blue Yeti", "PulseAudio")))
        await until_async(lambda: seen.chosen_name == "Blue Yeti")
        assert seen.names == ["Blue Yeti", "HD Webcam [b]C920[/b]", "Realtek", "Speakers"]
        await pilot.press("down", "down", "down")
        assert seen.chosen_name == "Speakers", "the heading is stepped over"
        await pilot.press("up", "enter")
        await until_async(lambda: seen.result is not NOT_ASKED)
        assert seen.result is REALTEK


async def test_typing_filters_and_says_when_nothing_fits() -> None:
    async with (stage := Stage()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await until_async(lambda: seen.names)
        await pilot.press(*"real")
        assert seen.names == ["Realtek"]
        await pilot.press(*"[x]")
        assert seen.names == []
        assert stage.sees("None of 4 devices fits “real[x]”.")
        await pilot.press("enter")
        assert seen.result is NOT_ASKED
        await pilot.press("backspace", "backspace", "backspace", "enter")
        await until_async(lambda: seen.result is REALTEK)


async def test_a_click_chooses() -> None:
    async with (stage := Stage()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await until_async(lambda: stage.sees("Realtek"))
        row = next(y for y, text in enumerate(stage.rows) if "Realtek" in text)
        await pilot.click(offset=(stage.rows[row].index("Realtek"), row))
        await until_async(lambda: seen.result is REALTEK)


async def test_escape_leaves_without_a_choice() -> None:
    async with Stage().run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(Listing(ALL).load))
        await pilot.press("escape")
        await until_async(lambda: seen.result is not NOT_ASKED)
        assert seen.result is None


async def test_says_that_it_is_looking_and_can_be_left_meanwhile() -> None:
    async with (stage := Stage()).run_test(size=(80, 24)) as pilot:
        listing = Listing(ALL)
        listing.held.clear()
        seen = await opened(pilot, DevicePicker(listing.load))
        await until_async(lambda: stage.sees("Looking for microphones …"))
        await pilot.press("escape")
        await until_async(lambda: seen.result is None)


async def test_a_failure_shows_its_sentence_and_r_looks_again() -> None:
    failure = Failure("PortAudio is not installed", "Install libportaudio2 and look again")
    listing = Listing(MictapeError(failure), ALL)
    async with (stage := Stage()).run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(listing.load))
        await until_async(lambda: stage.sees(str(failure)))
        assert stage.sees("r look again")
        await pilot.press("enter")
        await pilot.press("r")
        await until_async(lambda: seen.names)
        assert listing.asked == 2
        assert not stage.sees("PortAudio")
        await pilot.press(*"yeti", "enter")
        await until_async(lambda: seen.result is YETI)


async def test_nothing_to_record_says_so() -> None:
    async with (stage := Stage()).run_test(size=(60, 20)) as pilot:
        await opened(pilot, DevicePicker(Listing([]).load))
        await until_async(lambda: stage.sees("There is nothing here to record from."))


async def test_looking_again_keeps_cursor_and_filter() -> None:
    listing = Listing(ALL, [REALTEK, WEBCAM, YETI])
    async with Stage().run_test(size=(80, 24)) as pilot:
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
    async with Stage().run_test(size=(80, 24)) as pilot:
        seen = await opened(pilot, DevicePicker(listing.load))
        await until_async(lambda: seen.chosen_name == "Blue Yeti")
        await pilot.press("f5")
        await until_async(lambda: seen.names == ["Realtek", "Speakers"])
        assert seen.chosen_name == "Realtek"
