"""Print a config with all its bases and overrides merged and checked: ``python tools/print_config.py CONFIG``."""

import argparse

from toolkit.cli import main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file, for example configs/stage2_pix2pixhd.py')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides, as in tools/train.py')
    args = parser.parse_args(argv)

    from toolkit.engine.config import load_config
    print(load_config(args.config, args.cfg_options).pretty_text)


if __name__ == '__main__':
    main()
