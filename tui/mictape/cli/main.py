"""Carries out a command line. It answers what it can by itself; Textual is imported only when the app starts."""

import contextlib
import sys
from collections.abc import Sequence

from mictape import collector
from mictape.cli import output
from mictape.cli.parser import parse
from mictape.failure import ExitCode, Failure, MictapeError, unexpected
from mictape.paths import Places, places
from mictape.terminal import set_up_log


def run(argv: Sequence[str]) -> int:
    """Carry out a command line; the exit code. What goes wrong is a sentence on stderr."""
    return output.watched(lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    where: Places | None = None
    try:
        where = places()
        arguments = parse(argv, where.config_file)
        output.set_verbosity(
            quiet=getattr(arguments, "quiet", False),
            verbose=getattr(arguments, "verbose", False),
            log_level=getattr(arguments, "log_level", None),
        )
        collector.resume()
        return arguments.run(arguments, where)
    except MictapeError as error:
        return output.say(error.failure)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except SystemExit as ended:  # of the parser: help, the version, or bad usage
        return ended.code if isinstance(ended.code, int) else ExitCode.DONE
    except Exception as error:
        if isinstance(sys.stdout, output.Output) and error is sys.stdout.error:
            return ExitCode.DONE  # `watched` reports it
        return output.say(_logged(error, where))


def _logged(error: Exception, where: Places | None) -> Failure:
    """The failure for an unexpected exception. Its traceback goes to the log; to stderr where there can be none."""
    remedy = ""
    if where is not None:
        with contextlib.suppress(MictapeError):
            set_up_log(where.log)  # not every command has done it
            remedy = f"The details are in {where.log}"
    unexpected(error, "Mictape")
    return Failure("Unexpected error", remedy, ExitCode.UNEXPECTED)
