"""Deformable GAN: the person of one picture in another pose, by skips that move with the body.

Source: Siarohin et al. 2018, Deformable GANs for Pose-based Human Image Generation. It is the baseline of paper A's table 1.
"""

import numpy as np
import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor
from torch.utils.data import Dataset

from toolkit.fit import build_discriminator
from toolkit.generators.deformable import DeformableGenerator
from toolkit.model_parts.pose_spots import pose_spots
from toolkit.models.adversaries import Adversaries
from toolkit.models.bare import bare
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.models.painting import FramePainter
from toolkit.registry import MODELS
from toolkit.skeletons import K
from toolkit.structures import InputError


@MODELS.register_module()
class DeformableGAN(Adversaries, VideoModel):
    r"""Paints each frame by itself from the content frame x_a and two poses, ``v = G([x_a, H_a], H_t, T)``.

    H are spots at the joints, T the affine transforms of ten body parts, by which the maps of the source's encoder are carried to the
    target pose before the decoder sees them (:class:`toolkit.generators.deformable.DeformableGenerator`). The discriminator sees
    ``[x_a, H_a, v, H_t]``. :math:`L = L_{GAN} + 0.01 \, L_{NN}`, cross entropy and
    :class:`toolkit.losses.nearest_neighbor.NearestNeighborLoss`.

    Where it differs from the paper and its code:

    - Transforms and part shapes are those of :mod:`toolkit.warpers.affine`: missing joints and bad poses have fallbacks, where the
      authors' code stops or gives NaN. Torso and head are plain least squares, theirs are total least squares.
    - The discriminator's update follows the generator's, on the same samples; in the authors' code each has fresh ones, and so have the
      real and the generated pictures that it is shown. Here these are of the same pairs.
    - VGG-19 sees pictures as it was trained; in the authors' code the channel means are in the wrong order. Without its weights other
      features take its place, see the loss.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``: ``fake``, ``real`` (N, 3, H, W) in [-1, 1]; ``masks`` (N, 1, H, W) and ``regions`` (N, 2, H, W) in [0, 1]; ``poses``
      (N, 18, 3);
    - ``gan``: ``scores``, ``fake_features`` and ``real_features`` of the discriminator.

    Args:
        generator: arguments of :class:`toolkit.generators.deformable.DeformableGenerator`.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in: 42.
        losses: see above.
        sigma: of the spots, in pixels.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: no loss to learn from; when training begins, a warper that would carry nothing.
    """

    window = 1
    offers = dict(frames=('fake', 'real', 'masks', 'regions', 'poses', ADDED), gan=('scores', 'fake_features', 'real_features'))
    nested = dict(generator=DeformableGenerator)
    opens_with = ('content',)
    paints_from = ('poses',)

    def __init__(self, generator: dict, discriminator: dict, losses: dict, sigma: float = 6.0, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.check_losses()
        self.sigma = sigma
        self.net_g = DeformableGenerator(3 + K, K, **generator)
        self.net_d = build_discriminator(discriminator, 'DeformableGAN', 2 * (3 + K))

    def check_data(self, dataset: Dataset) -> None:
        """As in the base class: whatever the data, nobody knows which part a place of the source's maps belongs to."""
        space = getattr(bare(self.net_g).warper, 'mask_space', 'target')
        if space != 'target':
            raise InputError(f'model.generator.warper: mask_space={space!r} cuts parts out of the source by their labels, which its '
                             f"maps do not have, so that nothing would be carried to the new pose: set mask_space='target'")

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the generator, then one of the discriminator, as in the base class; every frame is a sample."""
        batch = self.data_preprocessor(data, True)
        frames = batch['frames'].shape[1]
        given = {key: batch[key].flatten(0, 1) for key in ('masks', 'regions', 'poses') if key in batch}
        real, poses = batch['frames'].flatten(0, 1), given['poses']
        source_pose = batch['content_pose'].repeat_interleave(frames, 0)
        source = self.described(batch['content_frame'].repeat_interleave(frames, 0), source_pose)
        target = self.spots(poses, real)
        with optim_wrapper['g'].optim_context(self.net_g):
            fake = self.net_g(source, target, source_pose, poses)
        seen = [torch.cat([source, frames.float(), target], 1) for frames in (fake, real)]
        said = self.ask(optim_wrapper, self.net_d, 'gan', *seen)
        return self.learn_from(optim_wrapper, self.losses.compute('frames', dict(given, fake=fake, real=real), batch), said)

    def spots(self, poses: Tensor, like: Tensor) -> Tensor:
        """(N, 18, 3) poses as maps (N, 18, H, W) of the size of a picture."""
        return pose_spots(poses, *like.shape[-2:], self.sigma)

    def described(self, picture: Tensor, pose: Tensor) -> Tensor:
        """A picture with the spots of its pose, (N, 21, H, W)."""
        return torch.cat([picture, self.spots(pose, picture)], 1)

    def open(self, content: dict) -> FramePainter:
        """As in the base class; the painter has no memory."""
        content = self.data_preprocessor(content)
        pose = content['content_pose']
        source = self.described(content['content_frame'], pose)

        @torch.no_grad()
        def paint(frame: dict) -> np.ndarray:
            poses = self.data_preprocessor(frame)['poses'][0]
            with self.evaluating(self.net_g), self.inference_context():
                return self.data_preprocessor.to_uint8(self.net_g(source, self.spots(poses, source), pose, poses)[0]).numpy()

        return FramePainter.of_each(paint)
