"""Print a lock without the packages that have no wheel for this machine, and say on stderr what that means.

usage: fitting.py LOCK, under the interpreter that is going to install it.

A lock's markers tell systems and processors apart, but not the age of macOS or of the C library, nor musl.
"""

import sys
from pathlib import Path

# pip carries the library that knows which wheels fit; a fresh .venv has nothing else.
from pip._vendor.packaging.tags import sys_tags

ENGINE = {"onnxruntime", "flatbuffers", "protobuf"}
"""What only the embedded engine needs: its runtime, which has no source distribution, and what that brings."""

WHEELS = {
    "manylinux_2_28_x86_64",
    "manylinux_2_28_aarch64",
    "macosx_14_0_arm64",
    "win_amd64",
    "win_arm64",
}
"""The platforms of onnxruntime's wheels, as its files are named."""

MEANING = (
    "the embedded engine needs Linux with glibc 2.28 or newer, macOS 14 or newer on Apple silicon, or Windows; "
    "on this machine Mictape records, but transcribes only with another engine"
)


def fitting(lock: str, platforms: set[str]) -> tuple[str, list[str]]:
    """Return the lock's text without what cannot be installed on `platforms`, and the names left out."""
    kept: list[str] = []
    left_out: list[str] = []
    skipping = False
    for line in lock.splitlines(keepends=True):
        if line[:1].isalnum():  # a requirement begins; its hashes and comments are indented
            name = line.split("==", 1)[0].strip()
            skipping = name in ENGINE and not WHEELS & platforms
            if skipping:
                left_out.append(name)
        if not skipping:
            kept.append(line)
    return "".join(kept), left_out


def main() -> None:
    """Filter the lock named on the command line to stdout."""
    platforms = {tag.platform for tag in sys_tags()}
    text, left_out = fitting(Path(sys.argv[1]).read_text(encoding="utf-8"), platforms)
    sys.stdout.write(text)
    if left_out:
        sys.stderr.write(f"Mictape: {MEANING}.\n")


if __name__ == "__main__":
    main()
