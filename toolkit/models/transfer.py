"""What methods between two persons share: the result for a clip, the baselines, and what they ask of their data."""

import numpy as np
from torch.utils.data import Dataset

from toolkit.models.base import VideoModel
from toolkit.structures import InputError

BASELINES = ('CopyInput', 'CopyTargetFrame', 'NearestTargetFrame')


def transfer_baselines() -> dict[str, dict]:
    """The baselines of a transfer, see :meth:`toolkit.models.base.VideoModel.baselines`."""
    return {name: dict(type=name) for name in BASELINES}


def transfer_result(data: dict, generated: np.ndarray) -> dict:
    """The result of a transfer, the true result where it is known, and the input.

    Args:
        data: one item of :class:`toolkit.datasets.directed.DirectedClips` with a batch axis of 1; or one whole clip of ``ClipWindows``,
            which is then taken for one of person A. ``truth_*`` entries become what the result is compared with, else it is the input.
        generated: (T, H, W, 3) uint8.

    Returns:
        :meth:`toolkit.models.base.VideoModel.clip_result` with the direction in the clip's name, and ``direction``, ``has_truth``
        (bool), ``input`` (a dict of ``frames``, ``mask``, ``poses``) and ``scored``: all frames, for none was given to the model.
    """
    if 'direction' not in data:
        data = {**data, 'direction': ['ab'], 'clip': [f'{data["clip"][0]}_ab']}
    direction = data['direction'][0]
    own = VideoModel.clip_result(data, generated)
    truth = {key.removeprefix('truth_'): value[:, :len(generated)] for key, value in data.items() if key.startswith('truth_')}
    result = VideoModel.clip_result({**data, **truth}, generated) if truth else own
    return dict(
        result, direction=direction, has_truth=bool(truth), input=dict(frames=own['real'], mask=own['mask'], poses=own['poses']),
        scored=np.ones(len(generated), bool))


def check_one_size(dataset: Dataset, why: str) -> None:
    """Refuse two persons whose frames differ in size.

    Args:
        dataset: of a training; one without two persons, ``a`` and ``b``, is left alone.
        why: who needs one size, and what for.

    Raises:
        InputError: names both sizes.
    """
    sizes = [getattr(dataset, name).windows.size for name in 'ab' if hasattr(dataset, name)]
    if len(set(sizes)) > 1:
        (h, w), (other_h, other_w) = sizes
        raise InputError(f'the frames of person A are {h}x{w}, those of B {other_h}x{other_w} (HxW), but {why}: set data.size=(H, W) '
                         f'for both, and pixels=None of a and b where they have it')
