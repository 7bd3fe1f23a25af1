"""Only the person is translated, the scene stays: masks and compositing for CycleGAN."""

from typing import NamedTuple, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.structures import InputError
from toolkit.warpers.similarity import rescale_maps


class Foreground(TypedDict, total=False):
    """``foreground`` of a model: ``margin``, how far around the person pixels are replaced."""

    margin: float


class Scene(NamedTuple):
    """What a translated video keeps of its input: everything but the person.

    Source: the remedy that Tsvetkov and Abu-Saleh (discussion) expect against patterned backgrounds.

    Attributes:
        background: (B, T, 3, H, W) in [-1, 1], the frames with the person replaced by the empty scene.
        person: (B, T, 1, H, W) in [0, 1], where the input's person may be, grown by a margin.
        painted: (B, T, 1, H, W) in [0, 1], where the other person may be painted; like ``person``, scaled to their size.
    """

    background: Tensor
    person: Tensor
    painted: Tensor

    @classmethod
    def of(cls, batch: dict, margin: float, anchors: Tensor | None) -> 'Scene':
        """Take a preprocessed batch apart.

        Args:
            batch: ``frames`` (B, T, 3, H, W), ``masks`` (B, T, 1, H, W) and ``plate`` (B, 3, H, W) in [0, 1].
            margin: growth of the masks in heights of the picture, so that hair and wider clothes fit and the borders can be painted.
            anchors: (2, 3), see :func:`toolkit.warpers.similarity.rescale_maps`; None where the persons are of one size.

        Raises:
            InputError: no plate.
        """
        if 'plate' not in batch:
            raise InputError('model.foreground needs the empty scene of each clip: set plates=True in the dataset')
        frames, masks = batch['frames'], batch['masks'].flatten(0, 1)
        radius = round(margin * frames.shape[-2])
        person = F.max_pool2d(masks, 2 * radius + 1, 1, radius)
        painted = person if anchors is None else rescale_maps(person, *anchors)
        person, painted = (m.unflatten(0, frames.shape[:2]) for m in (person, painted))
        plate = (2 * batch['plate'] - 1)[:, None].expand_as(frames)
        return cls(torch.lerp(frames, plate, person.expand_as(frames)), person, painted)

    def back(self) -> 'Scene':
        """The scene for the way back: from the painted person to the one who was there."""
        return Scene(self.background, self.painted, self.person)

    def compose(self, picture: Tensor, t: int | None = None) -> Tensor:
        """Put a generated person (B, [T,] 3, H, W) into frame ``t`` of the scene, or into all frames."""
        background, mask = (x if t is None else x[:, t] for x in (self.background, self.painted))
        return torch.lerp(background, picture.to(background.dtype), mask.expand_as(background))
