"""A server with OpenAI's endpoint for sound files, strict about its client. It hears real sound (`servers.ear`)."""

import io
import json
import wave
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

from servers.ear import Ear, Script, spread, text_of

KEY: Final = "http-key-of-the-tests"

FIELDS: Final = frozenset(
    ("file", "model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]")
)
SHORTEST_S: Final = 0.1


@dataclass(frozen=True)
class Answer:
    """What a request is answered with instead of a text."""

    status: int
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass
class TranscriptionServer:
    """Says the texts of a script, one a request in which there is sound."""

    script: Script = ()
    key: str | None = KEY
    """The only one that it accepts; None: it needs none."""
    answers: list[Answer] = field(default_factory=list[Answer])
    """What the next transcriptions are answered with."""
    lists_models: bool = True
    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """The fields of each transcription, but for the file."""
    seconds: list[float] = field(default_factory=list[float])
    """How long each file was."""
    violations: list[str] = field(default_factory=list[str])
    said: int = 0

    def transcribe(self, fields: Mapping[str, Sequence[bytes]]) -> tuple[int, dict[str, Any]]:
        """Status and body for the fields of a form."""
        unknown = set(fields) - FIELDS
        if unknown or "file" not in fields or "model" not in fields:
            self.violations.append(f"fields {sorted(fields)}")
            return 400, {"error": {"message": f"Unrecognized request argument supplied: {sorted(unknown)}"}}
        with wave.open(io.BytesIO(fields["file"][0])) as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            length, pcm = file.getnframes(), file.readframes(file.getnframes())
        self.seconds.append(length / 16_000)
        if shape != (1, 2, 16_000) or len(pcm) != 2 * length:
            self.violations.append(f"a file of {shape}")
        if length / 16_000 < SHORTEST_S:
            self.violations.append("too short")
            return 400, {"error": {"message": "Audio file is too short. Minimum audio length is 0.1 seconds."}}
        self.requests.append({name: values[0].decode() for name, values in fields.items() if name != "file"})
        ear = Ear(None)
        ear.take(pcm)
        text = ""
        stretch = ear.cut()
        if stretch:
            text, self.said = text_of(self.script, self.said, ear.sound, stretch[0]), self.said + 1
        body: dict[str, Any] = {"text": f" {text}"}
        if self.requests[-1].get("response_format") == "verbose_json":
            words = spread(text, stretch[0]) if stretch else []
            timed = [{"word": word, "start": start, "end": end} for word, start, end in words]
            body |= {"language": "english", "duration": length / 16_000, "segments": [], "words": timed}
        return 200, body


@contextmanager
def transcription_server(script: Script = (), **more: Any) -> Generator[TranscriptionServer]:
    """Serve until the block ends; its `url` is for the setting of that name."""
    made = TranscriptionServer(script, **more)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            if self._allowed():
                models = b'{"object":"list","data":[]}'
                self._answer(Answer(200, models) if made.lists_models else Answer(404, b'{"detail":"Not Found"}'))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self._allowed():
                return
            if made.answers:
                self._answer(made.answers.pop(0))
                return
            status, said = made.transcribe(_form(self.headers["Content-Type"], body))
            self._answer(Answer(status, json.dumps(said).encode()))

        def _allowed(self) -> bool:
            if self.headers.get("User-Agent", "").startswith("python"):
                made.violations.append("a library's name as the client's")
            if made.key is None or self.headers.get("Authorization") == f"Bearer {made.key}":
                return True
            refusal = {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}
            self._answer(Answer(401, json.dumps(refusal).encode()))
            return False

        def _answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def _form(kind: str, body: bytes) -> dict[str, list[bytes]]:
    """The fields of a form."""
    parsed = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    fields: dict[str, list[bytes]] = {}
    for part in parsed.iter_parts():
        assert isinstance(part, Message)
        name = str(part.get_param("name", header="content-disposition"))
        value = part.get_payload(decode=True)
        assert isinstance(value, bytes)
        fields.setdefault(name, []).append(value)
    return fields
