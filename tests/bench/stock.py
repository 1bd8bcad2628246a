"""The library's own streaming, for comparison: `python -m bench.stock MODEL < PCM`, what it says as JSON.

In a process of its own: its native library carries another ONNX Runtime. Clocked like `bench.recognition`.
"""

import json
import os
import sys
import time
from array import array
from typing import Any, Final

RATE: Final = 16_000
BLOCK: Final = RATE // 10
FORCE: Final = 1
SHORTEST_S, FACTOR = 0.5, 1.5


def main(model: str) -> None:
    """Feed stdin by the virtual clock and print `[seconds, turn, text, start, end, final]` for everything said."""
    os.environ["MOONSHINE_ORT_SINGLE_THREAD"] = "1"
    out = os.dup(1)
    os.dup2(2, 1)
    from moonshine_voice.moonshine_api import ModelArch
    from moonshine_voice.transcriber import Transcriber

    options = {"return_audio_data": "false", "transcription_interval": "0.1"}
    stream: Any = Transcriber(model, ModelArch.TINY, update_interval=1e9, options=options).create_stream(
        update_interval=1e9
    )
    stream.start()
    samples = [sample / 32768 for sample in array("h", sys.stdin.buffer.read())]
    said: list[tuple[float, int, str, int, int, bool]] = []
    shown: dict[int, tuple[str, bool]] = {}
    clock_s = unseen_s = cost_s = busy_s = 0.0
    blocks = [samples[at : at + BLOCK] for at in range(0, len(samples), BLOCK)] + [[0.0] * RATE]
    for number, block in enumerate(blocks):
        last = number == len(blocks) - 1
        clock_s = max(clock_s, 0.0 if last else (number + 1) * BLOCK / RATE)
        begun_s = time.process_time()
        stream.add_audio(block, RATE)
        unseen_s += len(block) / RATE
        lines = []
        if last or unseen_s >= max(SHORTEST_S, FACTOR * cost_s):
            lines = stream.update_transcription(FORCE).lines
            cost_s, unseen_s = time.process_time() - begun_s, 0.0
        clock_s += time.process_time() - begun_s
        busy_s += time.process_time() - begun_s
        for turn, line in enumerate(lines):
            final = line.is_complete or last
            if line.text.strip() and shown.get(turn) != (line.text, final) and not shown.get(turn, ("", False))[1]:
                start = round(line.start_time * RATE)
                end = start + round(line.duration * RATE)
                said.append((clock_s, turn, line.text.strip(), start, end, final))
                shown[turn] = line.text, final
    os.write(out, json.dumps({"said": said, "cpu_s": busy_s}).encode())


if __name__ == "__main__":
    main(sys.argv[1])
