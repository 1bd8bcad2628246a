"""`python -m mictape` and the command `mictape`."""

import sys

from mictape import collector


def main() -> None:
    """Run the command line and leave with its exit code."""
    collector.pause()
    from mictape.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
