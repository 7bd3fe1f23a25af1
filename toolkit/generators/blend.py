"""A generator that copies: its picture is blended from what it paints, from reference frames and from the empty scene."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from toolkit.fit import SIDE, build_network, check_call
from toolkit.registry import GENERATORS
from toolkit.structures import InputError

SHARPNESS = 4.0
"""Factor of the weights, which the body gives in [-1, 1]: e to the 8 lies between the largest and the smallest."""
MATTE_SHARPNESS = 8.0
LEAST = 1e-6
"""Share of a reference that shows nothing: less than e to the -8, so that no weight can bring it back."""


@GENERATORS.register_module()
class BlendGenerator(nn.Module):
    """Any generator as a body, and a head that blends.

    The body gives RGB, a matte m and a weight for each of {RGB, reference 1, ..., reference K}. The picture is
    ``m (softmax blend of RGB and the references' colors) + (1 - m) plate``. A reference weighs nothing where it shows nothing. Without
    a plate there is no matte, without references no weights. A latent code enters the body as it does without blending; its
    ``region_rgb`` acts on the painted RGB alone.

    Args:
        input_nc: channels of the input.
        generator: ``GENERATORS`` config of the body; what its method fills in is filled in.
        first: channel of the input where the textures begin, see :class:`toolkit.model_parts.textures.Textures`. Filled in, like the
            next two.
        references: K, reference frames in the input.
        plate: whether the empty scene is in the input.
        blend: whether references are blended in; False leaves them to the body as an input alone.
        z_dims: length of each region's code; None leaves it to the body.

    Raises:
        InputError: neither references nor plate; a body that does not fit.
    """

    def __init__(self, input_nc: int, generator: dict, first: int = 0, references: int = 0, plate: bool = False, blend: bool = True,
                 z_dims: Sequence[int] | None = None) -> None:
        super().__init__()
        if not (references and blend) and not plate:
            raise InputError('BlendGenerator has nothing to blend: set feature_maps=dict(references=2, plate=True) of a model that has '
                             'them, VideoPix2PixHD, or use its body alone as the generator')
        self.first, self.references, self.plate = first, references, plate
        self.blended = references if blend else 0
        self.layout = [3, int(plate), self.blended and 1 + self.blended]
        filled, dims = dict(input_nc=input_nc, output_nc=sum(self.layout)), tuple(z_dims or generator.get('z_dims') or ())
        where, code = 'model.generator.generator', any(dims)
        self.body = build_network(GENERATORS, generator, 'BlendGenerator', where, filled | (dict(z_dims=dims) if z_dims else {}))
        inputs = dict(x=(2, input_nc, SIDE, SIDE), z=(2, sum(dims)) if code else None,
                      regions=(2, len(dims), SIDE, SIDE) if code else None)
        check_call(GENERATORS, self.body, 'BlendGenerator', where, inputs, (2, filled['output_nc'], SIDE, SIDE))

    def forward(self, x: Tensor, z: Tensor | None = None, regions: Tensor | None = None) -> Tensor:
        """Paint a picture.

        Args:
            x: (B, input_nc, H, W) in [-1, 1], from channel ``first`` on: K times RGB and coverage, then the plate.
            z: (B, sum(z_dims)) latent code, or None for a body without.
            regions: (B, len(z_dims), H, W) in [0, 1], where each region's code acts.

        Returns:
            (B, 3, H, W) float32 in [-1, 1].
        """
        picture, matte, weights = self.body(x, z, regions).float().split(self.layout, 1)
        textures = x[:, self.first:].float()
        if self.blended:
            shown = textures[:, :4 * self.references].unflatten(1, (self.references, 4))
            coverage = torch.log(((shown[:, :, 3] + 1) / 2).clamp(min=LEAST))
            own, others = (SHARPNESS * weights).split([1, self.references], 1)
            own, *others = torch.cat([own, others + coverage], 1).softmax(1).split(1, 1)
            picture = own * picture + sum(weight * colors for weight, colors in zip(others, shown[:, :, :3].unbind(1)))
        if self.plate:
            matte = torch.sigmoid(MATTE_SHARPNESS * matte)
            start = 4 * self.references
            picture = torch.lerp(textures[:, start:start + 3], picture, matte)
        return picture
