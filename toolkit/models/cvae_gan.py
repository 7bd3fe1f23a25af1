"""cVAE-GAN: a frame from its stick figure and the code of a frame, frame by frame.

Sources: Larsen et al. 2016, Autoencoding beyond pixels; Zhu et al. 2017, Toward multimodal image-to-image translation, section 3.2.
"""

import numpy as np
import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from toolkit.fit import build_discriminator, build_generator, check_attributes
from toolkit.models.adversaries import Adversaries
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.models.painting import FramePainter
from toolkit.registry import ENCODERS, MODELS


@MODELS.register_module()
class CVAEGAN(Adversaries, VideoModel):
    r"""Paints ``v_t = G(F_t, z)``, F the stick figure. In training z is drawn around E of the frame itself, then of the content frame.

    :math:`L = L_{GAN} + 10 |v - \hat v|_1 + 0.01 \, KL(E(\hat v) \| N(0, 1))`, all networks together. It is the half of BicycleGAN
    that encodes; :class:`toolkit.models.bicycle_gan.BicycleGAN` adds the half that finds a random code again, and learns the color of
    one garment. Here the encoder sees whole frames, and a video is painted with the code of one picture.

    Where it differs from the paper: the conditions are stick figures, and at test time the code is not drawn from N(0, 1), but is the
    mean of E of the content frame, which another pose of the same person should have, too. The KL is the sum over the code's
    dimensions and the mean over samples.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``: ``fake``, ``real`` and ``conditions``, F (N, 3, H, W) in [-1, 1]; ``masks`` (N, 1, H, W) and ``regions``
      (N, 2, H, W) in [0, 1]; ``poses`` (N, 18, 3);
    - ``gan``: ``scores``, ``fake_features`` and ``real_features`` of the discriminator of pictures;
    - ``kl``: ``mu``, ``logvar`` (N, D) of the codes.

    Args:
        encoder: ``ENCODERS`` config.
        generator: ``GENERATORS`` config; ``input_nc`` and ``z_dims``, one code, are filled in.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in: 3.
        losses: see above.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: no loss to learn from.
    """

    window = 1
    offers = dict(frames=('fake', 'real', 'masks', 'regions', 'poses', 'conditions', ADDED),
                  gan=('scores', 'fake_features', 'real_features'), kl=('mu', 'logvar'))
    opens_with = ('content',)
    paints_from = ('pose_maps', 'regions')

    def __init__(self, encoder: dict, generator: dict, discriminator: dict, losses: dict, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.check_losses()
        self.net_e = ENCODERS.build(encoder)
        check_attributes(ENCODERS, self.net_e, 'CVAEGAN', 'model.encoder', ('nz',))
        self.net_g = build_generator(generator, 'CVAEGAN', 3, (self.net_e.nz,))
        self.net_d = build_discriminator(discriminator, 'CVAEGAN', 3)

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of generator and encoder, then one of the discriminator, as in the base class; every frame is a sample."""
        batch = self.data_preprocessor(data, True)
        given = {key: batch[key].flatten(0, 1) for key in ('masks', 'regions', 'poses') if key in batch}
        conditions, real = 2 * batch['pose_maps'].flatten(0, 1) - 1, batch['frames'].flatten(0, 1)
        with optim_wrapper['g'].optim_context(self.net_e):
            mu, logvar = self.net_e(real)
        z = mu + (0.5 * logvar).exp() * self.randn(*mu.shape, frames=batch['frames'].shape[1])
        with optim_wrapper['g'].optim_context(self.net_g):
            fake = self.net_g(conditions, z, given['regions'].amax(1, keepdim=True))
        said = self.ask(optim_wrapper, self.net_d, 'gan', fake, real)
        g = self.losses.compute('frames', dict(given, fake=fake, real=real, conditions=conditions), batch)
        return self.learn_from(optim_wrapper, g | self.losses.compute('kl', dict(mu=mu, logvar=logvar)), said)

    @torch.no_grad()
    def open(self, content: dict) -> FramePainter:
        """As in the base class; the painter has no memory."""
        with self.evaluating(self.net_e), self.inference_context():
            z, _ = self.net_e(self.data_preprocessor(content)['content_frame'])

        @torch.no_grad()
        def paint(frame: dict) -> np.ndarray:
            batch = self.data_preprocessor(frame)
            regions = batch['regions'][:, 0].amax(1, keepdim=True)
            with self.evaluating(self.net_g), self.inference_context():
                return self.data_preprocessor.to_uint8(self.net_g(2 * batch['pose_maps'][:, 0] - 1, z, regions)[0]).numpy()

        return FramePainter.of_each(paint)
