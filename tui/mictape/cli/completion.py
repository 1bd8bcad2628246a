"""The command `completion`: what a shell needs to complete command lines, made from the parser."""

import argparse
from collections.abc import Sequence
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

    presets = preset_names(where.config_file)
    print(shtab.complete(with_choices(parser(presets), where, presets), shell=arguments.shell))
    return ExitCode.DONE


def with_choices(
    parser: argparse.ArgumentParser, where: Places, presets: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """Let values be completed that argparse itself does not check: the commands do, in words.

    Names are those of today: what is installed or set up later is not known to the shell.
    """
    from textual.theme import BUILTIN_THEMES

    from mictape.cli.models import here
    from mictape.cli.parser import PLAIN_NAME
    from mictape.engines import catalog
    from mictape.themes import all_themes

    models = [model.name for model in here(where)[0].models]
    options: dict[str, Sequence[str]] = {
        each.about.option: each.choices for each in DECLARATIONS.values() if each.about.option and each.choices
    }
    options |= {
        "--engine": catalog.names(),
        "--model": models,
        "--preset": presets,
        "--theme": [*(theme.name for theme in all_themes(where.themes).themes), *BUILTIN_THEMES],
    }
    with_key = [name for name in catalog.OWN if catalog.key_variable(name)]
    named = dict.fromkeys(("login", "logout"), with_key) | dict.fromkeys(("install", "remove", "try"), models)
    for each in (parser, *commands_of(parser)):
        for action in each._actions:  # pyright: ignore[reportPrivateUsage]  (as every tool that walks a parser)
            known = [options[option] for option in action.option_strings if option in options and action.nargs != 0]
            if action.dest == "name" and (command := each.prog.split()[-1]) in named:
                known = [named[command]]
            if known:
                action.choices = [value for value in known[0] if PLAIN_NAME.fullmatch(value)]
    return parser
