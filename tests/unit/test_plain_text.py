"""Text from elsewhere is cleaned where it comes in."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mictape.audio.devices import Device
from mictape.audio.source_spec import FileSource
from mictape.engines.base import Notice
from mictape.failure import Failure
from mictape.plain_text import one_line, safe_json, visible

HOSTILE = (
    "Head \x1b[31mset \x1b]0;PWNED\a \x9b2J [bold]x[/bold] \u202eabc\u202c \u2066d\u2069 line\nbreak\r\u2028\x85\x7f"
)


def obeyed(text: str) -> set[str]:
    """What a terminal would obey in it."""
    bidi = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)}
    return {each for each in text if ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0 or 0xD800 <= ord(each) < 0xE000} | (
        bidi & set(text)
    )


@pytest.mark.parametrize("clean", [visible, one_line])
def test_nothing_is_left_that_a_terminal_obeys(clean: Callable[[str], str]) -> None:
    assert len(obeyed(HOSTILE)) > 8
    assert obeyed(clean(HOSTILE)) == set()
    assert "[bold]x[/bold]" in clean(HOSTILE), "markup is none of a terminal's business"


def test_a_line_break_becomes_a_space_in_one_line() -> None:
    assert one_line("a\nb\r\nc\td") == "a b  c d"
    assert one_line("grüße 日本 👍🏽") == "grüße 日本 👍🏽"


def test_failures_devices_and_notices_are_clean_from_the_start() -> None:
    failure = Failure(HOSTILE, HOSTILE)
    device = Device(HOSTILE, HOSTILE, HOSTILE, 1, 48_000, False, "microphone", HOSTILE)
    file = FileSource(Path(HOSTILE))
    sent = msgspec.json.decode(msgspec.json.encode({**msgspec.to_builtins(device), "target": "t"}), type=Device)
    for text in (str(failure), device.name, device.id, device.host_api, sent.name, Notice(HOSTILE).text, file.name):
        assert obeyed(text) == set()
    assert device.target == HOSTILE, "what opens the device stays as it is"


def test_json_has_an_escape_for_whatever_a_terminal_obeys() -> None:
    value = "a\x1b]0;title\x07 \x7f\x9b31m \u202eabc\u2066 \u2028 é 日本"
    written = safe_json(json.dumps(value, ensure_ascii=False))
    assert written.isprintable()
    assert "é 日本" in written
    assert json.loads(written) == value
