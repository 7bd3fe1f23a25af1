"""PG2: a person in another pose from one picture, coarse first, then refined by a difference map.

Source: Ma et al. 2017, Pose Guided Person Image Generation.
"""

import numpy as np
import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor
from torch.utils.data import Dataset

from toolkit.fit import build_discriminator
from toolkit.generators.blocks import check_input
from toolkit.generators.person_unet import PersonUNet
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
class PG2(Adversaries, VideoModel):
    r"""Paints each frame by itself from the content frame x and the target pose H: ``c = G1([x, H])``, ``v = c + G2([x, c])``.

    Two stages in one run: first G1 alone, :math:`|(c - \hat v) (1 + M)|_1`, M the body of the pose; then G1 is fixed, and G2 learns
    the difference, :math:`L_{GAN} + 10 \, |(v - \hat v) (1 + M)|_1`, against a discriminator that sees ``[x, v]``.

    Where it differs from the paper:

    - The discriminator is pix2pix's PatchGAN; the paper's is DCGAN's. The authors' code shows it pictures without x, and x as a fake.
    - M are the toolkit's part shapes instead of dilated limbs. The masked L1 is a weighted mean: the paper's, divided by the mean of
      1 + M. In the authors' code G1 learns without M.
    - The bottleneck of G1 sees 6 x 4 places, as many as 384 x 256 has there; other sizes are averaged to these.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``coarse``: ``fake``, c, ``real`` (N, 3, H, W) in about [-1, 1], and ``masks`` (N, 1, H, W), (1 + M) / 2;
    - ``frames``: the same of v, and ``regions`` (N, 2, H, W) in [0, 1] and ``poses`` (N, 18, 3);
    - ``gan``: ``scores``, ``fake_features`` and ``real_features`` of the discriminator.

    Args:
        coarse: arguments of :class:`toolkit.generators.person_unet.PersonUNet` of G1.
        fine: the same of G2, which has no bottleneck.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in: 6.
        losses: see above.
        refine_from: share of the run at which the second stage begins.
        sigma: of the spots, in pixels.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: losses or options that cannot be.
    """

    window = 1
    offers = dict(coarse=('fake', 'real', 'masks'), frames=('fake', 'real', 'masks', 'regions', 'poses', ADDED),
                  gan=('scores', 'fake_features', 'real_features'))
    nested = dict(coarse=PersonUNet, fine=PersonUNet)
    opens_with = ('content',)
    paints_from = ('poses',)

    def __init__(self, coarse: dict, fine: dict, discriminator: dict, losses: dict, refine_from: float = 0.6, sigma: float = 6.0,
                 **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.check_losses()
        if not 0 <= refine_from <= 1:
            raise InputError(f'model.refine_from={refine_from}, expected a share of the run, from 0 to 1')
        if (refine_from > 0 and not self.losses.of('coarse')) or (refine_from < 1 and not self.losses.of('frames')):
            raise InputError('model.losses needs a loss of="coarse" for the first stage and one of="frames" for the second')
        self.refine_from, self.sigma = refine_from, sigma
        self.net_g = PersonUNet(3 + K, **coarse)
        self.net_g_fine = PersonUNet(6, **dict(dict(code=0), **fine))
        self.net_d = build_discriminator(discriminator, 'PG2', 6)
        self.register_buffer('refines', torch.zeros((), dtype=torch.bool))
        self.set_train_state(seed=0, rank=0, iteration=1, max_iters=1)  # cost is counted in the second stage

    def check_data(self, dataset: Dataset) -> None:
        """As in the base class: frames must fit the second network, too, whose stage begins late in a run."""
        if self.refine_from == 1:
            return
        try:
            check_input(torch.empty(1, 6, *dataset[0]['frames'].shape[-2:]), 6, bare(self.net_g_fine).multiple)
        except InputError as error:
            raise InputError(f'model.fine, which is trained later, does not fit the frames: {error}; or lower '
                             f'model.fine.n_down') from error

    @property
    def added_fields(self) -> tuple[str, ...]:
        """As in the base class, and the bodies of the poses."""
        return *super().added_fields, 'body_parts'

    @property
    def stage(self) -> int:
        """Of this iteration: 0 coarse, 1 fine."""
        return int(self.progress >= self.refine_from)

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the networks of the stage, as in the base class; every frame is a sample."""
        self.refines.fill_(bool(self.stage))
        batch = self.data_preprocessor(data, True)
        frames = batch['frames'].shape[1]
        real, poses = (batch[key].flatten(0, 1) for key in ('frames', 'poses'))
        masks = (1 + (batch['body_parts'].flatten(0, 1) > 0).float()) / 2
        source = batch['content_frame'].repeat_interleave(frames, 0)
        x = torch.cat([source, pose_spots(poses, *real.shape[-2:], self.sigma)], 1)
        if not self.refines:
            with optim_wrapper['g'].optim_context(self.net_g):
                coarse = self.net_g(x)
            g = self.weighted(self.losses.compute('coarse', dict(fake=coarse, real=real, masks=masks)))
            self.step(optim_wrapper, 'g', sum(g.values()))
            return self.logged(g=g)
        with torch.no_grad(), self.evaluating(self.net_g), optim_wrapper['g'].optim_context(self.net_g):
            coarse = self.net_g(x).float()
        with optim_wrapper['g'].optim_context(self.net_g_fine):
            fake = coarse + self.net_g_fine(torch.cat([source, coarse], 1)).float()
        seen = [torch.cat([source, pictures], 1) for pictures in (fake, real)]
        said = self.ask(optim_wrapper, self.net_d, 'gan', *seen)
        given = dict(fake=fake, real=real, masks=masks, regions=batch['regions'].flatten(0, 1), poses=poses)
        return self.learn_from(optim_wrapper, self.losses.compute('frames', given, batch), said)

    def open(self, content: dict) -> FramePainter:
        """As in the base class; the painter has no memory; before the second stage of training it paints the coarse picture."""
        source = self.data_preprocessor(content)['content_frame']

        @torch.no_grad()
        def paint(frame: dict) -> np.ndarray:
            poses = self.data_preprocessor(frame)['poses'][0]
            with self.evaluating(self.net_g), self.evaluating(self.net_g_fine), self.inference_context():
                picture = self.net_g(torch.cat([source, pose_spots(poses, *source.shape[-2:], self.sigma)], 1)).float()
                if self.refines:
                    picture = picture + self.net_g_fine(torch.cat([source, picture], 1)).float()
            return self.data_preprocessor.to_uint8(picture[0]).numpy()

        return FramePainter.of_each(paint)
