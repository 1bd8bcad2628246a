"""The command `completion`: what a shell needs to complete command lines, made from the parser."""

import argparse
from collections.abc import Sequence
from typing import Final

from mictape.cli.options import Commands, commands_of
from mictape.failure import ExitCode
from mictape.paths import Places
from mictape.settings import DECLARATIONS

SHELLS: Final = ("bash", "zsh", "tcsh", "fish")

NAMES: Final = ("sessions", "trash", "presets")
"""What the shell asks for when it completes a command line: sessions by their ids, those in the trash, presets."""

HOW: Final = """\
bash: mictape completion bash > ~/.local/share/bash-completion/completions/mictape
zsh:  mictape completion zsh > FOLDER/_mictape, where FOLDER is in $fpath
fish: mictape completion fish > ~/.config/fish/completions/mictape.fish
"""


def add(commands: Commands) -> None:
    """Add the command."""
    completion = commands.add_parser("completion", help="print the completion for a shell", description=HOW)
    completion.formatter_class = argparse.RawDescriptionHelpFormatter
    wanted = completion.add_mutually_exclusive_group(required=True)
    wanted.add_argument("shell", choices=SHELLS, nargs="?")
    wanted.add_argument(
        "--names", choices=NAMES, help="print what there is now, a name on each line: shells ask for it"
    )
    completion.set_defaults(run=_completion)


def _completion(arguments: argparse.Namespace, where: Places) -> int:
    import shtab

    from mictape.cli.parser import parser, preset_names

    presets = preset_names(where.config_file)
    if arguments.names is not None:
        for name in presets if arguments.names == "presets" else _sessions(where, trash=arguments.names == "trash"):
            print(name)
    else:
        print(shtab.complete(with_choices(parser(presets), where), shell=arguments.shell))
    return ExitCode.DONE


def _sessions(where: Places, *, trash: bool) -> Sequence[str]:
    """What sessions can be named by: their ids, the newest one first, and `last`."""
    from mictape.library.listing import SessionFilter
    from mictape.library.store import Store

    with Store.to_read(where.library, where.sessions) as store:
        ids = [session.id for session in store.sessions(SessionFilter(trash=trash))]
    return ["last", *ids] if ids and not trash else ids


def with_choices(parser: argparse.ArgumentParser, where: Places) -> argparse.ArgumentParser:
    """Let values be completed that argparse itself does not check: the commands do, in words.

    Engines, models, themes, and presets as commands are those of today; what is in `NAMES` is looked up each time.
    """
    import shtab
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
        "--theme": [*(theme.name for theme in all_themes(where.themes).themes), *BUILTIN_THEMES],
    }
    with_key = [name for name in catalog.OWN if catalog.key_variable(name)]
    named = dict.fromkeys(("login", "logout"), with_key) | dict.fromkeys(("install", "remove", "try"), models)
    for each in (parser, *commands_of(parser)):
        for action in each._actions:  # pyright: ignore[reportPrivateUsage]  (as every tool that walks a parser)
            known = [options[option] for option in action.option_strings if option in options and action.nargs != 0]
            if action.dest == "name" and (command := each.prog.split()[-1]) in named:
                known = [named[command]]
            if (names := _looked_up(each, action)) is not None:
                ask = shtab.cmd(f"mictape completion --names {names} 2>/dev/null")
                action.complete = ask  # pyright: ignore[reportAttributeAccessIssue]  (shtab's own, on argparse's class)
            if known:
                action.choices = [value for value in known[0] if PLAIN_NAME.fullmatch(value)]
    return parser


def _looked_up(command: argparse.ArgumentParser, action: argparse.Action) -> str | None:
    """Which of `NAMES` an argument takes; None: something else."""
    if "--preset" in action.option_strings:
        return "presets"
    if action.metavar == "ID":
        return "trash" if command.prog.endswith(" restore") else "sessions"
    return None
