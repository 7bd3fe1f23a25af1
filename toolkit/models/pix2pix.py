"""Frame by frame from the stick figure: pix2pix and pix2pixHD.

Sources: Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks; Wang et al. 2018, High-Resolution Image
Synthesis and Semantic Manipulation with Conditional GANs, with the feature encoder of its section 3.4.
"""

import numpy as np
import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from toolkit.fit import build_discriminator, build_generator
from toolkit.model_parts.part_pooling import pool, spread
from toolkit.models.adversaries import Adversaries
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.models.painting import FramePainter
from toolkit.registry import MODELS

CODE = 3
"""Channels of the feature encoder's maps, as published."""


@MODELS.register_module()
class Pix2Pix(Adversaries, VideoModel):
    r"""Paints each frame by itself, ``v_t = G(F_t)``; the discriminator sees ``[F_t, v_t]``.

    pix2pix: a U-Net, a PatchGAN, and :math:`L_{GAN} + 100 \, |v - \hat v|_1`. pix2pixHD: a residual generator, discriminators at
    several scales, and :math:`L_{GAN} + 10 L_{FM} + 10 L_{VGG}`. Which it is the config says.

    With ``encoder``, pix2pixHD's feature encoder: E paints the real frame as three maps, which are averaged over each body part,
    :math:`e = \mathrm{mean}_{part} E(v)`, and G sees ``[F_t, e]``. E learns with G.

    Where it differs from the papers:

    - Conditions are stick figures instead of label maps, so the instances of the encoder are the ten parts of the pose and the
      background, and there is no map of instance borders.
    - The paper takes features at test time from clusters of all training features. Here they are those of the content frame, part by
      part, so that a person can be asked for. A part that the content frame does not show has the code 0.
    - U-Net at 384 x 256 has 7 levels instead of 8, which do not fit; the noise of pix2pix is its dropout in training alone.

    Without the encoder it knows nobody but whom it was trained on: of ``content`` only the pose is used, to fit poses to that person.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``: ``fake``, ``real`` and ``conditions``, F, (N, 3, H, W) in [-1, 1]; ``masks`` (N, 1, H, W) and ``regions``
      (N, 2, H, W) in [0, 1]; ``poses`` (N, 18, 3);
    - ``gan``: ``scores``, ``fake_features`` and ``real_features`` of the discriminator.

    Args:
        generator: ``GENERATORS`` config; ``input_nc`` is filled in.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in.
        losses: see above.
        encoder: ``GENERATORS`` config of E; None for no encoder.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: no loss to learn from.
    """

    window = 1
    offers = dict(
        frames=('fake', 'real', 'masks', 'regions', 'poses', 'conditions', ADDED), gan=('scores', 'fake_features', 'real_features'))
    opens_with = ('content',)

    def __init__(self, generator: dict, discriminator: dict, losses: dict, encoder: dict | None = None, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.check_losses()
        self.encodes = encoder is not None
        self.net_g = build_generator(generator, 'Pix2Pix', 3 + CODE * self.encodes, ())
        self.net_d = build_discriminator(discriminator, 'Pix2Pix', 6)
        if self.encodes:
            self.net_e = build_generator(encoder, 'Pix2Pix', 3, (), 'model.encoder')

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the generator (and the encoder), then one of the discriminator, as in the base class; every frame is a sample.
        """
        batch = self.data_preprocessor(data, True)
        conditions, real = 2 * batch['pose_maps'].flatten(0, 1) - 1, batch['frames'].flatten(0, 1)
        x = conditions
        if self.encodes:
            labels = batch['body_parts'].flatten(0, 1)
            with optim_wrapper['g'].optim_context(self.net_e):
                x = torch.cat([x, spread(self.codes_of(real, labels), labels)], 1)
        with optim_wrapper['g'].optim_context(self.net_g):
            fake = self.net_g(x)
        seen = [torch.cat([conditions, frames.float()], 1) for frames in (fake, real)]
        said = self.ask(optim_wrapper, self.net_d, 'gan', *seen)
        given = {key: batch[key].flatten(0, 1) for key in ('masks', 'regions', 'poses') if key in batch}
        g = self.losses.compute('frames', dict(given, fake=fake, real=real, conditions=conditions), batch)
        return self.learn_from(optim_wrapper, g, said)

    def codes_of(self, frames: Tensor, labels: Tensor) -> Tensor:
        """Code of each part in a frame.

        Args:
            frames: (N, 3, H, W) in [-1, 1].
            labels: (N, 1, H, W) of :func:`toolkit.model_parts.part_pooling.body_parts`.

        Returns:
            (N, 11, 3) in [-1, 1], background first.
        """
        return pool(self.net_e(frames).float(), labels)

    @property
    def paints_from(self) -> tuple[str, ...]:
        """As in the base class."""
        return ('pose_maps', 'body_parts') if self.encodes else ('pose_maps',)

    @torch.no_grad()
    def open(self, content: dict) -> FramePainter:
        """As in the base class; the painter has no memory."""
        codes = None
        if self.encodes:
            content = self.data_preprocessor(content)
            with self.evaluating(self.net_e), self.inference_context():
                codes = self.codes_of(content['content_frame'], content['content_body_parts'])

        @torch.no_grad()
        def paint(frame: dict) -> np.ndarray:
            batch = self.data_preprocessor(frame)
            x = 2 * batch['pose_maps'][:, 0] - 1
            if codes is not None:
                x = torch.cat([x, spread(codes, batch['body_parts'][:, 0])], 1)
            with self.evaluating(self.net_g), self.inference_context():
                return self.data_preprocessor.to_uint8(self.net_g(x)[0]).numpy()

        return FramePainter.of_each(paint)
