"""Look at what a training will see: ``python tools/browse_dataset.py CONFIG_OR_CLIPS --out sheet.png``.

One row an item of the dataset: its content frame, and for each frame of the window the frame, stick figure, edges, mask and regions
(upper body red, lower body blue), then the content frame's part labels. From a config, the dataset of its train_dataloader is shown
with its options and transforms; from a folder, its prepared clips.
"""

import argparse
from pathlib import Path

from toolkit.cli import main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and write the sheets."""
    summary, _, details = __doc__.partition('\n\n')
    parser = argparse.ArgumentParser(description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', help='config file (.py), or folder of prepared clips')
    parser.add_argument('--out', required=True, type=Path, help='a .png file, or a folder for one sheet a page')
    parser.add_argument('--items', type=int, default=8, help='items shown, spread over the dataset (default 8)')
    parser.add_argument('--rows', type=int, default=8, help='items on one sheet (default 8)')
    parser.add_argument('--height', type=int, default=192, help='height of each picture on the sheet (default 192)')
    parser.add_argument('--draw', type=int, default=0, help='number of the random draw (default 0)')
    parser.add_argument('--dataloader', default='train_dataloader', help='which dataloader of the config (default train_dataloader)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides, as in tools/train.py')
    args = parser.parse_args(argv)

    import numpy as np
    dataset = build_dataset(args.source, args.dataloader, args.cfg_options)
    print(f'{type(dataset).__name__}: {len(dataset)} items from {len(dataset.clips)} clips')
    indices = np.unique(np.linspace(0, len(dataset) - 1, args.items).round().astype(int)).tolist()
    pages = [indices[i:i + args.rows] for i in range(0, len(indices), args.rows)]
    single = args.out.suffix.lower() == '.png'
    for number, page in enumerate(pages):
        path = args.out if single and len(pages) == 1 else args.out.with_suffix('') / f'{number:03d}.png'
        write_sheet(path, [dataset[index, args.draw] for index in page], args.height)
        print(path)


def build_dataset(source: str, dataloader: str, options: list[str]):
    """The dataset of a config, or of a folder of clips."""
    from toolkit.data.windows import ClipWindows
    from toolkit.engine.launch import load_config
    from toolkit.registry import DATASETS, load_plugins
    from toolkit.structures import InputError
    load_plugins()
    if not source.endswith('.py'):
        return ClipWindows(source)
    cfg = load_config(source, options)
    if not cfg.get(dataloader):
        raise InputError(f'{source}: has no {dataloader}; there are {[k for k in cfg if k.endswith("dataloader")]}')
    return DATASETS.build(cfg[dataloader]['dataset'])


def write_sheet(path: Path, items: list[dict], height: int) -> None:
    """One row an item."""
    import cv2

    from toolkit.data.files import make_folder, write_file
    from toolkit.data.sheets import contact_sheet
    rows, labels = zip(*(item_row(item) for item in items))
    sheet = contact_sheet(list(rows), list(labels), height=height)
    make_folder(path.parent)
    write_file(path, cv2.imencode('.png', sheet[..., ::-1])[1].tobytes())


def item_row(item: dict) -> tuple[list, list[str]]:
    """Pictures of one item and their labels."""
    import numpy as np

    from toolkit.data.sheets import paint_parts

    def picture(tensor):
        return tensor.permute(1, 2, 0).numpy()

    row, labels = [picture(item['content_frame'])], [f'{item["clip"]} content {item["content_index"]}']
    for t in range(len(item['frames'])):
        upper, lower = item['regions'][t].numpy()
        row += [picture(item['frames'][t]), picture(item['pose_maps'][t]), item['edges'][t, 0].numpy(), item['masks'][t, 0].numpy(),
                np.stack([upper, np.zeros_like(upper), lower], -1)]
        labels += [f'frame {item["index"] + t}', 'pose', 'edges', 'mask', 'regions']
    return row + [paint_parts(item['content_parts'][0].numpy())], [*labels, 'content parts']


if __name__ == '__main__':
    main()
