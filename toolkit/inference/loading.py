"""Load: a trained model from its checkpoint alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config

from toolkit.engine.build_errors import naming_parts
from toolkit.engine.checkpoint import checkpoint_config, load_checkpoint
from toolkit.engine.rebuild import build_like
from toolkit.engine.trained_on import frame_size, pose_style, reference_scale
from toolkit.inference.fast import speed_up
from toolkit.inference.runtimes import NetworkFile, is_network_file, open_network
from toolkit.machine import chosen_device
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import for_generation
from toolkit.registry import load_plugins
from toolkit.structures import InputError


@dataclass
class Trained:
    """A trained model with what it was trained for.

    Attributes:
        model: in eval mode, on its device.
        config: the whole config of the training run.
        size: (H, W) to generate at where nobody says otherwise: that of the frames it was trained on, of several the largest. None
            stands for the size of the clips: of a model with references, which copies pixels and paints well at any size; of one that
            was published for any size; and where nothing tells what it was trained on.
        fast: what was done to generate faster, in one line; None for nothing.
        file_size: (H, W) of the only frames that it paints, where a file took the place of its network; else None.
        file: that file.
        frozen_on: over whose frames its norms are frozen, see :class:`toolkit.inference.runtimes.NetworkFile`.
        reference_scale: size of the pictures of its references, in sizes of the frames.
        pose_style: style of the stick figures.
    """

    model: VideoModel
    config: Config
    size: tuple[int, int] | None
    fast: str | None = None
    file_size: tuple[int, int] | None = None
    file: Path | None = None
    frozen_on: str = ''

    @property
    def reference_scale(self) -> int:
        """As it was in training; two where the config does not say."""
        return reference_scale(self.config)

    @property
    def pose_style(self) -> str:
        """As it was in training.

        Raises:
            InputError: it was trained on several.
        """
        return pose_style(self.config)

    def painted_size(self, wish: tuple[int, int] | None = None) -> tuple[int, int] | None:
        """Size (H, W) to generate at, None where that is left to the clips.

        Args:
            wish: the size that is asked for, if any.

        Raises:
            InputError: the file that paints is for another size.
        """
        if self.file_size and wish and tuple(wish) != self.file_size:
            there, asked = ('x'.join(map(str, size)) for size in (self.file_size, wish))
            raise InputError(f'size {asked}: the file of --fast paints frames of {there} alone; leave the size out, or export for it, '
                             f'tools/export.py CHECKPOINT --size {asked} --out FILE')
        return self.file_size or wish or self.size


def load(checkpoint: str | Path, device: str | torch.device | None = None, half: bool = False,
         allow_imports: Sequence[str] = (), fast: str | Path | bool = False) -> Trained:
    """Load a checkpoint of ``tools/train.py``; its config is inside.

    Args:
        checkpoint: file, or the work dir of a run, whose best checkpoint is taken where it kept one, else the latest.
        device: default the GPU if there is one.
        half: generate in bfloat16.
        allow_imports: modules that the checkpoint may import though they are not installed.
        fast: generate as fast as the machine allows; pictures agree to a few levels of 255. True, or one of the ways of
            :func:`toolkit.inference.fast.speed_up`, or a file of ``tools/export.py``, which then also says the size to generate at.

    The pretrained networks of losses are not needed.

    Raises:
        InputError: no such device, unreadable or unsafe file, unknown parts, weights that do not fit, or what ``fast`` refuses.
    """
    device = chosen_device(device)
    way = open_network(fast, device) if is_network_file(fast) else 'auto' if fast is True else fast
    load_plugins()
    config = checkpoint_config(checkpoint, allow_imports)
    size = frame_size(config, checkpoint)
    if half:
        config.model.inference_dtype = 'bfloat16'
    with naming_parts(config._cfg_dict, f'the model of {checkpoint}'):
        model = build_like(for_generation(config.model), checkpoint)
    load_checkpoint(checkpoint, model)
    model.prepare_networks()
    model = model.to(device).eval()
    said = speed_up(model, way) if way else None
    size = None if model.references else size
    return Trained(model, config, size, said, *((way.size, way.path, way.frozen_on) if isinstance(way, NetworkFile) else ()))
