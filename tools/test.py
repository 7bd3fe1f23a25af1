"""Measure a checkpoint on the test clips of its config: a table, and JSON with ``--out``.

    python tools/test.py configs/stage2_pix2pixhd.py work_dirs/stage2_pix2pixhd/iter_0300000.pth --baselines --out results.json
    torchrun --nproc_per_node 4 tools/test.py CONFIG CHECKPOINT --out results.json

A transfer between two persons is measured in each direction and in both together; PCK takes a pose network that the model was
not trained against.

With ``--out`` an interrupted run goes on where it was when the same command is given again. Under torchrun the clips are shared out
over the processes.
"""

import argparse
import datetime
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from toolkit.cli import Interrupted, main_guard

DIRECTIONS = {'ab': 'A to B', 'ba': 'B to A'}


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
    from mmengine.dist import get_dist_info
    from tqdm import tqdm

    from toolkit.engine.datasets import give_fields
    from toolkit.engine.launch import load_config
    from toolkit.engine.metric_builder import build_metrics, pose_makers
    from toolkit.engine.testing import build_baselines, build_model, ready
    from toolkit.files import write_json
    from toolkit.metrics.evaluator import ClipEvaluator, pick_clips
    from toolkit.metrics.result_cache import ResultCache, fingerprint
    from toolkit.outputs import hidden
    from toolkit.weights import checkpoint_file

    device = set_up(args.device, args.launcher)
    check_arguments(args)
    replace = check_outputs(args)
    checkpoint = str(checkpoint_file(args.checkpoint)) if args.checkpoint else None
    rank, _ = get_dist_info()
    cfg = load_config(args.config, args.cfg_options)
    chosen = choose_metrics(cfg, args.metrics)
    check_dataset(cfg)
    biased = pose_networks(cfg, checkpoint)
    metrics = build_metrics(chosen, biased, device=device)
    model, about = build_model(cfg, checkpoint)
    dataset = build_dataset(cfg)
    give_fields(model, dataset)
    if 'TrainedPoseNetwork' in biased:
        metrics = build_metrics(chosen, biased | pose_makers(dataset), device=device)
    domains = show_domains(cfg, dataset, metrics)
    models = ready({'model': model, **(build_baselines(model, training_data(cfg), domains) if args.baselines else {})}, device)
    about |= {'config': args.config, 'max_frames': args.max_frames, 'clips_available': len(dataset)}
    key = fingerprint(cfg.model, cfg.test_dataloader.dataset, cfg.get('train_dataloader', {}).get('dataset'), about,
                      [(m.prefix, m.missing, str(m.definitions)) for m in metrics], clip_states(dataset, domains, models))
    cache = ResultCache(hidden(args.out, 'partial'), key) if args.out else None
    evaluator = ClipEvaluator(models, dataset, metrics, args.max_frames, cache)
    indices = pick_clips(len(dataset), args.clips)
    width = shutil.get_terminal_size((180, 24)).columns
    try:
        evaluator.run(indices, lambda clips: tqdm(clips, unit='clip', desc='testing', disable=rank > 0),
                      save_videos(args.save_videos, replace) if args.save_videos else None)
    except KeyboardInterrupt:
        done = len(evaluator.results)
        if done and rank == 0:
            print_tables(evaluator, width)
        kept = f'They are kept in {cache.base}: the same command goes on from there.' if cache else 'With --out it could be continued.'
        raise Interrupted(f'interrupted after {done} of {len(indices)} clips. {kept}') from None
    if rank > 0:
        return
    print_tables(evaluator, width)
    if args.out:
        about['device'] = device
        about['date'] = datetime.datetime.now().astimezone().isoformat(timespec='seconds')
        content = {'about': about, **results_json(evaluator)}
        if evaluator.groups():
            content['directions'] = {group: results_json(evaluator, group) for group in evaluator.groups()}
        write_json(args.out, content)
        cache.remove()
        print(f'written to {args.out}')


def clip_states(dataset, domains: dict, models: dict) -> list[str]:
    """What the clips are now, those that are measured and those that baselines and metrics know: other clips give other results."""
    sources = [dataset, *(frames.windows for frames in domains.values()), *(getattr(m, 'examples', None) for m in models.values())]
    return [clip.state() for source in sources for clip in getattr(source, 'clips', [])]


def check_outputs(args: argparse.Namespace) -> bool:
    """Refuse to write over files that are there, unless told to; an interrupted run goes on with its own.

    Returns:
        Whether videos that are there may be replaced.

    Raises:
        InputError: names the file or folder.
    """
    from toolkit.outputs import hidden, refuse_existing, refuse_filled, refuse_inputs
    written = [path for path in (args.out, args.save_videos) if path]
    refuse_inputs(written, [path for path in (args.config, args.checkpoint) if path and Path(path).is_file()])
    refuse_existing([args.out] if args.out else [], args.overwrite)
    interrupted = bool(args.out) and hidden(args.out, 'partial').exists()
    if args.save_videos and not interrupted:
        refuse_filled(args.save_videos, args.overwrite)
    return args.overwrite or interrupted


def set_up(device: str | None, launcher: str | None = None) -> str:
    """Join the other processes, if any, fix the seeds and choose this process's device."""
    import torch
    from mmengine.runner import set_random_seed

    from toolkit.engine.processes import process_environment
    os.environ.update(process_environment(launcher or 'none'))
    local, world = int(os.environ.get('LOCAL_RANK', '0')), int(os.environ.get('WORLD_SIZE', '1'))
    if world > 1 and launcher != 'none' and not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
    set_random_seed(0)
    if device is None:
        device = f'cuda:{local % torch.cuda.device_count()}' if torch.cuda.is_available() else 'cpu'
    if device.startswith('cuda'):
        torch.cuda.set_device(device)
    return device


def print_tables(evaluator, width: int) -> None:
    """Print the results: of a transfer those of each direction, then of both together; else one table."""
    from toolkit.metrics.report import table
    for group in evaluator.groups():
        print(f'{DIRECTIONS.get(group, group)}\n{table(evaluator.summarize(group), width, brief=True)}\n')
    if evaluator.groups():
        print('All directions')
    print(table(evaluator.summarize(), width))


def results_json(evaluator, group: str | None = None) -> dict:
    """The model's numbers under ``metrics`` and, where there are any, those of baselines under ``baselines``."""
    from toolkit.metrics.report import to_json
    results = {name: to_json(result) for name, result in evaluator.summarize(group).items()}
    content = {'metrics': results.pop('model')}
    return {**content, 'baselines': results} if results else content


def choose_metrics(cfg, names: list[str] | None) -> list[dict]:
    """The configs of ``test_evaluator``, or those that ``names`` picks.

    Raises:
        InputError: no ``test_evaluator``, or a name that is not in it.
    """
    from toolkit.registry import did_you_mean
    from toolkit.structures import InputError
    configs = cfg.get('test_evaluator')
    if not configs:
        raise InputError(f"{cfg.filename} has no test_evaluator; add '_base_/evaluation.py' to its _base_")
    configs = configs if isinstance(configs, (list, tuple)) else [configs]
    there = [c['type'] for c in configs]
    for name in names or []:
        if name.lower() not in [t.lower() for t in there]:
            raise InputError(f'--metrics {name}: not in test_evaluator, which has {", ".join(there)}.{did_you_mean(name, there)}')
    return [c for c in configs if not names or c['type'].lower() in [n.lower() for n in names]]


def pose_networks(cfg, checkpoint: str | None) -> set[str]:
    """Names of the pose networks of the model's losses, and of those it was trained with: measured by them it would look too good."""
    from toolkit.models.loss_table import trained_against
    from toolkit.weights import read_checkpoint
    trained = read_checkpoint(checkpoint).get('meta', {}).get('config', {}) if checkpoint else {}
    return trained_against(cfg.get('model', {})) | trained_against(trained.get('model', {}))


def show_domains(cfg, dataset, metrics: list) -> dict:
    """Training frames of both persons of a transfer, shown to the metrics that need them; empty for other datasets."""
    from toolkit.engine.testing import training_domains
    domains = training_domains(training_data(cfg), dataset)
    for metric in metrics if domains else ():
        if metric.needs_domains:
            metric.fit(domains)
    return domains


def training_data(cfg) -> dict:
    """Config of the dataset of training; empty where there is none."""
    return (cfg.get('train_dataloader') or {}).get('dataset') or {}


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse what would end the run only after the clips are there.

    Raises:
        InputError: too few clips or frames, or results that cannot be written.
    """
    from toolkit.files import check_output
    from toolkit.metrics.evaluator import check_frames, pick_clips
    pick_clips(1, args.clips)
    check_frames(args.max_frames)
    if args.out:
        check_output(args.out)
    if args.save_videos:
        check_output(args.save_videos, folder=True)


def check_dataset(cfg) -> None:
    """See that the config tests whole clips, without looking at them.

    Raises:
        InputError: no ``test_dataloader``, or windows instead of clips.
    """
    from toolkit.structures import InputError
    if not cfg.get('test_dataloader'):
        raise InputError(f'{cfg.filename} has no test_dataloader; it needs one with a dataset of whole clips (window=None)')
    window = cfg.test_dataloader.dataset.get('window', None)
    if window is not None:
        raise InputError(f'test_dataloader.dataset.window must be None, for whole clips; got {window}')


def build_dataset(cfg):
    """Build the dataset of ``test_dataloader``, which may have to render its clips first.

    Raises:
        InputError: no clip.
    """
    from toolkit.engine.build_errors import naming_parts
    from toolkit.registry import DATASETS
    from toolkit.structures import InputError
    with naming_parts(cfg._cfg_dict):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    if not len(dataset):
        raise InputError('the test dataset has no clip')
    return dataset


def save_videos(folder: str, overwrite: bool):
    """What writes each clip as one video, part by part: pose maps, a transfer's input, real, what each model made, side by side."""
    import numpy as np

    from toolkit.outputs import plain_path
    from toolkit.video.io import VideoWriter

    @contextmanager
    def watch() -> Iterator[Callable[[dict[str, dict]], None]]:
        with ExitStack() as stack:
            video = None

            def see(samples: dict[str, dict]) -> None:
                nonlocal video
                first = next(iter(samples.values()))
                if video is None:
                    path = Path(f'{Path(folder) / plain_path(first["clip"])}.mp4')
                    path.parent.mkdir(parents=True, exist_ok=True)
                    video = stack.enter_context(VideoWriter(path, first['fps'], overwrite=overwrite))
                source = [first['input']['frames']] if first.get('has_truth') else []
                for frames in zip(first['pose_maps'], *source, first['real'], *(s['generated'] for s in samples.values())):
                    video.write(np.concatenate(frames, 1))

            yield see

    return watch


if __name__ == '__main__':
    main()
