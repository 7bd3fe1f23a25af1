"""Look at what a training will see: ``python tools/browse_dataset.py CONFIG_OR_CLIPS --out sheet.png``.

One row an item of the dataset: its content frame, and for each frame of the window the frame, stick figure, edges, mask and regions
(upper body red, lower body blue), the fields of plugins that are asked for, then the content frame's part labels. Of a window longer
than 6 frames, 6 spread over it are shown.
Of two unpaired persons a row shows person A's frames with their masks, then B's, each with the empty scene where there is one; of a
transfer's test clips also the true result where it is known. From a config, the dataset of its train_dataloader is shown with its
options and transforms; from a folder, its prepared clips.
"""

import argparse
from pathlib import Path

from toolkit.cli import main_guard

MOST_FRAMES = 6


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and write the sheets."""
    summary, _, details = __doc__.partition('\n\n')
    parser = argparse.ArgumentParser(description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter)
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

    import numpy as np

    from toolkit.files import check_output
    from toolkit.outputs import refuse_existing, refuse_filled
    from toolkit.plugins import import_custom
    from toolkit.structures import InputError
    for name, least in (('items', 1), ('rows', 1), ('height', 16), ('draw', 0)):
        if getattr(args, name) < least:
            raise InputError(f'--{name} must be at least {least}, got {getattr(args, name)}')
    check_output(args.out, folder=args.out.suffix.lower() != '.png')
    single = args.out.suffix.lower() == '.png'
    if not single or args.items > args.rows:
        refuse_filled(args.out.with_suffix(''), args.overwrite)
    if single:
        refuse_existing([args.out], args.overwrite)
    import_custom(args.modules, '--import')
    dataset = build_dataset(args.source, args.dataloader, args.cfg_options)
    if args.fields:
        if not hasattr(dataset, 'add_fields'):
            raise InputError(f'--fields: a {type(dataset).__name__} has no add_fields')
        dataset.add_fields(args.fields)
    clips = getattr(dataset, 'clips', None)
    print(f'{type(dataset).__name__}: {len(dataset)} items' + ('' if clips is None else f' from {len(clips)} clips'))
    indices = np.unique(np.linspace(0, len(dataset) - 1, args.items).round().astype(int)).tolist()
    pages = [indices[i:i + args.rows] for i in range(0, len(indices), args.rows)]
    for number, page in enumerate(pages):
        path = args.out if single and len(pages) == 1 else args.out.with_suffix('') / f'{number:03d}.png'
        write_sheet(path, [get_item(dataset, index, args.draw) for index in page], args.height)
        print(path)


def build_dataset(source: str, dataloader: str, options: list[str]):
    """The dataset of a config, or of a folder of clips."""
    from toolkit.datasets.windows import ClipWindows
    from toolkit.engine.build_errors import naming_parts
    from toolkit.engine.launch import load_config
    from toolkit.packaged import find_config
    from toolkit.registry import DATASETS, load_plugins
    from toolkit.structures import InputError
    load_plugins()
    if Path(source).is_dir():
        return ClipWindows(source)
    try:
        find_config(source)
    except InputError as error:
        raise InputError(f'{source}: no folder of prepared clips, and no config: {error}') from error
    cfg = load_config(source, options)
    if not cfg.get(dataloader):
        raise InputError(f'{source}: has no {dataloader}; there are {[k for k in cfg if k.endswith("dataloader")]}')
    with naming_parts(cfg._cfg_dict):
        return DATASETS.build(cfg[dataloader]['dataset'])


def get_item(dataset, index: int, draw: int) -> dict:
    """An item of one draw; some data sets draw nothing."""
    from toolkit.fields import check_item
    return check_item(dataset[index, draw] if getattr(dataset, 'takes_draw', False) else dataset[index])


def write_sheet(path: Path, items: list[dict], height: int) -> None:
    """One row an item."""
    import cv2

    from toolkit.files import make_folder, write_file
    from toolkit.sheets import contact_sheet
    rows, labels = zip(*(item_row(item) for item in items))
    sheet = contact_sheet(list(rows), list(labels), height=height)
    make_folder(path.parent)
    write_file(path, cv2.imencode('.png', sheet[..., ::-1])[1].tobytes())


def picture(tensor):
    """(C, H, W) -> (H, W, C)."""
    return tensor.permute(1, 2, 0).numpy()


def shown_frames(item: dict) -> list[int]:
    """Places in the window of the frames to show."""
    import numpy as np
    count = len(item['frames'])
    return np.unique(np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(int)).tolist()


def item_row(item: dict) -> tuple[list, list[str]]:
    """Pictures of one item and their labels."""
    import numpy as np

    from toolkit.sheets import paint_parts
    if 'a' in item:
        (row, labels), (more, others) = (person_row(item[name], name.upper()) for name in 'ab')
        return row + more, labels + others
    if 'direction' in item:
        return person_row(item, item['direction'])
    row, labels = [picture(item['content_frame'])], [f'{item.get("clip", "")} content {item.get("content_index", "")}'.strip()]
    for t in shown_frames(item):
        upper, lower = item['regions'][t].numpy()
        row += [picture(item['frames'][t]), picture(item['pose_maps'][t]), item['edges'][t, 0].numpy(), item['masks'][t, 0].numpy(),
                np.stack([upper, np.zeros_like(upper), lower], -1)]
        labels += [f'frame {item.get("index", 0) + t}', 'pose', 'edges', 'mask', 'regions']
        for name in added_pictures(item):
            row.append(added_picture(item[name][t]))
            labels.append(name)
    return row + [paint_parts(item['content_parts'][0].numpy())], [*labels, 'content parts']


def added_pictures(item: dict) -> list[str]:
    """Names of the fields of plugins in an item that can be shown."""
    from toolkit.fields import ADDED
    return [name for name, field in ADDED.items() if name in item and field.compute and field.is_picture]


def added_picture(tensor):
    """The first three channels (C, H, W) of an added field as RGB, or one as gray."""
    import numpy as np
    shown = tensor[:3].numpy()
    return shown[0] if len(shown) == 1 else np.stack([*shown, *[np.zeros_like(shown[0])] * (3 - len(shown))], -1)


def person_row(item: dict, name: str) -> tuple[list, list[str]]:
    """Pictures of one person of a transfer and their labels."""
    row, labels = [], []
    for t in shown_frames(item):
        row += [picture(item['frames'][t]), item['masks'][t, 0].numpy()]
        labels += [f'{name} {item["clip"]} {item["index"] + t}', 'mask']
        if 'truth_frames' in item:
            row.append(picture(item['truth_frames'][t]))
            labels.append('truth')
    if 'plate' in item:
        row.append(picture(item['plate']))
        labels.append('empty scene')
    return row, labels


if __name__ == '__main__':
    main()
