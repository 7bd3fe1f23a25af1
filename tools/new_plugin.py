"""Make a plugin of one's own: ``python tools/new_plugin.py loss MyLoss``.

Writes a folder with a package, its tests and a README; the tests pass at once. Install it by ``pip install -e my_loss``: the toolkit
then finds it, and its name can be used in every config. KIND is one of pose_estimator, edge_detector, segmentor, generator,
discriminator, loss, method, dataset, transform, metric and field (a map of each frame).
"""

import shlex

from toolkit.cli import described_parser, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and write the package."""
    parser = described_parser(__doc__)
    parser.add_argument('kind', metavar='KIND', help='what the part is')
    parser.add_argument('name', metavar='NAME', help='of its class, such as MyLoss')
    parser.add_argument('--out', default='.', metavar='DIR', help='where the folder is made (default: here)')
    args = parser.parse_args(argv)

    from toolkit.scaffold import new_plugin
    folder = new_plugin(args.kind, args.name, args.out)
    quoted = shlex.quote(str(folder))
    print(f'written to {folder}; next:\n    pip install -e {quoted} && pytest {quoted}')


if __name__ == '__main__':
    main()
