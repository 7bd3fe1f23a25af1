"""The command ``hvt``: every tool under a short name, from any folder.

``torchrun --nproc_per_node 8 -m toolkit train CONFIG`` is the same for several processes.
"""

import ast
import importlib.util
import sys
from types import ModuleType

from toolkit import __version__
from toolkit.cli import COMMANDS, main_guard, spoken
from toolkit.packaged import TOOLS
from toolkit.structures import InputError


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Run a command, or list all.

    Args:
        argv: the command and its arguments; default those of the process.
    """
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ['']
    if name in ('', '-h', '--help'):
        print('usage: hvt COMMAND ...\n\nMake a person in a video move, and dress, as you wish. The commands:\n')
        print('\n'.join(f'  {command:<10} {summary(tool)}' for command, tool in COMMANDS.items()))
        print('\nhvt COMMAND --help says more. A CONFIG is a file, or a name that hvt configs shows.')
        raise SystemExit(0 if name else 2)
    if name == '--version':
        print(__version__)
        return
    if name not in COMMANDS:
        from toolkit.registry import did_you_mean
        raise InputError(f'hvt has no command {name!r}.{did_you_mean(name, COMMANDS)} It has: {", ".join(COMMANDS)}')
    sys.argv = [f'hvt {name}', *arguments]
    load(COMMANDS[name]).main(arguments)


def summary(tool: str) -> str:
    """What a tool does, in one line: the first sentence of its file, which is not run."""
    text = ast.get_docstring(ast.parse((TOOLS / f'{tool}.py').read_text('utf-8'))) or ''
    return text.partition('\n\n')[0].partition(': ``')[0].replace('\n', ' ').rstrip('.')


def load(tool: str) -> ModuleType:
    """A tool as a module, whose help speaks of ``hvt``."""
    spec = importlib.util.spec_from_file_location(f'toolkit.tools.{tool}', TOOLS / f'{tool}.py')
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__doc__ = spoken(module.__doc__)
    return module


if __name__ == '__main__':
    main()
