"""posewarp: a person in another pose from one picture, by layers that are masked, moved, painted and put together.

Source: Balakrishnan et al. 2018, Synthesizing Images of Humans in Unseen Poses.
"""

import numpy as np
import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from toolkit.fit import build_discriminator
from toolkit.generators.layered import LayeredGenerator
from toolkit.model_parts.part_priors import part_priors
from toolkit.model_parts.pose_spots import pose_spots
from toolkit.models.adversaries import Adversaries
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.models.painting import FramePainter
from toolkit.registry import MODELS
from toolkit.skeletons import K


@MODELS.register_module()
class PoseWarp(Adversaries, VideoModel):
    r"""Paints each frame by itself from the content frame and two poses, see
    :class:`toolkit.generators.layered.LayeredGenerator`.

    :math:`L = L_{VGG} + 0.1 \, L_{GAN}`; the discriminator sees the picture and the spots of its pose.

    Where it differs from the paper:

    - Parts move by the toolkit's affine transforms and their fallbacks; the paper has similarities.
    - The U-Nets are pix2pix's, with instance norm; the paper's have none. VGG's features are compared as in pix2pixHD.
    - All losses act from the beginning; the paper trains with VGG alone first. The discriminator of the authors' code sees the pose of
      the content frame, too.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``: ``fake``, ``real`` (N, 3, H, W) in [-1, 1]; ``masks`` (N, 1, H, W) and ``regions`` (N, 2, H, W) in [0, 1]; ``poses``
      (N, 18, 3);
    - ``gan``: ``scores``, ``fake_features`` and ``real_features`` of the discriminator.

    Args:
        generator: arguments of :class:`toolkit.generators.layered.LayeredGenerator`.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in: 21.
        losses: see above.
        sigma: of the spots, in pixels.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: no loss to learn from.
    """

    window = 1
    offers = dict(frames=('fake', 'real', 'masks', 'regions', 'poses', ADDED), gan=('scores', 'fake_features', 'real_features'))
    nested = dict(generator=LayeredGenerator)
    opens_with = ('content',)
    paints_from = ('poses',)

    def __init__(self, generator: dict, discriminator: dict, losses: dict, sigma: float = 6.0, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.check_losses()
        self.sigma = sigma
        self.net_g = LayeredGenerator(**generator)
        self.net_d = build_discriminator(discriminator, 'PoseWarp', 3 + K)

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the generator, then one of the discriminator, as in the base class; every frame is a sample."""
        batch = self.data_preprocessor(data, True)
        frames = batch['frames'].shape[1]
        given = {key: batch[key].flatten(0, 1) for key in ('masks', 'regions', 'poses') if key in batch}
        real, poses = batch['frames'].flatten(0, 1), given['poses']
        source, source_pose = (batch[key].repeat_interleave(frames, 0) for key in ('content_frame', 'content_pose'))
        told = self.told(source, source_pose)
        target = pose_spots(poses, *real.shape[-2:], self.sigma)
        with optim_wrapper['g'].optim_context(self.net_g):
            noise = self.randn(*real.shape, frames=frames)
            fake = self.net_g(source, told[0], torch.cat([told[1], target], 1), source_pose, poses, noise).picture
        seen = [torch.cat([pictures.float(), target], 1) for pictures in (fake, real)]
        said = self.ask(optim_wrapper, self.net_d, 'gan', *seen)
        return self.learn_from(optim_wrapper, self.losses.compute('frames', dict(given, fake=fake, real=real), batch), said)

    def told(self, pictures: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        """What the poses (N, 18, 3) of pictures (N, 3, H, W) tell: priors of the parts (N, 10, H, W), spots (N, 18, H, W)."""
        size = pictures.shape[-2:]
        return part_priors(poses, *size), pose_spots(poses, *size, self.sigma)

    def open(self, content: dict) -> FramePainter:
        """As in the base class; the painter has no memory; the scene is filled from the same noise in every frame."""
        content = self.data_preprocessor(content)
        source, pose = content['content_frame'], content['content_pose']
        prior, spots = self.told(source, pose)
        noise = torch.randn(source.shape, generator=torch.Generator().manual_seed(0)).to(source)

        @torch.no_grad()
        def paint(frame: dict) -> np.ndarray:
            poses = self.data_preprocessor(frame)['poses'][0]
            both = torch.cat([spots, pose_spots(poses, *source.shape[-2:], self.sigma)], 1)
            with self.evaluating(self.net_g), self.inference_context():
                picture = self.net_g(source, prior, both, pose, poses, noise).picture
            return self.data_preprocessor.to_uint8(picture[0]).numpy()

        return FramePainter.of_each(paint)
