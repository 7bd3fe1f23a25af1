"""Load: a trained model from its checkpoint alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from toolkit.datasets.footage import DEFAULT_SCALE
from toolkit.engine.build_errors import naming_parts
from toolkit.engine.checkpoint import checkpoint_config, load_checkpoint
from toolkit.engine.rebuild import build_like, frame_size
from toolkit.inference.fast import speed_up
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import for_generation
from toolkit.registry import load_plugins


@dataclass
class Trained:
    """A trained model with what it was trained for.

    Attributes:
        model: in eval mode, on its device.
        config: the whole config of the training run.
        size: (H, W) of the frames it was trained on, or None where the config leaves it to the clips.
        fast: what was done to generate faster, in one line; None for nothing.
        reference_scale: size of the pictures of its references, in sizes of the frames.
    """

    model: VideoModel
    config: Config
    size: tuple[int, int] | None
    fast: str | None = None

    @property
    def reference_scale(self) -> int:
        """As it was in training; two where the config does not say."""
        return _found_scale(self.config.get('train_dataloader') or {}) or DEFAULT_SCALE


def _found_scale(config: Any) -> int | None:
    """The scale of the first references that a config of data sets speaks of."""
    if not isinstance(config, Mapping):
        return None
    scale = (config.get('references') or {}).get('scale') if isinstance(config.get('references'), Mapping) else None
    return scale or next(filter(None, map(_found_scale, config.values())), None)


def load(checkpoint: str | Path, device: str | torch.device | None = None, half: bool = False,
         allow_imports: Sequence[str] = (), fast: str | bool = False) -> Trained:
    """Load a checkpoint of ``tools/train.py``; its config is inside.

    Args:
        checkpoint: file, or the work dir of a run, whose best checkpoint is taken where it kept one, else the latest.
        device: default the GPU if there is one.
        half: generate in bfloat16.
        allow_imports: modules that the checkpoint may import though they are not installed.
        fast: generate as fast as the machine allows; pictures agree to a few levels of 255. True, or one of the ways of
            :func:`toolkit.inference.fast.speed_up`.

    The pretrained networks of losses are not needed.

    Raises:
        InputError: unreadable or unsafe file, unknown parts, or weights that do not fit.
    """
    load_plugins()
    config = checkpoint_config(checkpoint, allow_imports)
    size = frame_size(config, checkpoint)
    if half:
        config.model.inference_dtype = 'bfloat16'
    with naming_parts(config._cfg_dict, f'the model of {checkpoint}'):
        model = build_like(for_generation(config.model), checkpoint)
    load_checkpoint(checkpoint, model)
    model.prepare_networks()
    model = model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu')).eval()
    return Trained(model, config, size, speed_up(model, 'auto' if fast is True else fast) if fast else None)
