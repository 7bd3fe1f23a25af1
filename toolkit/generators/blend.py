"""A generator that copies: its picture is blended from what it paints, from reference frames and from the empty scene."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from toolkit.fit import SIDE, build_network, check_call
from toolkit.registry import GENERATORS
from toolkit.structures import InputError

SHARPNESS = 5.0
"""Factor of the weights, which the body gives in [-1, 1]: e to the 10 lies between the largest and the smallest."""
MATTE_SHARPNESS = 8.0
LEAST = 1e-9
"""Share of a reference that shows nothing, so small that no weight can bring it back."""
FURTHER, PAINTED = -3.0, -6.0
"""Logarithm of the weight with which references but the nearest, and what is painted, start."""
COVERED = 0.02
"""Where references show nothing or all, the matte starts as far from 0 or 1."""
RIM = .02
"""Further than this from where a reference shows nothing, in heights of the picture, the person hides the scene for sure."""
LUMA = .299, .587, .114


@GENERATORS.register_module()
class BlendGenerator(nn.Module):
    """Any generator as a body, and a head that blends.

    The body gives RGB, a matte m and a weight for each of {reference 1, ..., reference K, RGB}. The picture is
    ``m (softmax blend of RGB and the references' colors) + (1 - m) plate``. A reference weighs nothing where it shows nothing. Where
    all references show the person, and all around, m is 1. In a picture in which none shows anything, nobody is there: m is 0.
    Without a plate there is no matte, without references no weights. A latent code enters the body as it does without blending; its
    ``region_rgb`` acts on the painted RGB alone.

    With ``garments`` the garments of references have no color. They take that of the painted RGB, their brightness stays their own; and
    the code acts where the references' garments are, and where no reference shows anything in the regions of the pose.

    A body that says nothing yet copies: the nearest reference that shows something, over the plate. It learns where to do otherwise.

    Args:
        input_nc: channels of the input.
        generator: ``GENERATORS`` config of the body; what its method fills in is filled in.
        first: channel of the input where the textures begin, see :class:`toolkit.model_parts.textures.Textures`. Filled in, like the
            next two.
        references: K, reference frames in the input.
        plate: whether the empty scene is in the input.
        garments: whether two channels behind each reference say where its garments are, see above. Filled in, too.
        blend: whether references are blended in; False leaves them to the body as an input alone.
        z_dims: length of each region's code; None leaves it to the body.

    Raises:
        InputError: neither references nor plate; a body that does not fit.
    """

    def __init__(self, input_nc: int, generator: dict, first: int = 0, references: int = 0, plate: bool = False,
                 garments: bool = False, blend: bool = True, z_dims: Sequence[int] | None = None) -> None:
        super().__init__()
        if not (references and blend) and not plate:
            raise InputError('BlendGenerator has nothing to blend: set feature_maps=dict(references=2, plate=True) of a model that has '
                             'them, VideoPix2PixHD, or use its body alone as the generator')
        self.first, self.references, self.plate, self.garments = first, references, plate, garments
        self.blended = references if blend else 0
        self.layout = [3, int(plate), self.blended and 1 + self.blended]
        filled, dims = dict(input_nc=input_nc, output_nc=sum(self.layout)), tuple(z_dims or generator.get('z_dims') or ())
        where, code = 'model.generator.generator', any(dims)
        self.painter = build_network(GENERATORS, generator, 'BlendGenerator', where, filled | (dict(z_dims=dims) if z_dims else {}))
        inputs = dict(x=(2, input_nc, SIDE, SIDE), z=(2, sum(dims)) if code else None,
                      regions=(2, len(dims), SIDE, SIDE) if code else None)
        check_call(GENERATORS, self.painter, 'BlendGenerator', where, inputs, (2, filled['output_nc'], SIDE, SIDE))
        self._say_nothing()

    @torch.no_grad()
    def _say_nothing(self) -> None:
        """Begin with 0 for the matte and the weights, where the last layer of the body is a convolution."""
        layers = [layer for layer in self.painter.modules()
                  if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and layer.out_channels == sum(self.layout)]
        if layers:
            weight = layers[-1].weight
            (weight if isinstance(layers[-1], nn.Conv2d) else weight.transpose(0, 1))[3:] = 0
            layers[-1].bias[3:] = 0

    def forward(self, x: Tensor, z: Tensor | None = None, regions: Tensor | None = None, with_matte: bool = False) -> Tensor:
        """Paint a picture.

        Args:
            x: (B, input_nc, H, W) in [-1, 1], from channel ``first`` on: K times RGB, coverage and with ``garments`` two regions, then
                the plate.
            z: (B, sum(z_dims)) latent code, or None for a body without.
            regions: (B, len(z_dims), H, W) in [0, 1], where each region's code acts.
            with_matte: return the matte, too; only with a plate.

        Returns:
            (B, 3, H, W) float32 in [-1, 1], with ``garments`` a little beyond where a light garment takes a strong color; with the
            matte (B, 4, H, W), the last channel in [0, 1].
        """
        textures, each = x[:, self.first:].float(), 6 if self.garments else 4
        shown = textures[:, :each * self.references].unflatten(1, (self.references, each))
        colors, coverage = shown[:, :, :3], (shown[:, :, 3] + 1) / 2
        worn = (shown[:, :, 4:] + 1) / 2 * coverage[:, :, None]
        if self.garments and regions is not None:
            regions = worn.amax(1) + (1 - coverage).prod(1, keepdim=True) * regions.float()
        picture, matte, weights = self.painter(x, z, regions).float().split(self.layout, 1)
        if self.garments:
            tint = picture - (picture * _constants(LUMA, picture)).sum(1, keepdim=True)
            colors = colors + worn.sum(2, keepdim=True).clamp(max=1) * tint[:, None]
        if self.blended:
            start = coverage.clamp(min=LEAST).log() + _constants([0, *[FURTHER] * (self.references - 1)], x)
            start = torch.cat([start, torch.full_like(start[:, :1], PAINTED)], 1)
            *others, own = (SHARPNESS * weights + start).softmax(1).split(1, 1)
            picture = own * picture + sum(weight * color for weight, color in zip(others, colors.unbind(1)))
        if self.plate:
            matte = MATTE_SHARPNESS * matte
            if self.references:
                covered = (1 - (1 - coverage).prod(1, keepdim=True)).clamp(COVERED, 1 - COVERED)
                matte = matte + (covered / (1 - covered)).log()
            plate = textures[:, each * self.references:each * self.references + 3]
            matte = torch.sigmoid(matte)
            if self.references:
                matte = torch.maximum(matte, _inside(coverage.amin(1, keepdim=True)))
                matte = matte * (coverage.amax((1, 2, 3)) > COVERED).to(matte)[:, None, None, None]
            picture = torch.lerp(plate, picture, matte)
        return torch.cat([picture, matte], 1) if with_matte else picture


def _constants(values: Sequence[float], like: Tensor) -> Tensor:
    """(N, 1, 1) numbers, filled in where ``like`` is: copied there from the CPU they could not be recorded as a CUDA graph."""
    return torch.stack([like.new_full((1, 1), value) for value in values])


def _inside(coverage: Tensor) -> Tensor:
    """Least coverage (N, 1, H, W) within :data:`RIM` of each pixel."""
    side = 2 * round(RIM * int(coverage.shape[-2])) + 1
    return -nn.functional.max_pool2d(-coverage, side, 1, side // 2)
