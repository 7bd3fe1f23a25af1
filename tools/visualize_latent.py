"""Measure color codes and draw them: tables of probes, figures of where codes lie and of what lies between them.

    python tools/visualize_latent.py work_dirs/stage1_bicyclegan_up work_dirs/stage1_bicyclegan_down --out latent
    python tools/visualize_latent.py STAGE2.pth END_TO_END.pth --labels decoupled end-to-end --out latent

A CHECKPOINT, or the work dir of a run, is of stage I (BicycleGAN) or of stage II with color codes; which, is found out. Its clips are
those of its own config: probes are fitted on training clips, everything else is measured on held-out ones, recolored with recorded
draws. Beside each encoder stands the same one untrained. Written to --out: codes.png (principal components, each point in its
color), strips_*.png (interpolations), codes_*.npz (the points), probes.json.
"""

import argparse
import json
import sys
from pathlib import Path

from toolkit.cli import Interrupted, add_allow_import, described_parser, main_guard


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = described_parser(__doc__)
    parser.add_argument('checkpoints', nargs='+', metavar='CHECKPOINT', help='checkpoint, or the work dir of a run')
    parser.add_argument('--out', required=True, type=Path, metavar='DIR', help='folder for figures and results')
    parser.add_argument('--overwrite', action='store_true', help='replace figures and results that are there')
    parser.add_argument('--labels', nargs='+', metavar='NAME', help='a name for each checkpoint (default: its folder)')
    parser.add_argument('--frames', type=int, default=240, metavar='N',
                        help='frames to encode, of training clips and of held-out ones (default 240 each)')
    parser.add_argument('--clips', type=int, default=6, metavar='N', help='held-out clips that stage II paints (default 6)')
    parser.add_argument('--clip-frames', type=int, default=8, metavar='N', help='frames of each, from its middle (default 8)')
    parser.add_argument('--data', metavar='DIR', help='folder of prepared clips in place of those of the configs')
    parser.add_argument('--seed', type=int, default=0, help='of frames, colors and noise (default 0)')
    parser.add_argument('--device', help='for example cuda:0 or cpu (default: the GPU if there is one)')
    add_allow_import(parser)
    return parser.parse_intermixed_args(argv)


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line, measure, draw."""
    args = parse_args(argv)
    from toolkit.analysis.latent_figures import Panel, draw_codes
    from toolkit.files import check_output, write_json
    from toolkit.metrics.latent_report import latent_json, latent_table
    from toolkit.outputs import refuse_filled, refuse_inputs
    from toolkit.skeletons import REGIONS
    from toolkit.structures import InputError, check_seed
    from toolkit.weights import checkpoint_file
    for name, least in (('frames', 40), ('clips', 1), ('clip_frames', 2)):
        if getattr(args, name) < least:
            raise InputError(f'--{name.replace("_", "-")} must be at least {least}, got {getattr(args, name)}')
    check_seed(args.seed, '--seed')
    check_output(args.out, folder=True)
    paths = [checkpoint_file(path) for path in args.checkpoints]
    labels = make_labels(paths, args.labels)
    refuse_inputs([args.out], paths)
    refuse_filled(args.out, args.overwrite)
    for path in paths:
        check_kind(path, args.data, args.allow_import)
    study = Study(args)
    try:
        for path, label in zip(paths, labels):
            study.look_at(path, label)
    except KeyboardInterrupt:
        raise Interrupted('interrupted; nothing but finished figures is written') from None
    rows = []
    for region in REGIONS:
        panels = study.panels[region]
        if panels:
            drawn = Panel(f'colors drawn: {region}', panels[0].colors, panels[0].colors, 'a code that is nothing but color', raw=True)
            rows.append([drawn, *panels])
    shares = draw_codes(rows, args.out / 'codes.png')
    print(latent_table(study.columns))
    about = dict(checkpoints={label: str(path) for label, path in zip(labels, paths)}, frames=args.frames, clips=args.clips,
                 clip_frames=args.clip_frames, data=args.data, seed=args.seed)
    write_json(args.out / 'probes.json', dict(about=about, explained_variance=shares, **latent_json(study.columns)))
    print(f'written to {args.out}: {", ".join(sorted(p.name for p in args.out.iterdir()))}')


def make_labels(paths: list[Path], labels: list[str] | None) -> list[str]:
    """Those given, or folder names, with the file's name where folders are alike."""
    from toolkit.outputs import plain_name
    from toolkit.structures import InputError
    if labels is None:
        folders = [path.resolve().parent.name for path in paths]
        labels = [folder if folders.count(folder) == 1 else f'{folder}/{path.stem}' for folder, path in zip(folders, paths)]
    if len(labels) != len(paths) or len(set(map(plain_name, labels))) != len(labels):
        raise InputError(f'--labels: {len(paths)} different names are needed, one for each checkpoint, got {", ".join(labels)}')
    return labels


def check_kind(path: Path, data: str | None, allow_imports: list[str]) -> None:
    """Refuse a checkpoint that has no codes to look at, before the clips of any are read.

    Raises:
        InputError: unreadable, of another kind of model, or without the clips to look at.
    """
    from toolkit import apis
    from toolkit.structures import InputError
    trained = apis.load(path, 'cpu', allow_imports=allow_imports)
    if trained.model.encoder is None and trained.model.codes is None:
        raise InputError(f'{path} is of a {type(trained.model).__name__} without color codes; expected stage I (BicycleGAN) or stage '
                         f'II with color codes (VideoPix2PixHD with model.color_codes)')
    for half in ('train', 'test'):
        dataset_config(trained.config, half, data)


class Study:
    """Results of all checkpoints: ``columns`` of the table and ``panels`` of the figure by region."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.columns, self.panels = args, [], dict(up=[], down=[])
        self._banks, self._untrained = {}, set()

    def look_at(self, path: Path, label: str) -> None:
        """Measure and draw one checkpoint."""
        from toolkit import apis
        trained = apis.load(path, self.args.device, allow_imports=self.args.allow_import)
        self._stage2(trained, label) if trained.model.encoder is None else self._stage1(trained, label)

    def _stage1(self, trained, label: str) -> None:
        from toolkit.analysis.code_probes import encoder_of, interpolated_pictures, probe_pictures
        from toolkit.analysis.latent_figures import draw_strips
        from toolkit.outputs import plain_name
        model, encoder, seed = trained.model, trained.model.encoder, self.args.seed
        region = encoder.region
        column = self._probe(trained, label, encoder_of(encoder, model.data_preprocessor), region, encoder.config)
        test = self._bank(trained, 'test')
        column.values |= probe_pictures(model, test, seed)
        strips = interpolated_pictures(model, test, seed=seed)
        captions = [f'{i}/{len(strips[0][2]) - 1}' for i in range(len(strips[0][2]))]
        title = f"{label}: in each row, the code of the garment ({region}) goes from the left picture's to the right picture's"
        draw_strips(strips, self.args.out / f'strips_{plain_name(label)}.png', captions, title)

    def _stage2(self, trained, label: str) -> None:
        import numpy as np

        from toolkit.analysis.clip_control import Dressed, ModelPainter, interpolate, measure_control
        from toolkit.analysis.code_probes import encoder_of
        from toolkit.analysis.latent_figures import draw_strips
        from toolkit.metrics.pck import ESTIMATORS, first_available
        from toolkit.outputs import plain_name
        model, codes = trained.model, trained.model.codes
        start, own = 0, {}
        for region, encoder in (('up', codes.up), ('down', codes.down)):
            part = slice(start, start + encoder.nz)
            encode = encoder_of(encoder, model.data_preprocessor, codes.mean[part], codes.std[part])
            own[region] = self._probe(trained, f'{label} {region}', encode, region, encoder.config, sampled=False)
            start += encoder.nz
        painter, clips = ModelPainter(model), self._clips(trained)
        estimator, reason = first_available(ESTIMATORS)
        for column in measure_control(painter, clips, label, estimator, reason, self.args.seed, bar(f'{label}: painting', 'clip')):
            if column.region in own:
                own[column.region].values |= column.values
                own[column.region].reasons |= column.reasons
            else:
                self.columns.append(column)
        one = Dressed.draw(clips[0], painter, np.random.default_rng((self.args.seed, 1)))
        names = dict(up='upper code', down='lower code', both='both')
        strips = [(name, one.content[0], list(interpolate(painter, one, region)), one.clip.dressed(*one.mixed_outfit(region))[1])
                  for region, name in names.items()]
        captions = [f'frame {t}' for t in range(len(clips[0].frames))]
        draw_strips(strips, self.args.out / f'strips_{plain_name(label)}.png', captions, f'{label}: clip {clips[0].name}')

    def _probe(self, trained, label: str, encode, region: str, encoder: dict, sampled: bool = True):
        """Columns of an encoder and of one of its config untrained, its panel and its points; returns its column."""
        import numpy as np
        import torch

        from toolkit.analysis.code_probes import encoder_of, probe_encoder
        from toolkit.analysis.latent_figures import Panel
        from toolkit.metrics.latent_report import Column
        from toolkit.outputs import plain_name
        from toolkit.registry import REGION_ENCODERS
        train, test = (self._bank(trained, half) for half in ('train', 'test'))
        seed, preprocessor = self.args.seed, trained.model.data_preprocessor
        say(f'{label}: probing codes')
        values, points = probe_encoder(encode, train, test, region, seed, sampled)
        column = Column(label, region, values)
        self.columns.append(column)
        key = json.dumps([encoder, id(train), sampled], sort_keys=True)
        if key not in self._untrained:
            self._untrained.add(key)
            torch.manual_seed(seed)
            fresh = REGION_ENCODERS.build(dict(encoder)).to(preprocessor.device).eval()
            values, _ = probe_encoder(encoder_of(fresh, preprocessor), train, test, region, seed, sampled)
            self.columns.append(Column(f'{label} untrained', region, values, control=True))
        note = f'R2 {column.values["r2_mu"]:.2f}, other garment {column.values["r2_other"]:.2f}'
        self.panels[region].append(Panel(label, points.mu, points.colors, note))
        self.args.out.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(self.args.out / f'codes_{plain_name(label)}.npz', mu=points.mu, colors=points.colors)
        return column

    def _bank(self, trained, half: str):
        """Frames of a half of the clips, shared by checkpoints of the same data."""
        from toolkit.analysis.frame_bank import FrameBank
        config = dataset_config(trained.config, half, self.args.data)
        key = json.dumps([config, colorizer(trained.config)], sort_keys=True, default=str)
        if key not in self._banks:
            dataset = build(dict(config, window=1))
            self._banks[key] = FrameBank(dataset, self.args.frames, self.args.seed, colorizer(trained.config),
                                         bar(f'reading {"training" if half == "train" else "held-out"} frames', 'clip'))
        return self._banks[key]

    def _clips(self, trained) -> list:
        """Held-out clips, two neighbors at a time, which mostly show the same person."""
        from toolkit.analysis.recolorable_clip import RecolorableClip
        from toolkit.engine.datasets import give_fields
        from toolkit.metrics.evaluator import pick_clips
        dataset = build(dict(dataset_config(trained.config, 'test', self.args.data), window=None))
        give_fields(trained.model, dataset)
        pairs = {min(i + k, len(dataset) - 1) for i in pick_clips(len(dataset), -(-self.args.clips // 2)) for k in (0, 1)}
        chosen = sorted(pairs)[:self.args.clips]
        return [RecolorableClip.read(dataset, i, self.args.clip_frames, colorizer(trained.config)) for i in chosen]


def dataset_config(config, half: str, data: str | None) -> dict:
    """Config of the dataset of training or held-out clips, as they are on disk, without transforms."""
    from toolkit.structures import InputError
    loader = config.get(f'{half}_dataloader')
    if not loader or loader.dataset.type != 'ClipWindows':
        raise InputError(f'the config in the checkpoint has no {half}_dataloader with a dataset ClipWindows')
    changes = dict(transforms=[], cache='none', content='first')
    if data is not None:
        changes |= dict(root=data, synthetic=None)
    return dict(loader.dataset.to_dict(), **changes)


def build(config: dict):
    """Build a dataset."""
    from toolkit.registry import DATASETS
    return DATASETS.build(config)


def colorizer(config) -> dict | None:
    """How the run recolored clothes; None is the default."""
    transforms = config.train_dataloader.dataset.get('transforms', [])
    return next((t.get('colorizer') for t in transforms if t['type'] == 'RecolorGarments'), None)


def bar(what: str, unit: str):
    """A progress bar on standard error."""
    from tqdm import tqdm
    return lambda items: tqdm(items, desc=what, unit=unit, leave=False)


def say(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


if __name__ == '__main__':
    main()
