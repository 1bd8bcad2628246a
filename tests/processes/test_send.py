"""What `mictape transcribe` sends to an engine that goes no faster than real time, and what it says of the rest."""

import wave
from pathlib import Path

import pytest

from servers.assemblyai import KEY, V3Server, silence
from servers.base import serve
from support.background import in_background
from support.command_line import called

TONE_S, PAUSE_S = 1, 8


def recording(path: Path) -> Path:
    """A tone, a long silence, a tone: to the detector none of it is speech."""
    tone = (b"\x00\x20" * 20 + b"\x00\xe0" * 20) * (TONE_S * 400)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(tone + bytes(2 * 16_000 * PAUSE_S) + tone)
    return path


@pytest.mark.parametrize("send", ["sound", "all"])
@pytest.mark.usefixtures("nobodys_keys")
def test_what_is_not_sent_is_silence_and_is_said(send: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSEMBLYAI_API_KEY", KEY)
    assemblyai = V3Server(silence)
    with in_background(serve(assemblyai, admit=assemblyai.admit)) as server:
        done = called(
            *("transcribe", str(recording(tmp_path / "tones.wav")), "--engine", "assemblyai", "--send", send),
            *("--set", f"url={server.url}"),
        )
    assert done.returncode == 0, done.stderr
    assert server.violations == []
    (peer,) = server.peers
    sent_s = sum(len(frame.payload) for frame in peer.received if isinstance(frame.payload, bytes)) / 32_000
    assert sent_s >= 2 * TONE_S, "tones are no speech, and are sent all the same"
    if send == "all":
        assert sent_s >= 2 * TONE_S + PAUSE_S
        assert "silence" not in done.stderr
    else:
        assert sent_s < 2 * TONE_S + PAUSE_S - 1
        assert "of 00:00:10 was silence and was not sent." in done.stderr
