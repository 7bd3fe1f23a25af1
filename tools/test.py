"""Measure a checkpoint on the test clips of its config: a table, and JSON with ``--out``.

    python tools/test.py configs/stage2_pix2pixhd.py work_dirs/stage2_pix2pixhd/iter_0300000.pth --baselines --out results.json
    torchrun --nproc_per_node 4 tools/test.py CONFIG CHECKPOINT --out results.json

A transfer between two persons is measured in each direction and in both together; PCK takes a pose network that the model was
not trained against.

With ``--out`` an interrupted run goes on where it was when the same command is given again. Under torchrun the clips are shared out
over the processes.
"""

import argparse
import shutil

from toolkit.cli import Interrupted, main_guard


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help="config file, or the name of one of the toolkit's, for example stage2_pix2pixhd")
    parser.add_argument('checkpoint', nargs='?',
                        help='weights to test, or the work dir of a run; only a model without weights needs none')
    parser.add_argument('--out', metavar='FILE', help='write the results as JSON, with every clip')
    parser.add_argument('--baselines', action='store_true',
                        help='also measure plain baselines: content frame repeated, its parts pasted, nearest training frame; of a '
                             'transfer: input copied, a target frame repeated, nearest target frame; or the model\'s own, such as '
                             'warped feature maps for their restoration')
    parser.add_argument('--metrics', nargs='+', metavar='NAME', help='only these metrics of test_evaluator, for example PSNR LPIPS')
    parser.add_argument('--clips', type=int, metavar='N', help='only N clips, spread evenly over the test clips')
    parser.add_argument('--max-frames', type=int, metavar='N', help='only the first N frames of each clip')
    parser.add_argument('--save-videos', metavar='DIR', help='write a video of each clip: poses, real, generated, baselines')
    parser.add_argument('--overwrite', action='store_true', help='replace files of --out and --save-videos that are there')
    parser.add_argument('--device', help='for example cuda:0 or cpu (default: the GPU if there is one)')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'],
                        help='who started the processes, as in train.py; torchrun is noticed without')
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override keys of the config, for example test_dataloader.dataset.root=my_clips; unknown keys are errors')
    return parser.parse_intermixed_args(argv)


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line, measure, report."""
    args = parse_args(argv)
    from tqdm import tqdm

    from toolkit.engine.evaluation import Evaluation
    from toolkit.engine.processes import join_processes
    rank, device = join_processes(args.device, args.launcher)
    evaluation = Evaluation(
        args.config, args.checkpoint, args.cfg_options, baselines=args.baselines, metrics=args.metrics, clips=args.clips,
        max_frames=args.max_frames, out=args.out, videos=args.save_videos, overwrite=args.overwrite, device=device)
    width = shutil.get_terminal_size((180, 24)).columns
    for note in evaluation.notes if rank == 0 else ():
        print(note, flush=True)
    try:
        evaluation.run(lambda clips: tqdm(clips, unit='clip', desc='testing', disable=rank > 0))
    except KeyboardInterrupt:
        done = len(evaluation.measured)
        if done and rank == 0:
            print(evaluation.tables(width))
        kept = f'They are kept in {evaluation.cache.base}: the same command goes on from there.' if args.out else \
            'With --out it could be continued.'
        raise Interrupted(f'interrupted after {done} of {len(evaluation.indices)} clips. {kept}') from None
    if rank == 0:
        print(evaluation.tables(width))
    if rank == 0 and args.out:
        evaluation.write()
        print(f'written to {args.out}')


if __name__ == '__main__':
    main()
