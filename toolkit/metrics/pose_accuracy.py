"""How well a pose network that is being trained finds the joints of real frames."""

from collections.abc import Sequence

from toolkit.metrics.base import ClipMetric, Definition, Measure
from toolkit.metrics.pck import JOINT_SETS, correct_keypoints, count_joints, share_of_joints, torso_diagonal
from toolkit.registry import METRICS


@METRICS.register_module()
class PoseAccuracy(ClipMetric):
    """PCK of the joints that a model says it found (``detected`` of its results) against the poses of the clips.

    Args:
        alphas: fractions of the torso diagonal.
        kwargs: of :class:`ClipMetric`.
    """

    default_prefix = 'pose'

    def __init__(self, alphas: Sequence[float] = (0.1, 0.2), **kwargs) -> None:
        super().__init__(**kwargs)
        self._scores = {f'{name}@{alpha}': (joints, alpha) for alpha in alphas for name, joints in JOINT_SETS.items()}
        self.definitions = {
            key: Definition(f'share of {len(joints)} joints found by the model within {alpha} x torso diagonal of the pose of the clip',
                            'higher', 'joints') for key, (joints, alpha) in self._scores.items()}

    def update(self, state: dict, sample: dict) -> None:
        """Count joints of the scored frames."""
        if 'detected' not in sample:
            return
        scored, radius = sample['scored'], torso_diagonal(sample['poses'])
        for key, (joints, alpha) in self._scores.items():
            count_joints(state, key, *correct_keypoints(
                sample['detected'][scored][:, joints], sample['poses'][scored][:, joints], alpha * radius[scored]))

    def compute(self, state: dict) -> dict[str, Measure]:
        """Shares over all valid joints of the clip."""
        if not state:
            return dict.fromkeys(self._scores, Measure(None, reason='the model does not say where it found joints'))
        reason = 'no scored frame has the joints (right shoulder, left hip) that give the scale'
        return {key: share_of_joints(state, key, reason) for key in self._scores}
