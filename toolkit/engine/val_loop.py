"""Validation during training."""

from collections.abc import Sequence

from mmengine.dist import get_dist_info
from mmengine.evaluator import Evaluator
from mmengine.runner import ValLoop as MMEngineValLoop
from torch.utils.data import DataLoader

from toolkit.engine.metric_builder import build_metrics, pose_makers
from toolkit.engine.testing import training_domains
from toolkit.metrics.base import ClipMetric
from toolkit.metrics.evaluator import ClipEvaluator, check_frames, check_prefixes, pick_clips
from toolkit.models.bare import bare, unwrapped
from toolkit.models.loss_table import trained_against
from toolkit.registry import LOOPS
from toolkit.structures import InputError
from toolkit.together import from_all_processes


@LOOPS.register_module()
class ValLoop(MMEngineValLoop):
    """Measures whole clips of ``val_dataloader`` as ``tools/test.py`` does: part by part, shared out over the processes.

    Where a metric is none of ours, or the model does not generate clips, it is MMEngine's loop: ``val_step`` on each batch.

    Args:
        runner: a :class:`toolkit.engine.runner.TrainRunner`.
        dataloader: config; its dataset yields whole clips (``window=None``).
        evaluator: ``METRICS`` configs. A pose network that the model is trained against measures nothing.
        clips: only as many clips, spread evenly; None for all.
        max_frames: only the first frames of each clip; None for all.

    Raises:
        InputError: a dataset of windows, a metric of transfers where there is none, two metrics of one name, too few clips or frames.
    """

    def __init__(self, runner, dataloader: DataLoader | dict, evaluator: Evaluator | dict | Sequence[dict], clips: int | None = None,
                 max_frames: int | None = None) -> None:
        configs, biased = [evaluator] if isinstance(evaluator, dict) else evaluator, trained_against(runner.cfg.get('model') or {})
        if not isinstance(evaluator, Evaluator):
            evaluator = Evaluator(build_metrics(configs, biased, 'val_evaluator'))
        super().__init__(runner, dataloader, evaluator)
        dataset, metrics = self.dataloader.dataset, self.evaluator.metrics
        self.clips, self.max_frames = pick_clips(len(dataset), clips), max_frames
        check_frames(max_frames)
        self.whole_clips = all(isinstance(metric, ClipMetric) for metric in metrics) and hasattr(bare(runner.model), 'test_stream')
        if not self.whole_clips:
            return
        if getattr(dataset, 'window', None) is not None:
            raise InputError(f'val_dataloader.dataset.window must be None, for whole clips; got {dataset.window}')
        if 'TrainedPoseNetwork' in biased and not isinstance(configs, Evaluator):
            metrics = self.evaluator.metrics = build_metrics(configs, biased | pose_makers(dataset), 'val_evaluator')
        check_prefixes(metrics)
        for metric in (metric for metric in metrics if metric.needs_domains):
            domains = training_domains((runner.cfg.get('train_dataloader') or {}).get('dataset', {}), dataset)
            if not domains:
                raise InputError(f'val_evaluator: {type(metric).__name__} measures transfers between two persons; leave it out')
            metric.fit(domains)

    def run(self) -> dict[str, float]:
        """Validate.

        Returns:
            The means over clips by name, such as ``psnr/full``, without those that are n/a.
        """
        if not self.whole_clips:
            return super().run()
        self.runner.call_hook('before_val')
        self.runner.call_hook('before_val_epoch')
        with unwrapped(self.runner.model) as model:
            model.eval()
            evaluator = ClipEvaluator({'model': model}, self.dataloader.dataset, self.evaluator.metrics, self.max_frames)
            self._measure(evaluator)
        metrics = {key: summary.value for key, summary in evaluator.summarize()['model'].items() if summary.value is not None}
        self.runner.call_hook('after_val_epoch', metrics=metrics)
        self.runner.call_hook('after_val')
        return metrics

    def _measure(self, evaluator: ClipEvaluator) -> None:
        """Measure this process's clips and gather those of all."""
        rank, world = get_dist_info()
        parts = from_all_processes(
            lambda: {index: evaluator.measure(index, lambda samples: None) for index in self.clips[rank::world]})
        evaluator.results = {index: rows for part in parts for index, rows in part.items()}
