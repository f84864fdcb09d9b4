"""`aftersend completion`: what makes a shell complete the names of commands and their options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Final

from aftersend_cli.output import Output

_BASH: Final = """\
_aftersend() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} words
  case "${{COMP_WORDS[1]}}" in
{cases}
    *) words="{commands}" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="{commands}"
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _aftersend aftersend
"""
_ZSH: Final = "#compdef aftersend\nautoload -U +X bashcompinit && bashcompinit\n"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("shell", choices=sorted(_SHELLS))


def run(options: argparse.Namespace, output: Output) -> int:
    """Write it, for `eval "$(aftersend completion bash)"`; as JSON, what there is to be completed."""
    from aftersend_cli.__main__ import make_parser  # noqa: PLC0415  # which imports this module

    found = list_options(make_parser())
    output.write_json(found) if output.as_json else sys.stdout.write(_SHELLS[options.shell](found))
    return 0


def list_options(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """Return the words of every command: its long options, and what an argument may be where that is a choice."""
    (commands,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return {name: [*_list_choices(command), *_list_long(command)] for name, command in commands.choices.items()}


def _list_choices(command: argparse.ArgumentParser) -> list[str]:
    return [str(word) for each in command._actions if not each.option_strings for word in each.choices or ()]


def _list_long(command: argparse.ArgumentParser) -> list[str]:
    return sorted(word for word in command._option_string_actions if word.startswith("--"))


def _write_bash(options: Mapping[str, list[str]]) -> str:
    cases = "\n".join(f'    {name}) words="{" ".join(words)}" ;;' for name, words in options.items())
    return _BASH.format(cases=cases, commands=" ".join(options))


def _write_zsh(options: Mapping[str, list[str]]) -> str:
    return _ZSH + _write_bash(options)


def _write_fish(options: Mapping[str, list[str]]) -> str:
    lines = [f"complete -c aftersend -n __fish_use_subcommand -a {name}" for name in options]
    lines += [
        f"complete -c aftersend -n '__fish_seen_subcommand_from {name}' "
        + (f"-l {word.removeprefix('--')}" if word.startswith("--") else f"-a {word}")
        for name, words in options.items()
        for word in words
    ]
    return "\n".join(lines) + "\n"


_SHELLS: Final = {"bash": _write_bash, "zsh": _write_zsh, "fish": _write_fish}
