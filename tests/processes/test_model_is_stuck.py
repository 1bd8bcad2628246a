"""A model that writes blanks for minutes, over real speech, through the whole command (vllm-project/vllm#47614)."""

from array import array

import pytest

from conftest import Speech
from mictape.failure import ExitCode
from servers.vllm import MODEL, vllm_server
from support.example_service import environment, mictape

LOUD = 1_000


def loud(sound: "array[int]") -> str:
    return "there was speech" if max(sound, default=0) > LOUD else ""


@pytest.mark.parametrize(("stuck", "lines"), [(1, True), (99, False)])
async def test_speech_that_is_answered_with_blanks_is_tried_again_and_then_said_to_have_no_text(
    stuck: int, lines: bool, speech: Speech
) -> None:
    async with vllm_server(loud, stuck=stuck) as server:
        command = ("transcribe", str(speech.beckett), "--engine", "vllm", "--set", f"model={MODEL}")
        done = await mictape(*command, "--set", f"url={server.url}", env=environment())
    assert server.violations == []
    assert ("there was speech" in done.out) is lines
    if lines:
        assert (done.code, len(server.talks)) == (ExitCode.DONE, 2), done.err
    else:
        assert done.code == ExitCode.ENGINE
        assert "has no text: The engine wrote nothing for" in done.err
        assert "Transcribe it again, or with another engine" in done.err
