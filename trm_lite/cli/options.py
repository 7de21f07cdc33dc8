"""What all commands share: how they are found and run, and how their options are spelled."""

import ast
from importlib import import_module
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from trm_lite.common.errors import UserError, nearest
from trm_lite.common.tables import columns

Device = Annotated[str, arg(help="auto, cpu, cuda, cuda:1 or mps")]

# An option --compile and --no-compile whose default depends on the device; see `switched`.
ON_GPUS = "--compile or --no-compile: use torch.compile, faster after about a minute; by default"
Compile = Annotated[bool | None, arg(metavar="", help=f"{ON_GPUS} on NVIDIA GPUs only.")]

# Parameters whose option is spelled differently.
SPELLED = {"source": "from", "augmentations": "augment"}


def flag(parameter: str) -> str:
    """The command-line option of a parameter: --batch-size for `batch_size`."""
    return "--" + SPELLED.get(parameter, parameter).replace("_", "-")


def message(error: UserError) -> str:
    """The text of an error, with the options to change."""
    flags = ", ".join(map(flag, error.options))
    return f"{error} (Option{'s' * (len(error.options) > 1)}: {flags}.)" if flags else str(error)


def switched(arguments: list[str]) -> list[str]:
    """The command line with `Compile` as tyro reads it: an option of three values."""
    spelled = {"--compile": ["--compile", "True"], "--no-compile": ["--compile", "False"]}
    return [word for argument in arguments for word in spelled.get(argument, [argument])]


def run_command(commands: dict[str, str], arguments: list[str], prog: str, about: str) -> int:
    """Run the command that the first argument names; returns its exit status.

    Only the module of that command is imported. If its function has a parameter `arguments`, it
    reads the rest of the line itself; otherwise tyro turns the rest into its parameters. Raises
    UserError for an unknown command.

    Args:
        commands: "module:function" of every command, by name.
        arguments: the command line.
        prog: name of the program, for the help.
        about: what the program is, for the help.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(overview(commands, prog, about))
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in commands:
        hint = nearest(name, commands, f"'{prog} --help' shows all of them.")
        raise UserError(f"There is no command '{name}'; {hint}")
    module, function = commands[name].split(":")
    command = getattr(import_module(f"trm_lite.cli.{module}"), function)
    if "arguments" in command.__annotations__:
        return command(rest)
    import tyro

    return tyro.cli(command, args=switched(rest), prog=f"{prog} {name}")


def overview(commands: dict[str, str], prog: str, about: str) -> str:
    """The help that lists all commands, each with the first line of its docstring.

    The arguments are those of `run_command`.
    """
    lines = columns(((name, first_line(place)) for name, place in commands.items()), indent="  ")
    usage = f"usage: {prog} COMMAND [OPTIONS]"
    end = f"'{prog} COMMAND --help' shows the options of one."
    return "\n".join([usage, "", about, "", lines, "", end])


def first_line(place: str) -> str:
    """The first line of the docstring of a "module:function".

    It is read without importing the module, which could take seconds.
    """
    module, function = place.split(":")
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text("utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return ast.get_docstring(functions[function]).splitlines()[0]
