"""Measure color codes and draw them: tables of probes, figures of where codes lie and of what lies between them.

    python tools/visualize_latent.py work_dirs/stage1_bicyclegan_up work_dirs/stage1_bicyclegan_down --out latent
    python tools/visualize_latent.py STAGE2.pth END_TO_END.pth --labels decoupled end-to-end --out latent

A CHECKPOINT, or the work dir of a run, is of stage I (BicycleGAN) or of stage II with color codes; which, is found out. Its clips are
those of its own config: probes are fitted on training clips, everything else is measured on held-out ones, recolored with recorded
draws. Beside each encoder stands the same one untrained. Written to --out: codes.png (principal components, each point in its
color), strips_*.png (interpolations), codes_*.npz (the points), probes.json.
"""

import argparse
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
    from tqdm import tqdm

    from toolkit import apis
    from toolkit.analysis.latent_study import LatentStudy, study_labels
    from toolkit.outputs import refuse_inputs
    from toolkit.weights import checkpoint_file
    paths = [checkpoint_file(path) for path in args.checkpoints]
    labels = study_labels(paths, args.labels)
    refuse_inputs([args.out], paths)
    study = LatentStudy(args.out, args.frames, args.clips, args.clip_frames, args.data, args.seed, args.overwrite,
                        lambda what, unit: lambda items: tqdm(items, desc=what, unit=unit, leave=False))
    with study.held():
        for path, label in zip(paths, labels):
            trained = apis.load(path, 'cpu', allow_imports=args.allow_import)
            study.check(trained.model, trained.config, str(path), label)
        try:
            for path, label in zip(paths, labels):
                trained = apis.load(path, args.device, allow_imports=args.allow_import)
                study.look_at(trained.model, trained.config, label)
        except KeyboardInterrupt:
            raise Interrupted('interrupted; nothing but finished figures is written') from None
        study.write(dict(checkpoints={label: str(path) for label, path in zip(labels, paths)}))
    print(study.table())
    print(f'written to {args.out}: {", ".join(sorted(p.name for p in args.out.iterdir()))}')


if __name__ == '__main__':
    main()
