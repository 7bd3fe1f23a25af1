"""Color codes for stage II: the two encoders of stage I, rebuilt from their checkpoints, frozen, with their codes standardized."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.fit import check_attributes
from toolkit.region_encoders.region_encoder import RegionEncoder
from toolkit.registry import REGION_ENCODERS
from toolkit.structures import InputError
from toolkit.weights import load_network, trained_checkpoint

MIN_STD = 0.05
"""A dimension of mu that varies less than this against a prior of 1 carries nothing, and is not blown up by standardizing."""
KEPT_CODES = 512


class ColorCodes(nn.Module):
    """Code of the clothes in a frame: ``[z_up, z_down]``, standardized means of the two encoders.

    Stage I leaves each dimension of mu with a mean and spread of its own. Here they are subtracted and divided by, as measured while
    the encoder was trained, or by :meth:`fit`; they are kept in checkpoints.

    The last codes of stage II's own training are kept too, for :meth:`sample`.

    Args:
        up: of the upper body: a stage I checkpoint, or the work dir of its run, or a ``REGION_ENCODERS`` config (``RegionEncoder``
            unless it says ``type``), which starts untrained or gets its weights with the whole model's: a checkpoint of stage II holds
            that config, see :func:`toolkit.weights.use_packed_configs`.
        down: the same of the lower body.
        frozen: False lets the encoders learn with the model they serve; mu then is the code as it is.

    Raises:
        MissingWeightsError: no checkpoint; the message says which command makes it.
        InputError: not a color encoder, or of the other region.
    """

    mean: Tensor
    std: Tensor
    seen: Tensor
    seen_count: Tensor

    nested = dict(up=RegionEncoder, down=RegionEncoder)

    def __init__(self, up: str | Path | dict, down: str | Path | dict, frozen: bool = True) -> None:
        super().__init__()
        self.up, self.down, self.frozen = _build('up', up), _build('down', down), frozen
        for encoder in (self.up, self.down):
            encoder.requires_grad_(not frozen)
            if not frozen and hasattr(network := getattr(encoder, 'network', encoder), 'logvar'):
                network.logvar.requires_grad_(False)
        self.register_buffer('mean', torch.zeros(sum(self.z_dims)))
        self.register_buffer('std', torch.ones(sum(self.z_dims)))
        if frozen:
            self.mean.copy_(torch.cat([self.up.code_mean, self.down.code_mean]))
            self.std.copy_(torch.cat([self.up.code_std, self.down.code_std]).clamp_min(MIN_STD))
        self.register_buffer('seen', torch.zeros(KEPT_CODES, sum(self.z_dims)))
        self.register_buffer('seen_count', torch.zeros((), dtype=torch.long))
        self.train(not frozen)

    @property
    def z_dims(self) -> tuple[int, int]:
        """Lengths of the two codes, as the generators of stage II take them."""
        return self.up.nz, self.down.nz

    def forward(self, frames: Tensor, regions: Tensor, masks: Tensor) -> Tensor:
        """Codes (B, D), D = nz_up + nz_down, of what :mod:`toolkit.region_encoders` are called with."""
        return (self.mu(frames, regions, masks) - self.mean) / self.std

    def mu(self, frames: Tensor, regions: Tensor, masks: Tensor) -> Tensor:
        """Codes before standardizing, see :meth:`forward`."""
        with torch.no_grad() if self.frozen else nullcontext():
            return torch.cat([encoder(frames, regions, masks)[0] for encoder in (self.up, self.down)], 1)

    @torch.no_grad()
    def fit(self, mu: Tensor) -> None:
        """Take mean and spread from the codes of a training set.

        Args:
            mu: (N, D) of :meth:`mu`, N at least 2.

        Raises:
            InputError: another shape.
        """
        if mu.ndim != 2 or mu.shape[1] != sum(self.z_dims) or len(mu) < 2:
            raise InputError(f'codes of shape {tuple(mu.shape)}, expected at least 2 of length {sum(self.z_dims)}')
        self.mean.copy_(mu.mean(0))
        self.std.copy_(mu.std(0).clamp_min(MIN_STD))

    @torch.no_grad()
    def observe(self, z: Tensor) -> None:
        """Keep the codes of a training batch for :meth:`sample`, in place of the oldest; each process keeps its own.

        Args:
            z: (B, D) of :meth:`forward`.
        """
        z = z.detach().float()[-KEPT_CODES:]
        self.seen[(self.seen_count + torch.arange(len(z), device=z.device)) % KEPT_CODES] = z
        self.seen_count += len(z)

    @torch.no_grad()
    def sample(self, count: int, seed: int = 0) -> Tensor:
        """Random codes: z_up of one training frame with z_down of another; of N(0, 1) before there are any.

        The colors of a garment fill a thin, curved sheet of the code's space. On recolored synthetic people (codes of 16 and 8) the
        nearest training code was, on average, .53 and .50 away from codes of other frames, 1.6 and 1.0 from samples of a normal
        distribution of their mean and covariance, and 3.7 and 2.1 from samples of N(0, 1).

        Args:
            count: how many.
            seed: code i depends on (seed, i) alone.

        Returns:
            (count, D).
        """
        kept, codes = min(int(self.seen_count), KEPT_CODES), []
        for rng in (np.random.default_rng((seed, i)) for i in range(count)):
            if kept:
                codes.append(torch.cat([part[rng.integers(kept)] for part in self.seen.split(self.z_dims, 1)]))
            else:
                codes.append(torch.from_numpy(rng.standard_normal(sum(self.z_dims))).to(self.seen))
        return torch.stack(codes)

    def train(self, mode: bool = True) -> 'ColorCodes':
        """Set training mode; frozen encoders stay in eval mode."""
        return super().train(mode and not self.frozen)


def _build(region: str, source: str | Path | dict) -> nn.Module:
    if isinstance(source, dict):
        encoder = REGION_ENCODERS.build(dict(dict(type='RegionEncoder', region=region), **source))
    else:
        config = f'configs/stage1_bicyclegan_{region}.py'
        path = trained_checkpoint(source, f'color encoder {region!r}', config)
        encoder = load_network(REGION_ENCODERS, path, 'net_e.', 'color encoder', config)
    check_attributes(REGION_ENCODERS, encoder, 'ColorCodes', f'model.color_codes.{region}', ('region', 'nz', 'code_mean', 'code_std'))
    if encoder.region != region:
        raise InputError(f'color encoder {region!r}: {source} is of region {encoder.region!r}; expected one of region {region!r}')
    return encoder
