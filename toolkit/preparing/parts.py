"""Which estimator, detector and segmentor prepare clips when the user does not choose."""

from toolkit.registry import EDGE_DETECTORS, POSE_ESTIMATORS, SEGMENTORS, build_part
from toolkit.structures import InputError, MissingWeightsError

WEIGHTLESS_HINT = (
    'install the plugin mediapipe_human (pip install ./plugins/mediapipe_human), put the weights of OpenPoseMobile into a weight '
    'folder, or choose another estimator with --pose, for example --pose KeypointFiles path=poses.npz')


def default_pose() -> dict:
    """``MediaPipePose`` if its plugin is installed, else ``OpenPoseMobile``."""
    return dict(type='MediaPipePose' if 'MediaPipePose' in POSE_ESTIMATORS else 'OpenPoseMobile')


def default_mask() -> dict:
    """``MediaPipeSegmentor`` if its plugin is installed, else ``PoseGrabCut``."""
    return dict(type='MediaPipeSegmentor' if 'MediaPipeSegmentor' in SEGMENTORS else 'PoseGrabCut')


def build_parts(pose: dict | None = None, edges: dict | None = None, mask: dict | None = None) -> tuple[tuple, dict[str, dict]]:
    """Build the three parts that prepare a clip.

    Args:
        pose, edges, mask: configs with ``type``; None for the defaults (edges: ``SoftCanny``).

    Returns:
        (pose estimator, edge detector, segmentor) and their configs under 'poses', 'edges', 'masks', both for
        :func:`toolkit.preparing.prepare.prepare_video`.

    Raises:
        InputError: unknown type or option, or the default estimator cannot be had; says what to install.
    """
    configs = dict(poses=pose or default_pose(), edges=edges or dict(type='SoftCanny'), masks=mask or default_mask())
    try:
        estimator = build_part(configs['poses'], POSE_ESTIMATORS)
    except MissingWeightsError as error:
        if pose is not None:
            raise
        raise InputError(f'no pose estimator at hand: {error} What to do: {WEIGHTLESS_HINT}') from error
    return (estimator, build_part(configs['edges'], EDGE_DETECTORS), build_part(configs['masks'], SEGMENTORS)), configs
