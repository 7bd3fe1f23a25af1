"""A pose network that a run of the toolkit trained, in the service of losses and as estimator."""

from pathlib import Path

from torch import Tensor

from toolkit.poses.heatmap_estimator import HeatmapEstimator
from toolkit.registry import POSE_ESTIMATORS, POSE_NETWORKS
from toolkit.structures import InputError
from toolkit.weights import load_network, trained_checkpoint

CONFIG = 'configs/pose_network.py'


@POSE_ESTIMATORS.register_module()
class TrainedPoseNetwork(HeatmapEstimator):
    """The network of :class:`toolkit.models.pose_training.PoseTraining`, which knows the people of the clips it was trained on.

    Published pose networks want people of 256 pixels. In frames of 96x64 a picture of another person in the same pose differs for
    them nearly as much as an empty one; this network was trained at the size it is used at. What it learned of some people it may not
    know of others. It was taught the poses of the prepared clips: those of prepared videos are MediaPipe's, which then may
    not measure a model that was trained against it.

    As estimator it resizes frames to the height it was trained at.

    Args:
        checkpoint: of a run of ``configs/pose_network.py``, or its work dir, whose last checkpoint is taken.
        **kwargs: of :class:`toolkit.poses.heatmap_estimator.HeatmapEstimator`.

    Raises:
        MissingWeightsError: no checkpoint; the message says which command makes it.
        InputError: a checkpoint of something else.
    """

    name = 'trained_pose_network'
    version = '1'

    def __init__(self, checkpoint: str | Path, **kwargs) -> None:
        path = trained_checkpoint(checkpoint, 'pose network', CONFIG)
        network = load_network(POSE_NETWORKS, path, 'net_h.', 'pose network', CONFIG)
        super().__init__(**dict(dict(input_height=network.height), **kwargs))
        self.network, self.stride, self.multiple = network, network.stride, network.multiple
        self.freeze()

    def fields(self, images: Tensor, stage: int | None = None) -> tuple[Tensor, Tensor]:
        """Heatmaps and fields of a stage, see :meth:`toolkit.poses.heatmap_estimator.HeatmapEstimator.fields`.

        Raises:
            InputError: another stage than the only one.
        """
        if stage not in (None, 1):
            raise InputError(f'TrainedPoseNetwork has one stage, asked for number {stage}; leave stage=None')
        return self.network(images)
