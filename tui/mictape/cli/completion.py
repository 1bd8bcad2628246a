"""The command `completion`: what a shell needs to complete command lines, made from the parser."""

import argparse
from typing import Final

from mictape.cli.options import Commands, commands_of
from mictape.failure import ExitCode
from mictape.paths import Places
from mictape.settings import DECLARATIONS

SHELLS: Final = ("bash", "zsh", "tcsh", "fish")

HOW: Final = """\
bash: mictape completion bash > ~/.local/share/bash-completion/completions/mictape
zsh:  mictape completion zsh > FOLDER/_mictape, where FOLDER is in $fpath
fish: mictape completion fish > ~/.config/fish/completions/mictape.fish
"""


def add(commands: Commands) -> None:
    """Add the command."""
    completion = commands.add_parser("completion", help="print the completion for a shell", description=HOW)
    completion.formatter_class = argparse.RawDescriptionHelpFormatter
    completion.add_argument("shell", choices=SHELLS)
    completion.set_defaults(run=_completion)


def _completion(arguments: argparse.Namespace, where: Places) -> int:
    import shtab

    from mictape.cli.parser import parser, preset_names

    print(shtab.complete(with_choices(parser(preset_names(where.config_file))), shell=arguments.shell))
    return ExitCode.DONE


def with_choices(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Let the options of settings be completed. argparse itself does not check them: `settings.load` does, in words."""
    options = {each.about.option: each.choices for each in DECLARATIONS.values() if each.about.option and each.choices}
    for each in (parser, *commands_of(parser)):
        for action in each._actions:  # pyright: ignore[reportPrivateUsage]  (as every tool that walks a parser)
            for option in action.option_strings:
                if option in options and action.nargs != 0:
                    action.choices = options[option]
    return parser
