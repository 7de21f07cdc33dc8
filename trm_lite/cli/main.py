"""The program `trm-lite`: all commands, and what happens when one fails."""

import sys

from trm_lite.cli.options import message, run_command
from trm_lite.common.errors import UserError

COMMANDS = {  # by name: the module in this folder, and the function in it
    "demo": "demo:demo",
    "list": "experiments:list_presets",
    "train": "train:train",
    "evaluate": "evaluate:evaluate",
    "solve": "solve:solve",
    "data": "data:data",
    "plan": "experiments:plan",
    "compare": "experiments:compare",
    "report": "experiments:report",
    "bench": "experiments:bench",
    "accept": "accept:accept",
    "parity": "official:parity",
    "convert": "official:convert",
    "download": "official:download",
    "course": "course:course",
    "classroom": "classroom:classroom",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status.

    A `UserError` becomes one sentence and exit status 2. An interrupted command has 130.
    `arguments` are those of the command line, `sys.argv[1:]` if None.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    about = "Tiny recursive models: train them, test them, let them solve puzzles."
    try:
        return run_command(COMMANDS, arguments, "trm-lite", about)
    except UserError as error:
        print(f"trm-lite: {message(error)}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        print("\ntrm-lite: interrupted.", file=sys.stderr)
        return 130
