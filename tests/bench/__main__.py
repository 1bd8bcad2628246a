"""Run benchmarks by name, all without one: a table for each on stdout, and a file `bench-NAME.json` where one is."""

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from bench.report import Part, Report

BENCHMARKS: Final = ("audio", "engines", "library", "models", "recognition", "transcript", "weight")
"""Modules of this package; each has `PARTS`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for, one part after the other, so that none disturbs another."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--part", metavar="WORD", default="", help="only parts whose title has this word in it")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    for name in asked.names or BENCHMARKS:
        parts = cast(Sequence[Part], importlib.import_module(f"bench.{name}").PARTS)
        report = Report(name)
        for part in parts:
            if asked.part.lower() in part.title.lower():
                report.run(part)
        report.show()
        if not asked.part:  # a part alone would overwrite the whole
            report.write(Path(f"bench-{name}.json"))


if __name__ == "__main__":
    main()
