"""A model that writes blanks for minutes, over real speech, through the whole command (vllm-project/vllm#47614)."""

from array import array

import pytest

from conftest import Speech
from mictape.failure import ExitCode
from servers.vllm import MODEL, vllm_server
from support.background import in_background
from support.command_line import called

LOUD = 1_000


def loud(sound: "array[int]") -> str:
    return "there was speech" if max(sound, default=0) > LOUD else ""


@pytest.mark.parametrize(("stuck", "lines"), [(1, True), (99, False)])
@pytest.mark.usefixtures("nobodys_keys")
def test_speech_that_is_answered_with_blanks_is_tried_again_and_then_said_to_have_no_text(
    stuck: int, lines: bool, speech: Speech
) -> None:
    with in_background(vllm_server(loud, stuck=stuck)) as server:
        command = ("transcribe", str(speech.beckett), "--engine", "vllm", "--set", f"model={MODEL}")
        done = called(*command, "--set", f"url={server.url}")
    assert server.violations == []
    assert ("there was speech" in done.stdout) is lines
    if lines:
        assert (done.returncode, len(server.talks)) == (ExitCode.DONE, 2), done.stderr
    else:
        assert done.returncode == ExitCode.ENGINE
        assert "has no text: The engine wrote nothing for" in done.stderr
        assert "Transcribe it again, or with another engine" in done.stderr
