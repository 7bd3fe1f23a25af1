"""BicycleGAN's residual encoder. Source: Zhu et al. 2017, Toward multimodal image-to-image translation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.generators.init import init_kaiming, init_xavier
from toolkit.registry import ENCODERS
from toolkit.structures import InputError

NORMS = ('none', 'instance', 'instance_but_first', 'group32')
POOLINGS = ('adaptive', 'avg8')
INITS = {'kaiming': init_kaiming, 'xavier': init_xavier}


class PreactivationBlock(nn.Module):
    """Halve the size: (norm, LeakyReLU, 3x3) twice and average pooling, plus average pooling and a 1x1 convolution.

    Args:
        in_channels, out_channels: channels; they change in the second convolution.
        norm, second_norm: of the first and second norm, see :class:`ResNetEncoder`.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: str, second_norm: str):
        super().__init__()
        self.norm1 = _make_norm(norm, in_channels)
        self.conv1 = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.norm2 = _make_norm(second_norm, in_channels)
        self.conv2 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H/2, W/2), sizes rounded down."""
        h = self.conv1(F.leaky_relu(self.norm1(x), 0.2))
        h = self.conv2(F.leaky_relu(self.norm2(h), 0.2))
        return F.avg_pool2d(h, 2) + self.shortcut(F.avg_pool2d(x, 2))


@ENCODERS.register_module()
class ResNetEncoder(nn.Module):
    """Picture -> mean and log-variance of its latent code.

    4x4 convolution of stride 2 without norm and activation, pre-activation residual blocks that halve the size (64, 128, 192, 256,
    256 channels), LeakyReLU, pooling, two linear heads. A unit of the last map sees 154 pixels. BicycleGAN's "Res256" is ``n_down=5``
    and has 2,594,144 parameters at ``nz=16`` and 2,590,032 at 8; "Res128" is ``n_down=4`` with 1,348,192 and 1,344,080.

    The defaults are what kept color best in measurements on recolored people. BicycleGAN's own are ``norm='instance'``,
    ``init='xavier'``, ``logvar_bias=0``, ``pooling='avg8'``.

    Args:
        nz: length of the code.
        input_nc: channels of the picture.
        nef: channels after the first convolution; they grow to 4 times as many.
        n_down: number of halvings before pooling; the first is the strided convolution.
        norm: ``'none'``, best where the picture shows one garment alone; ``'instance'``, which takes a map's overall level away, and
            much of a color with it; ``'instance_but_first'``, instance norm but none before the first block's first convolution,
            best on whole frames; ``'group32'``, min(32, C / 4) groups, with weights.
        init: ``'kaiming'``, or ``'xavier'`` with a gain of 0.02, at which mu is nearly 0 at first; the head of the log-variance always
            has the latter.
        logvar_bias: first bias of the log-variance: -4 starts with a noise of 0.14, not with 1 that drowns mu.
        pooling: ``'adaptive'``, the mean over the whole map; ``'avg8'``, BicycleGAN's mean over the first 8 x 8 places: it ignores all
            rows and columns beyond, the lower third of a picture of 384 x 256, and can read pictures of 8 to 15 such places only.

    Raises:
        InputError: unknown option.
    """

    def __init__(self, nz: int, input_nc: int = 3, nef: int = 64, n_down: int = 5, norm: str = 'none', init: str = 'kaiming',
                 logvar_bias: float = -4.0, pooling: str = 'adaptive'):
        super().__init__()
        for name, value, known in (('norm', norm, NORMS), ('init', init, INITS), ('pooling', pooling, POOLINGS)):
            if value not in known:
                raise InputError(f'{name}={value!r} of ResNetEncoder is unknown, expected one of {", ".join(known)}')
        if nz < 1 or n_down < 1:
            raise InputError(f'ResNetEncoder needs nz and n_down of at least 1, got {nz} and {n_down}')
        self.nz = nz
        self.config = dict(type='ResNetEncoder', nz=nz, input_nc=input_nc, nef=nef, n_down=n_down, norm=norm, pooling=pooling)
        channels = [nef * min(level + 1, 4) for level in range(n_down)]
        self.pooling = pooling
        self.stem = nn.Conv2d(input_nc, nef, 4, 2, 1)
        later = 'instance' if norm == 'instance_but_first' else norm
        norms = ['none' if norm == 'instance_but_first' else norm] + [later] * n_down
        self.blocks = nn.Sequential(*(
            PreactivationBlock(a, b, first, later) for a, b, first in zip(channels, channels[1:], norms)))
        self.mu = nn.Linear(channels[-1], nz)
        self.logvar = nn.Linear(channels[-1], nz)
        INITS[init](self)
        init_xavier(self.logvar)
        nn.init.constant_(self.logvar.bias, logvar_bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode as :mod:`toolkit.encoders` says; float32 also under autocast.

        Raises:
            InputError: the picture is too small, or does not fit ``pooling='avg8'``.
        """
        smallest = 2**self.config['n_down']
        if min(x.shape[-2:]) < smallest:
            raise InputError(
                f'picture of {x.shape[-2]} x {x.shape[-1]} pixels, the encoder needs at least {smallest} a side; lower its n_down')
        h = F.leaky_relu(self.blocks(self.stem(x)), 0.2)
        if self.pooling == 'avg8':
            if not all(8 <= size < 16 for size in h.shape[-2:]):
                raise InputError(
                    f"pooling='avg8' needs a map of 8 to 15 places a side before pooling, a picture of {x.shape[-2]} x {x.shape[-1]} "
                    f"has {h.shape[-2]} x {h.shape[-1]}; use pooling='adaptive' or another n_down")
            h = h[..., :8, :8]
        with torch.autocast(h.device.type, enabled=False):
            h = h.float().mean((2, 3))
            return self.mu(h), self.logvar(h)


def _make_norm(norm: str, channels: int) -> nn.Module:
    if norm == 'group32':
        return nn.GroupNorm(max(min(32, channels // 4), 1), channels)
    return nn.Identity() if norm == 'none' else nn.InstanceNorm2d(channels)
