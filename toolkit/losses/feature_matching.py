"""Feature matching on a discriminator's layers. Source: Wang et al. 2018, High-Resolution Image Synthesis, equation 4."""

import logging
from collections.abc import Sequence

from mmengine.logging import print_log
from torch import Tensor, nn

from toolkit.losses.absolute import mean_absolute_difference
from toolkit.registry import LOSSES
from toolkit.structures import InputError


@LOSSES.register_module()
class FeatureMatchingLoss(nn.Module):
    r"""L1 distance between a discriminator's features of the fake and of the real picture.

    .. math:: \sum_{s=1}^{S} \frac1S \sum_{l} \frac{4}{n + 1} \, \mathrm{mean} |D_s^l(\text{fake}) - D_s^l(\text{real})|

    over scales s and all layers l but the last, the prediction. The real features are constants. pix2pixHD weights it by 10.

    Args:
        n_layers: n, ``n_layers`` of the discriminator; 3 gives each of its four feature layers the weight 1 / S. The log warns where
            the discriminator has another number of layers.
    """

    inputs = ('fake_features', 'real_features')

    def __init__(self, n_layers: int = 3):
        super().__init__()
        self.layer_weight, self.expected = 4 / (n_layers + 1), n_layers + 1

    def forward(self, fake_features: Sequence[Sequence[Tensor]], real_features: Sequence[Sequence[Tensor]]) -> Tensor:
        """Scalar, float32, of the layers' outputs at each scale, the prediction last.

        Raises:
            InputError: the two do not have the same scales and layers, or the discriminator shows no layers.
        """
        if [len(scale) for scale in fake_features] != [len(scale) for scale in real_features]:
            fake, real = ([len(scale) for scale in features] for features in (fake_features, real_features))
            raise InputError(f'number of layers at each scale: {fake} for the fake, {real} for the real picture; expected the same')
        if not (found := len(fake_features[0]) - 1):
            raise InputError('FeatureMatchingLoss compares layers, but the discriminator returns its scores alone: take one that '
                             'returns its layers, such as MultiscaleDiscriminator, or leave this loss out')
        if self.expected and found != self.expected:
            print_log(f'FeatureMatchingLoss: n_layers={self.expected - 1}, but the discriminator has {found} layers before its scores, '
                      f'so that this loss counts {found / self.expected:.2f} times as much: set n_layers={found - 1} of the loss',
                      'current', logging.WARNING)
            self.expected = None
        distances = [
            mean_absolute_difference(fake, real)
            for fakes, reals in zip(fake_features, real_features) for fake, real in zip(fakes[:-1], reals[:-1])]
        return sum(distances) * self.layer_weight / len(fake_features)
