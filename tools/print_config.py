"""Print a config with all its bases and overrides merged and checked: ``python tools/print_config.py CONFIG``."""

import argparse

from toolkit.cli import add_config_arguments, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_config_arguments(parser)
    args = parser.parse_args(argv)

    from toolkit.engine.config import load_config
    print(load_config(args.config, args.cfg_options).pretty_text)


if __name__ == '__main__':
    main()
