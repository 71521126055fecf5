"""Reads the command line; each command imports what it needs when it runs, so that help is quick."""

import argparse
import sys
from collections.abc import Sequence

from ml.cli import bench_train, compare, evaluate, explain, predict, preprocess, simulate, train, volume
from ml.errors import MLError

_COMMANDS = (simulate, preprocess, volume, train, evaluate, compare, predict, explain, bench_train)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m ml", description="Ichor without Django: simulate, measure, train, predict."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in _COMMANDS:
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; what cannot be done ends in one sentence on stderr and status 2."""
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
    except MLError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0
