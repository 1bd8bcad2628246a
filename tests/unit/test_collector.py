"""The garbage collector waits for the start, and then leaves alone what the start has made."""

import subprocess
import sys
from pathlib import Path

import mictape

TELL = """
import gc, sys
from mictape import __main__, collector
def run(arguments, where):
    print(gc.isenabled(), gc.get_freeze_count() > 10_000)
    return 0
import mictape.cli.main
mictape.cli.main.parse = lambda *_: (print(gc.isenabled()), __import__("argparse").Namespace(run=run))[1]
sys.argv[1:] = []
__main__.main()
"""


def test_it_waits_until_the_command_line_is_read_and_then_leaves_out_what_is_there() -> None:
    tui = Path(mictape.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", TELL], cwd=tui, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "True", "True"], done.stderr
