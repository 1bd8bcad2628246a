"""Children on a file system that lacks memory maps or locks (`poor_file_system.c`)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_SOURCE: Final = Path(__file__).with_suffix(".c")


def poor_file_system(folder: Path, *lacks: str) -> dict[str, str]:
    """An environment for children on a file system that lacks these (see the C file); built in `folder`.

    The test is skipped where nothing can be built.
    """
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("needs a C compiler and LD_PRELOAD")
    built = folder / "poor_file_system.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", built, _SOURCE, "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(built), "POOR_FILE_SYSTEM": " ".join(lacks)}
