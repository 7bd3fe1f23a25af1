"""Disentangled Person Image Generation: codes of a person's regions and of the scene, a pose, and mappings that draw new codes.

Source: Ma et al. 2018, Disentangled Person Image Generation.
"""

import numpy as np
import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from toolkit.fit import build_discriminator, build_generator
from toolkit.generators.disentangled import AppearanceEncoder, CodeCritic, CodeMapping, PoseCoder
from toolkit.model_parts.pose_spots import pose_spots
from toolkit.models.adversaries import Adversaries
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.models.painting import FramePainter
from toolkit.registry import MODELS
from toolkit.skeletons import K
from toolkit.structures import InputError


@MODELS.register_module()
class DisentangledPerson(Adversaries, VideoModel):
    r"""Paints each frame by itself, ``v = G(H, [e_person, e_scene])``: codes of the content frame, spots H of the pose.

    Two stages in one run:

    1. reconstruction: a frame is painted from its own codes and pose, :math:`L_{GAN} + 10 \, |v - \hat v|_1`; seven regions of the
       person, without the scene, share one encoder, and the scene without the person has another. Beside that a pose coder learns to
       give back the joints from 32 numbers;
    2. mappings: all of that is fixed; three small networks learn to turn normal noise into codes of person, scene and pose that a
       critic of each cannot tell from real ones. :meth:`sample` draws with them.

    Where it differs from the paper:

    - Person and scene are divided by the masks of the prepared clips; the paper grows them from poses.
    - Codes are laid under all pixels of a U-Net's input, as there; the U-Net and the discriminator are pix2pix's. The authors' U-Net is
      that of PG2, without norm and with a bottleneck that sees everything; their discriminator sees v alone, and L1 counts 20.
    - Mappings learn by the GAN loss ``of='codes'``, hinge with spectral norm in the critics, one update for one of the critics. In the
      authors' code they learn by WGAN: clipped weights, RMSprop, five updates of the critics.
    - The pose coder has no residual blocks and learns by L1, on 0 to 1; the authors' has, and learns by squares, on -1 to 1.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``: ``fake``, ``real`` (N, 3, H, W) in [-1, 1]; ``masks`` (N, 1, H, W) and ``regions`` (N, 2, H, W) in [0, 1]; ``poses``
      (N, 18, 3);
    - ``gan``: ``scores``, ``fake_features`` and ``real_features`` of the discriminator, which sees ``[v, H]``;
    - ``pose``: joints as ``fake``, ``real`` (N, 54): places in shares of the frame, and whether they are seen;
    - ``codes``: ``scores`` of the critics of person, scene and pose; the values are added up.

    Args:
        encoder: arguments of :class:`toolkit.generators.disentangled.AppearanceEncoder`.
        generator: ``GENERATORS`` config; ``input_nc``, 18, and ``z_dims`` are filled in.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in: 21.
        losses: see above.
        mappings_from: share of the run at which the second stage begins; 1 for none.
        sigma: of the spots, in pixels.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: losses or options that cannot be, or that do not go together.
    """

    window = 1
    offers = dict(frames=('fake', 'real', 'masks', 'regions', 'poses', ADDED), gan=('scores', 'fake_features', 'real_features'),
                  pose=('fake', 'real'), codes=('scores',))
    nested = dict(encoder=AppearanceEncoder)
    opens_with = ('content',)
    paints_from = ('poses', 'regions')

    def __init__(self, encoder: dict, generator: dict, discriminator: dict, losses: dict, mappings_from: float = 0.7,
                 sigma: float = 6.0, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.check_losses()
        if not 0 < mappings_from <= 1:
            raise InputError(f'model.mappings_from={mappings_from}, expected a share of the run above 0, and 1 for no mappings')
        if not self.losses.of('frames') or not self.losses.of('pose') or (mappings_from < 1 and not self.losses.of('codes')):
            raise InputError('model.losses needs a loss of="frames", one of="pose" and, for mappings, one of="codes"')
        self.mappings_from, self.sigma = mappings_from, sigma
        self.net_e = AppearanceEncoder(**encoder)
        self.net_g = build_generator(generator, 'DisentangledPerson', K, (sum(self.net_e.dims),))
        self.net_d = build_discriminator(discriminator, 'DisentangledPerson', 3 + K)
        self.net_p, self.dims = PoseCoder(), (*self.net_e.dims, PoseCoder.code)
        self.net_m = CodeMapping(self.dims)
        self.net_c = CodeCritic(self.dims)

    @property
    def stage(self) -> int:
        """Of this iteration: 0 reconstruction, 1 mappings."""
        return int(self.progress >= self.mappings_from)

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the networks of the stage, as in the base class; every frame is a sample."""
        batch = self.data_preprocessor(data, True)
        given = {key: batch[key].flatten(0, 1) for key in ('masks', 'regions', 'poses')}
        real, poses, masks = batch['frames'].flatten(0, 1), given['poses'], given['masks']
        joints = as_numbers(poses, *real.shape[-2:])
        if self.stage:
            return self._mapping_step(real, poses, masks, joints, batch['frames'].shape[1], optim_wrapper)
        spots = pose_spots(poses, *real.shape[-2:], self.sigma)
        with optim_wrapper['g'].optim_context(self.net_e):
            codes = self.net_e(real, poses, masks)
        with optim_wrapper['g'].optim_context(self.net_p):
            _, again = self.net_p(joints)
        with optim_wrapper['g'].optim_context(self.net_g):
            fake = self.net_g(spots, codes, given['regions'].amax(1, keepdim=True))
        seen = [torch.cat([pictures.float(), spots], 1) for pictures in (fake, real)]
        said = self.ask(optim_wrapper, self.net_d, 'gan', *seen)
        g = self.losses.compute('frames', dict(given, fake=fake, real=real), batch)
        return self.learn_from(optim_wrapper, g | self.losses.compute('pose', dict(fake=again, real=joints)), said)

    def _mapping_step(self, real: Tensor, poses: Tensor, masks: Tensor, joints: Tensor, frames: int,
                      optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """The second stage: noise becomes codes; what made the real codes does not learn."""
        with torch.no_grad():
            wanted = torch.cat([self.net_e(real, poses, masks), self.net_p(joints)[0]], 1).float()
        with optim_wrapper['g'].optim_context(self.net_m):
            made = self.net_m(self.randn(*wanted.shape, frames=frames)).float()
        said = self.ask(optim_wrapper, self.net_c, 'codes', made, wanted)
        self.step(optim_wrapper, 'g', said.pulled)
        self.step(optim_wrapper, 'd', sum(said.d.values()))
        return self.logged(g=said.g, d={f'codes_{name}': value for name, value in said.d.items()})

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Draw people, scenes and poses, by the mappings.

        Args:
            count: how many.
            seed: of the noise.

        Returns:
            Codes of person and scene (count, D), as G takes them; and poses (count, 18, 3), x and y in shares of the frame, and 1 or 0
            for seen or not.
        """
        noise = torch.randn(count, sum(self.dims), generator=torch.Generator().manual_seed(seed)).to(self.data_preprocessor.device)
        codes = self.net_m(noise)
        pose = self.net_p.decoder(codes[:, -PoseCoder.code:]).unflatten(1, (K, 3))
        return codes[:, :-PoseCoder.code], torch.cat([pose[..., :2], (pose[..., 2:] > 0.5).float()], -1)

    @torch.no_grad()
    def open(self, content: dict) -> FramePainter:
        """As in the base class; the painter has no memory."""
        content = self.data_preprocessor(content)
        with self.evaluating(self.net_e), self.inference_context():
            codes = self.net_e(content['content_frame'], content['content_pose'], content['content_mask'])

        @torch.no_grad()
        def paint(frame: dict) -> np.ndarray:
            batch = self.data_preprocessor(frame)
            spots = pose_spots(batch['poses'][0], *content['content_frame'].shape[-2:], self.sigma)
            with self.evaluating(self.net_g), self.inference_context():
                picture = self.net_g(spots, codes, batch['regions'][:, 0].amax(1, keepdim=True))
            return self.data_preprocessor.to_uint8(picture[0]).numpy()

        return FramePainter.of_each(paint)


def as_numbers(poses: Tensor, height: int, width: int) -> Tensor:
    """(N, 18, 3) in pixels -> (N, 54): x, y in shares of the frame and 1 or 0 for seen or not, 0 where a joint is not seen."""
    seen = (poses[..., 2:] > 0).to(poses.dtype)
    places = poses[..., :2] / poses.new_tensor([width, height])
    return (torch.cat([places, torch.ones_like(seen)], -1) * seen).flatten(1)
