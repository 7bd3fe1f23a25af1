"""Which estimator, detector and segmentor prepare clips when the user does not choose."""

from toolkit.registry import EDGE_DETECTORS, POSE_ESTIMATORS, SEGMENTORS, at_hand, build_part
from toolkit.structures import InputError, MissingWeightsError

WEIGHTLESS_HINT = (
    'install MediaPipe; in the folder of the toolkit: pip install -r requirements/mediapipe.txt && pip install --no-deps -r '
    'requirements/no_deps.txt -e plugins/mediapipe_human. Where there is none, as for Python 3.13, prepare the video first with '
    'another estimator, such as that of plugins/rtmlib_human: python tools/prepare_data.py me.mp4 --out data/mine --pose RTMLibPose '
    'download=True, and give data/mine/me in place of me.mp4 (tools/finetune.py and tools/distill.py take --data data/mine, '
    'tools/live.py also takes --pose)')


def default_pose() -> dict:
    """``MediaPipePose`` if it and its plugin are installed, else ``OpenPoseMobile``."""
    return dict(type='MediaPipePose' if at_hand(POSE_ESTIMATORS, 'MediaPipePose') else 'OpenPoseMobile')


def default_mask() -> dict:
    """``MediaPipeSegmentor`` if it and its plugin are installed, else ``PoseGrabCut``."""
    return dict(type='MediaPipeSegmentor' if at_hand(SEGMENTORS, 'MediaPipeSegmentor') else 'PoseGrabCut')


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
