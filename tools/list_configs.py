"""Print the configs that come with the toolkit, and what each is: ``python tools/list_configs.py [WORD ...]``.

Every tool that wants a config takes these names. A config of your own begins with such a name: _base_ = 'hvt::stage2_pix2pixhd.py'.
"""

import argparse
import ast

from toolkit.cli import main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and print."""
    summary, _, details = __doc__.partition('\n\n')
    parser = argparse.ArgumentParser(description=summary, epilog=details)
    parser.add_argument('words', nargs='*', help='only configs whose name contains one of these, for example demo/')
    args = parser.parse_args(argv)

    from toolkit.packaged import CONFIGS, config_names
    names = [name for name in config_names() if not args.words or any(word.lower() in name.lower() for word in args.words)]
    if not names:
        from toolkit.registry import did_you_mean
        from toolkit.structures import InputError
        raise InputError(f'no config has {" or ".join(args.words)} in its name.{did_you_mean(args.words[0], config_names())}')
    for name in names:
        says = ast.get_docstring(ast.parse((CONFIGS / f'{name}.py').read_text('utf-8'))) or ''
        print(f'{name:<44} {says.partition(chr(10))[0]}')


if __name__ == '__main__':
    main()
