"""Metrics of a config, told which pose networks would flatter the model."""

from collections.abc import Collection, Sequence

from mmengine.evaluator import BaseMetric

from toolkit.engine.build_errors import naming_parts
from toolkit.registry import METRICS, part_arguments


def build_metrics(configs: Sequence[dict], biased: Collection[str], where: str = 'test_evaluator',
                  device: str | None = None) -> list[BaseMetric]:
    """Build metrics.

    Args:
        configs: of ``METRICS`` parts.
        biased: types of pose networks that must not measure it, see :func:`toolkit.models.loss_table.trained_against`.
        where: place in the config, for errors.
        device: where they compute; None for their own default.
    """
    given = {'device': device} if device else {}

    def defaults(kind: str) -> dict:
        takes = part_arguments(METRICS.get(kind))
        return given | ({'trained_against': sorted(biased)} if takes and 'trained_against' in takes else {})

    with naming_parts({where: list(configs)}):
        return [METRICS.build(c, default_args=defaults(c['type'])) for c in configs]


def pose_makers(dataset) -> set[str]:
    """Who made the poses of the clips: a pose network that the toolkit trained has learned from them."""
    return {clip.manifest.get('made_by', {}).get('poses', {}).get('type') for clip in getattr(dataset, 'clips', ())} - {None}
