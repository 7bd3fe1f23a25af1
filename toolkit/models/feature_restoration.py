"""Feature restoration of paper A: learn to turn warped feature maps into those of real frames.

Source: *Disentangled Human Action Video Generation via Decoupled Learning* (Yang et al. 2019, section 2.3). The paper says that it is
trained "in an adversarial manner" against feature maps of real frames; network, weights and schedule are ours.
"""

from collections.abc import Callable

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from toolkit import fields
from toolkit.baselines.actions import Baseline
from toolkit.fit import SIDE, build_discriminator, check_attributes, check_call
from toolkit.model_parts.feature_maps import FeatureMaps
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.registry import MODELS, RESTORERS

CHUNK = 16
"""Frames restored at a time."""


def feature_picture(features: np.ndarray) -> np.ndarray:
    """A feature map as one picture: stick figure in colors, edges in gray.

    Args:
        features: (..., H, W, 4) uint8.

    Returns:
        (..., H, W, 3) uint8.
    """
    return np.maximum(features[..., :3], features[..., 3:])


@torch.no_grad()
def restored_clip(model: VideoModel, feature_maps: FeatureMaps, estimate: Callable[[Tensor], Tensor], data: dict) -> dict:
    """Estimated and real feature maps of a clip.

    Args:
        model: that preprocesses.
        feature_maps: that warps.
        estimate: (N, 8, H, W) of :meth:`toolkit.model_parts.feature_maps.FeatureMaps.warped` -> (N, 4, H, W), both in [0, 1].
        data: one whole-clip item (``window=None``) with a batch axis of 1.

    Returns:
        See :meth:`toolkit.models.base.VideoModel.clip_result`; ``generated`` and ``real`` are pictures of the maps (see
        :func:`feature_picture`), and ``features``, ``real_features`` (T, H, W, 4) uint8 the maps.
    """
    maps = {'features': [], 'real_features': []}
    for start in range(0, data['frames'].shape[1], CHUNK):
        part = fields.cut(data, start, start + CHUNK, axis=1)
        batch = model.data_preprocessor(part)
        with model.inference_context():
            features = estimate(feature_maps.warped(batch)[0])
        for name, value in (('features', features), ('real_features', feature_maps.real(batch)[0])):
            maps[name].append(model.data_preprocessor.to_uint8(2 * value.float() - 1).numpy())
    maps = {name: np.concatenate(parts) for name, parts in maps.items()}
    result = model.clip_result(data, feature_picture(maps['features']))
    return dict(result, **maps, real=feature_picture(maps['real_features']))


@MODELS.register_module()
class FeatureRestoration(VideoModel):
    """Image-to-image translation from warped feature maps to those of the target frames, the person's edges and stick figure.

    Any losses can be listed in ``losses``, under any names, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``maps``: ``fake``, ``real`` (N, 4, H, W) in [-1, 1], stick figure and edge, and ``masks`` (N, 1, H, W) in [0, 1];
    - ``gan``: a discriminator that sees what the network sees beside the map: ``scores``, ``fake_features`` and ``real_features``.
      Without a loss of ``scores`` no discriminator is trained.

    Args:
        generator: ``RESTORERS`` config of a :class:`toolkit.restorers.restoration.RestorationNetwork`.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in.
        losses: see above.
        warper: config of a ``WARPERS`` part; stage II must use the same.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: no loss to learn from.
    """

    window = 1
    offers = dict(maps=('fake', 'real', 'masks', ADDED), gan=('scores', 'fake_features', 'real_features'))

    def __init__(self, generator: dict, discriminator: dict, losses: dict, warper: dict | None = None, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.losses.check_some()
        self.adversarial = self.losses.adversarial('gan')
        if self.adversarial is None:
            print_log('no loss of a weight above 0 asks the discriminator: net_d is not trained', 'current')
        self.feature_maps = FeatureMaps(warper, pose_channels='warped')
        self.warper_config = warper
        self.net_g = RESTORERS.build(generator)
        check_attributes(RESTORERS, self.net_g, 'FeatureRestoration', 'model.generator', ('input_nc', 'config'))
        check_call(RESTORERS, self.net_g, 'FeatureRestoration', 'model.generator', dict(x=(2, 8, SIDE, SIDE)), (2, 4, SIDE, SIDE))
        self.seen = self.net_g.input_nc
        self.net_d = build_discriminator(discriminator, 'FeatureRestoration', self.seen + 4)

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the restoration network, then one of the discriminator, as in the base class; every frame is a sample."""
        batch = self.data_preprocessor(data, True)
        x = self.feature_maps.warped(batch).flatten(0, 1)
        real = 2 * self.feature_maps.real(batch).flatten(0, 1) - 1
        with optim_wrapper['g'].optim_context(self.net_g):
            restored = 2 * self.net_g(x) - 1
        condition = 2 * x[:, :self.seen] - 1
        g = self.losses.compute('maps', dict(fake=restored, real=real, masks=batch['masks'].flatten(0, 1)), batch)
        if not self.adversarial:
            g = self.weighted(g)
            self.step(optim_wrapper, 'g', sum(g.values()))
            return {f'g/{k}': v.detach() for k, v in g.items()}

        gan = self.losses[self.adversarial]
        with optim_wrapper['d'].optim_context(self.net_d):
            real_scores = self.net_d(torch.cat([condition, real], 1))
        with self.frozen(self.net_d), optim_wrapper['d'].optim_context(self.net_d):
            fake_scores = self.net_d(torch.cat([condition, restored], 1))
        g |= self.losses.compute('gan', dict(scores=fake_scores, fake_features=fake_scores, real_features=real_scores))
        g = self.weighted(g)
        self.step(optim_wrapper, 'g', sum(g.values()))

        with optim_wrapper['d'].optim_context(self.net_d):
            fake_scores = self.net_d(torch.cat([condition, restored.detach()], 1))
        d = {'fake': 0.5 * gan(fake_scores, real=False, for_discriminator=True),
             'real': 0.5 * gan(real_scores, real=True, for_discriminator=True)}
        self.step(optim_wrapper, 'd', sum(d.values()))
        return {**{f'g/{k}': v.detach() for k, v in g.items()}, **{f'd/{k}': v.detach() for k, v in d.items()}}

    def test_step(self, data: dict) -> list[dict]:
        """Restore the feature maps of a clip, see :func:`restored_clip`."""
        return [restored_clip(self, self.feature_maps, self.net_g, data)]

    def baselines(self) -> dict[str, dict]:
        """As in the base class: the warped maps as they are."""
        return {'Warped': dict(type='WarpedFeatures', warper=self.warper_config)}


@MODELS.register_module()
class WarpedFeatures(Baseline):
    """Baseline: the warped feature maps as they are.

    Args:
        warper: config of a ``WARPERS`` part.
        kwargs: of :class:`toolkit.models.base.VideoModel`.
    """

    def __init__(self, warper: dict | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.feature_maps = FeatureMaps(warper, pose_channels='warped')

    def test_step(self, data: dict) -> list[dict]:
        """The warped maps of a clip, see :meth:`FeatureRestoration.test_step`."""
        return [restored_clip(self, self.feature_maps, lambda x: x[:, :4], data)]
