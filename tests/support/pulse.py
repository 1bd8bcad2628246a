"""A private PulseAudio server with two virtual microphones: real sound without a sound card.

It listens on a unix socket in a folder of its own, needs no systemd and no D-Bus, runs as any user, and several run
side by side. What is played into the sink `vmic_sink` is what the source `vmic` hears (48 kHz mono), and `vmic2_sink`
feeds `vmic2` (16 kHz mono, so that 16-bit samples at that rate pass through unchanged). `spk` is the loudspeaker.

PulseAudio's record buffer hides a reader that is too slow: for lost samples, take an ALSA device with a real clock.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from support.waiting import until

PROGRAMS: Final = ("pulseaudio", "pactl", "paplay")
"""What has to be installed."""

_IDLE_S: Final = 600
"""A server whose test run was killed goes by itself after this many seconds without a client."""

# norewinds: without it a null sink renders two seconds ahead, and the first 200 ms of what is played are missing.
_SETUP: Final = """\
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
load-module module-null-sink sink_name=spk norewinds=1 rate=48000 channels=2 sink_properties=device.description=Speakers
load-module module-null-sink sink_name=vmic_sink norewinds=1 rate=48000 channels=1 \
sink_properties=device.description=Virtual_Mic_Feed
load-module module-remap-source source_name=vmic master=vmic_sink.monitor \
source_properties=device.description=Virtual_Mic
load-module module-null-sink sink_name=vmic2_sink norewinds=1 rate=16000 channels=1 \
sink_properties=device.description=Virtual_Mic_Two_Feed
load-module module-remap-source source_name=vmic2 master=vmic2_sink.monitor \
source_properties=device.description=Virtual_Mic_Two
set-default-source vmic
set-default-sink spk
"""


def missing() -> list[str]:
    """The programs of `PROGRAMS` that are not installed here."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


class PulseServer:
    """One running server. Use `running()` to get one."""

    def __init__(self, folder: Path) -> None:
        """Start the server in `folder`, which is short (a socket's path has 107 characters) and empty."""
        self.folder = folder
        runtime = folder / "runtime" / "pulse"
        runtime.mkdir(parents=True, mode=0o700)
        for name in ("config", "state"):
            (folder / name).mkdir(mode=0o700)
        self.socket = runtime / "native"
        self.variables: Mapping[str, str] = {
            "XDG_RUNTIME_DIR": str(runtime.parent),
            "PULSE_RUNTIME_PATH": str(runtime),
            "PULSE_STATE_PATH": str(folder / "state"),
            "PULSE_CONFIG_PATH": str(folder / "config"),
            "PULSE_SERVER": f"unix:{self.socket}",
        }
        """What leads a client to this server and to no other."""
        setup = folder / "default.pa"
        setup.write_text(_SETUP.format(socket=self.socket), encoding="utf-8")
        options = ("--daemonize=no", "--use-pid-file=no", f"--exit-idle-time={_IDLE_S}", "--log-level=info")
        self._players: list[subprocess.Popen[bytes]] = []
        self.process = self._start("pulseaudio", "-n", "-F", str(setup), f"--log-target=file:{self.log}", *options)

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "pulse.log"

    @property
    def env(self) -> dict[str, str]:
        """A whole environment for a child process: this process's own as it is now, and `variables`."""
        return {key: value for key, value in os.environ.items() if key != "PULSE_SOURCE"} | dict(self.variables)

    def wait_ready(self) -> Self:
        """Return once the server answers."""

        def answers() -> bool:
            assert self.process.poll() is None, f"pulseaudio ended: {self.log.read_text(encoding='utf-8')}"
            asked = subprocess.run(["pactl", "info"], env=self.env, capture_output=True, check=False)
            return asked.returncode == 0

        until(answers, what="the PulseAudio server's first answer")
        return self

    def control(self, *arguments: str) -> str:
        """Run pactl with `arguments` and return what it prints; a refusal raises `CalledProcessError`."""
        done = subprocess.run(["pactl", *arguments], env=self.env, capture_output=True, check=True, text=True)
        return done.stdout

    def play(self, path: Path | str, sink: str = "vmic_sink") -> subprocess.Popen[bytes]:
        """Play a sound file into `sink`; `wait()` on what is returned for the end, `terminate()` to cut it off."""
        return self._play(f"--device={sink}", str(path))

    def play_raw(
        self, pcm: bytes, sink: str = "vmic2_sink", *, rate: int = 16_000, channels: int = 1
    ) -> subprocess.Popen[bytes]:
        """Play 16-bit little-endian samples into `sink`; into `vmic2_sink` at 16 kHz mono they arrive unchanged."""
        path = self.folder / f"raw-{len(self._players)}.s16"
        path.write_bytes(pcm)
        form = ("--raw", "--format=s16le", f"--rate={rate}", f"--channels={channels}")
        return self._play(f"--device={sink}", *form, str(path))

    def set_default(self, source: str) -> None:
        """Make `source` the one that is recorded when none is named."""
        self.control("set-default-source", source)

    def set_muted(self, source: str, muted: bool = True) -> None:
        """Mute `source` at the server, as the desktop's own switch does."""
        self.control("set-source-mute", source, str(int(muted)))

    def add(self, source: str, description: str, master: str = "vmic2_sink.monitor") -> None:
        """Plug in another microphone that hears what `master` hears; `description` has no spaces."""
        properties = f"source_properties=device.description={description}"
        self.control("load-module", "module-remap-source", f"source_name={source}", f"master={master}", properties)

    def remove(self, source: str) -> None:
        """Unplug `source`: a microphone by its own name, a monitor by that of its sink."""
        for line in self.control("list", "short", "modules").splitlines():
            number, _, arguments = line.partition("\t")
            if {f"source_name={source}", f"sink_name={source}"} & set(arguments.split()):
                self.control("unload-module", number)
                return
        raise LookupError(source)

    def sources(self) -> list[str]:
        """The names of all sources, monitors too."""
        return [line.split("\t")[1] for line in self.control("list", "short", "sources").splitlines()]

    def recorders(self) -> list[str]:
        """The recording streams of programs: for each the number of its source, as the server counts them."""
        streams = [line.split("\t") for line in self.control("list", "short", "source-outputs").splitlines()]
        return [source for _, source, client, *_ in streams if client != "-"]  # without one: the virtual microphones

    def stop(self) -> None:
        """End the players and the server."""
        for process in [*self._players, self.process]:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _play(self, *arguments: str) -> subprocess.Popen[bytes]:
        player = self._start("paplay", *arguments)
        self._players.append(player)
        return player

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=self.env, stdin=quiet, stdout=quiet, stderr=quiet)


@contextmanager
def running() -> Generator[PulseServer]:
    """A server that answers, for the length of a `with` block."""
    folder = Path(tempfile.mkdtemp(prefix="mt"))
    server = PulseServer(folder)
    try:
        yield server.wait_ready()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
