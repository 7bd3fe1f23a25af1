"""The test of a checkpoint on the clips of ``test_dataloader``: built, measured, reported."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch.utils.data import Dataset

from toolkit.doors import shortened
from toolkit.engine.build_errors import naming_parts
from toolkit.engine.clip_videos import clip_videos
from toolkit.engine.config import load_config
from toolkit.engine.datasets import give_fields
from toolkit.engine.memory import memory_kept
from toolkit.engine.metric_builder import build_metrics, pose_makers
from toolkit.engine.testing import build_baselines, build_model, ready, training_domains
from toolkit.engine.trained_on import trained_frames
from toolkit.files import check_output, write_json
from toolkit.locks import locked
from toolkit.metrics.evaluator import ClipEvaluator, Watch, check_frames, pick_clips
from toolkit.metrics.report import table, to_json
from toolkit.metrics.result_cache import ResultCache, fingerprint
from toolkit.models.loss_table import trained_against
from toolkit.outputs import hidden, refuse_existing, refuse_filled, refuse_inputs
from toolkit.registry import DATASETS, did_you_mean
from toolkit.structures import InputError
from toolkit.together import on_main_process
from toolkit.weights import checkpoint_file, read_checkpoint

DIRECTIONS = {'ab': 'A to B', 'ba': 'B to A'}


class Evaluation:
    """A model, its baselines, metrics and clips, ready to be measured. What would end the measuring is looked for while it is built.

    ::

        evaluation = Evaluation('stage2_pix2pixhd', 'work_dirs/stage2_pix2pixhd', baselines=True)
        evaluation.run()
        print(evaluation.tables())

    In several processes each builds it, measures its share of the clips, and has all results.

    Args:
        config: a config file, the name of one of the toolkit's, or a config of :func:`toolkit.engine.config.load_config`.
        checkpoint: weights to test, or the work dir of a run; None for a model without weights.
        cfg_options: overrides of the config, see :func:`toolkit.engine.config.load_config`.
        baselines: measure the method's baselines beside it.
        metrics: only these of ``test_evaluator``.
        clips: only so many, spread evenly over the test clips.
        max_frames: only the first frames of each clip.
        out: where :meth:`write` writes, in JSON. The same run, where it was stopped, goes on where it was; another one begins anew.
        videos: folder for a video of each clip: poses, a transfer's input, real, generated, baselines. New, empty, or that of the run
            that goes on.
        overwrite: replace what is there.
        device: where models and metrics compute.

    Attributes:
        dataset: the clips.
        models: name -> model, ``'model'`` and the baselines.
        indices: of the clips that are measured.
        measured: indices of those that are done.
        trained_on: folder of a clip -> how many of the frames that are measured the model was trained on, see
            :func:`toolkit.engine.trained_on.trained_frames`.

    Raises:
        InputError: an unusable config, checkpoint, option, output or data set; the message says which.
    """

    def __init__(self, config: str | Path | Config, checkpoint: str | Path | None = None,
                 cfg_options: dict[str, Any] | Sequence[str] = (), *, baselines: bool = False,
                 metrics: Sequence[str] | None = None, clips: int | None = None, max_frames: int | None = None,
                 out: str | Path | None = None, videos: str | Path | None = None, overwrite: bool = False, device: str = 'cpu') -> None:
        pick_clips(1, clips)
        check_frames(max_frames)
        named = config.filename if isinstance(config, Config) else config
        _check_outputs(out, videos, [named, checkpoint], overwrite)
        self._overwrite = overwrite
        checkpoint = str(checkpoint_file(checkpoint)) if checkpoint else None
        cfg = config if isinstance(config, Config) else load_config(config, cfg_options)
        chosen = choose_metrics(cfg, metrics)
        _check_dataset(cfg)
        meta = read_checkpoint(checkpoint).get('meta') or {} if checkpoint else {}
        biased = pose_networks(cfg, meta)
        measures = build_metrics(chosen, biased, device=device)
        model, about = build_model(cfg, checkpoint)
        self.dataset = _build_dataset(cfg)
        give_fields(model, self.dataset)
        if 'TrainedPoseNetwork' in biased:
            measures = build_metrics(chosen, biased | pose_makers(self.dataset), device=device)
        train = (cfg.get('train_dataloader') or {}).get('dataset') or {}
        domains = training_domains(train, self.dataset)
        for metric in measures if domains else ():
            if metric.needs_domains:
                metric.fit(domains)
        self.models = ready({'model': model, **(build_baselines(model, train, domains) if baselines else {})}, device)
        self.indices = pick_clips(len(self.dataset), clips)
        self.trained_on = trained_frames(meta, self.dataset, self.indices, max_frames)
        self.about = about | dict(config=str(named), max_frames=max_frames, clips_available=len(self.dataset))
        key = fingerprint(cfg.model, cfg.test_dataloader.dataset, train or None, self.about,
                          chosen, [(m.prefix, m.missing, str(m.definitions)) for m in measures], sorted(self.models),
                          _clip_states(self.dataset, domains, self.models), videos and str(Path(videos).resolve()))
        self.out, self.cache, self.device = out, ResultCache(hidden(out, 'partial'), key) if out else None, device
        self.evaluator = ClipEvaluator(self.models, self.dataset, measures, max_frames, self.cache)
        self._watch = clip_videos(videos, on_main_process(lambda: self._may_replace(videos, overwrite))) if videos else None

    @property
    def measured(self) -> list[int]:
        """Indices of the clips that are done."""
        return sorted(self.evaluator.results)

    def run(self, progress: Callable[[Iterable], Iterable] = iter, watch: Watch | None = None) -> None:
        """Measure, see :meth:`toolkit.metrics.evaluator.ClipEvaluator.run`.

        Args:
            progress: wraps the loop over this process's clips, for a progress bar.
            watch: sees what is generated; default what writes the videos.

        Raises:
            InputError: another process measures for the same ``out``; or what measuring raises.
        """
        busy = f'{self.out}: is being measured by another process; wait for it, or choose another --out'
        with ExitStack() as held:
            held.enter_context(memory_kept())
            if self.out:
                on_main_process(lambda: held.enter_context(locked(hidden(self.out, 'lock'), wait=False, busy=busy, keep=False)))
            self.evaluator.run(self.indices, progress, watch or self._watch)

    def tables(self, width: int = 160) -> str:
        """What was measured so far, as text: of a transfer a table of each direction, then of both together; else one table.

        Args:
            width: characters in a line.
        """
        parts = [f'{DIRECTIONS.get(group, group)}\n{table(self.evaluator.summarize(group), width, brief=True)}\n\n'
                 for group in self.evaluator.groups()]
        notes = ''.join(f'\n{note}' for note in self.notes)
        return ''.join([*parts, 'All directions\n' if parts else '', table(self.evaluator.summarize(), width), notes])

    @property
    def notes(self) -> list[str]:
        """What somebody who reads the numbers should know."""
        if not self.trained_on:
            return []
        clips = shortened(', '.join(f'{count} frames of {folder}' for folder, count in self.trained_on.items()))
        return [f'The model was trained on {sum(self.trained_on.values())} of the frames that are measured ({clips}): the numbers do '
                f'not tell how it paints what it never saw. Hold clips or frames out of the training (split, exclude).']

    def results(self) -> dict[str, Any]:
        """What was measured, as plain values: ``about``, ``metrics`` of the model and, where there are any, those of ``baselines``, and
        both of each of ``directions``."""
        date = datetime.datetime.now().astimezone().isoformat(timespec='seconds')
        content = {'about': dict(self.about, trained_on=self.trained_on, device=self.device, date=date), **self._numbers()}
        if groups := self.evaluator.groups():
            content['directions'] = {group: self._numbers(group) for group in groups}
        return content

    def _may_replace(self, videos: str | Path, overwrite: bool) -> bool:
        """Whether videos may be replaced: a stopped run goes on with its own, those of others only where the user said so.

        Raises:
            InputError: the folder is filled, and they may not.
        """
        replace = overwrite or self.cache is not None and self.cache.begun()
        refuse_filled(videos, replace)
        return replace

    def _numbers(self, group: str | None = None) -> dict[str, Any]:
        results = {name: to_json(result) for name, result in self.evaluator.summarize(group).items()}
        content = {'metrics': results.pop('model')}
        return {**content, 'baselines': results} if results else content

    def write(self) -> None:
        """Write the results to ``out``; what was kept for going on is removed."""
        write_json(self.out, self.results(), self._overwrite, lasting=True)
        self._overwrite = True  # what is there now is ours
        self.cache.remove()


def choose_metrics(cfg: dict, names: Sequence[str] | None) -> list[dict]:
    """The configs of ``test_evaluator``, or those that ``names`` picks.

    Raises:
        InputError: no ``test_evaluator``, or a name that is not in it.
    """
    configs = cfg.get('test_evaluator')
    if not configs:
        raise InputError(f"{cfg.filename} has no test_evaluator; add '_base_/evaluation.py' to its _base_")
    configs = configs if isinstance(configs, (list, tuple)) else [configs]
    there = [c['type'] for c in configs]
    for name in names or []:
        if name.lower() not in [t.lower() for t in there]:
            raise InputError(f'metrics {name}: not in test_evaluator, which has {", ".join(there)}.{did_you_mean(name, there)}')
    return [c for c in configs if not names or c['type'].lower() in [n.lower() for n in names]]


def pose_networks(cfg: dict, meta: Mapping[str, Any]) -> set[str]:
    """Names of the pose networks of the model's losses, and of those it was trained with: measured by them it would look too good.

    Args:
        cfg: of the test.
        meta: of the checkpoint; empty without one.
    """
    trained = meta.get('config') or {}
    return trained_against(cfg.get('model', {})) | trained_against(trained.get('model', {}))


def _check_outputs(out, videos, inputs: Sequence[str | Path | None], overwrite: bool) -> None:
    """Refuse to write over files that are there, unless told to. Where a run was stopped, the videos may be its own: that is looked
    at when it is known what is measured."""
    if out:
        check_output(out)
    if videos:
        check_output(videos, folder=True)
    refuse_inputs([path for path in (out, videos) if path], [path for path in inputs if path and Path(path).is_file()])
    refuse_existing([out] if out else [], overwrite)
    if videos and not (out and hidden(out, 'partial').exists()):
        refuse_filled(videos, overwrite)


def _check_dataset(cfg) -> None:
    """See that the config tests whole clips, without looking at them."""
    if not cfg.get('test_dataloader'):
        raise InputError(f'{cfg.filename} has no test_dataloader; it needs one with a dataset of whole clips (window=None)')
    window = cfg.test_dataloader.dataset.get('window', None)
    if window is not None:
        raise InputError(f'test_dataloader.dataset.window must be None, for whole clips; got {window}')


def _build_dataset(cfg) -> Dataset:
    """The data set, which may have to render its clips first."""
    with naming_parts(cfg._cfg_dict):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    if not len(dataset):
        raise InputError('the test dataset has no clip')
    return dataset


def _clip_states(dataset, domains: dict, models: dict) -> list[str]:
    """What the clips are now, those that are measured and those that baselines and metrics know: other clips give other results."""
    sources = [dataset, *(frames.windows for frames in domains.values()), *(getattr(m, 'examples', None) for m in models.values())]
    return [clip.state() for source in sources for key in ('clips', 'reference_clips') for clip in getattr(source, key, [])]
