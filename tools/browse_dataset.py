"""Look at what a training will see: ``python tools/browse_dataset.py CONFIG_OR_CLIPS --out sheet.png``.

One row an item of the dataset: its content frame, and for each frame of the window the frame, stick figure, edges, mask and regions
(upper body red, lower body blue), the fields of plugins that are asked for, then the content frame's part labels. Of a window longer
than 6 frames, 6 spread over it are shown.
Of two unpaired persons a row shows person A's frames with their masks, then B's, each with the empty scene where there is one; of a
transfer's test clips also the true result where it is known. From a config, the dataset of its train_dataloader is shown with its
options and transforms; from a folder, its prepared clips.
"""

from pathlib import Path

from toolkit.cli import described_parser, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and write the sheets."""
    parser = described_parser(__doc__)
    parser.add_argument('source', help='config file or name, or folder of prepared clips')
    parser.add_argument('--out', required=True, type=Path, help='a .png file, or a folder for one sheet a page')
    parser.add_argument('--overwrite', action='store_true', help='replace sheets that are there')
    parser.add_argument('--items', type=int, default=8, help='items shown, spread over the dataset (default 8)')
    parser.add_argument('--rows', type=int, default=8, help='items on one sheet (default 8)')
    parser.add_argument('--height', type=int, default=192, help='height of each picture on the sheet (default 192)')
    parser.add_argument('--draw', type=int, default=0, help='number of the random draw (default 0)')
    parser.add_argument('--dataloader', default='train_dataloader', help='which dataloader of the config (default train_dataloader)')
    parser.add_argument('--fields', nargs='+', default=[], metavar='NAME', help='fields of plugins to show, too')
    parser.add_argument('--import', nargs='+', default=[], dest='modules', metavar='MODULE', help='modules of your own to import first')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides of the config')
    args = parser.parse_args(argv)

    from toolkit.datasets.sheets import DatasetSheets
    from toolkit.engine.launch import dataset_of
    from toolkit.plugins import import_custom
    sheets = DatasetSheets(args.out, args.items, args.rows, args.height, args.draw, args.overwrite)
    import_custom(args.modules, '--import')
    dataset = dataset_of(args.source, args.dataloader, args.cfg_options, args.fields)
    clips = getattr(dataset, 'clips', None)
    print(f'{type(dataset).__name__}: {len(dataset)} items' + ('' if clips is None else f' from {len(clips)} clips'))
    for path in sheets.write(dataset):
        print(path)


if __name__ == '__main__':
    main()
