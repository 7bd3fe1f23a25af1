"""What the person of a generated video wears: from colors, a picture or chance to the codes that a generator takes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.clips.clip import Clip
from toolkit.colors.draws import ColorDraw
from toolkit.colors.lab import lab_to_rgb, rgb_to_lab
from toolkit.colors.recolor import MIN_AREA, recolor_frames
from toolkit.datasets.windows import ClipWindows
from toolkit.fields import content_of
from toolkit.models.base import VideoModel
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError, check_seed

NAMES = {'up': 'upper', 'down': 'lower'}


@dataclass(frozen=True)
class Colors:
    """A wish what to wear: one of five ways. Nothing at all is the content's own clothes.

    Attributes:
        up, down: colors of the garments such as '#c03030'; None leaves one as it is. Only hue and chroma are taken: lightness, and
            with it folds and prints, stays the content's own, so that black clothes do not become yellow.
        like: picture, video or prepared clip of somebody whose clothes' colors to take.
        outfits: generate a video for each of them. An outfit is 'UP,DOWN', either of which may be empty, as in '#c03030,', or what
            ``like`` takes.
        samples: generate so many videos, each in colors of chance.
        interpolate: two outfits, from the first of which the colors go over to the second.
        seed: of ``samples``, which it goes with only.
        regions: 'up', 'down' or 'both', what ``samples`` change and what is taken of pictures, videos and clips.

    Raises:
        InputError: more than one way, or a value that cannot be.
    """

    up: str | None = None
    down: str | None = None
    like: str | Path | None = None
    outfits: Sequence[str | Path] = ()
    samples: int = 0
    interpolate: tuple[str | Path, str | Path] | None = None
    seed: int = 0
    regions: str = 'both'

    def __post_init__(self) -> None:
        check_several(self.outfits, 'colors: outfits')
        check_several(self.interpolate, 'colors: interpolate')
        wishes = [wish for wish in (self.like, *self.outfits, *(self.interpolate or ())) if wish is not None]
        if '' in wishes:
            raise InputError("colors: an empty text is no outfit; give ',' for the content's own clothes, two colors such as "
                             "'#c03030,#2040a0', or a picture")
        ways = {'up and down': self.up or self.down, 'like': self.like, 'outfits': self.outfits, 'samples': self.samples,
                'interpolate': self.interpolate}
        given = [name for name, value in ways.items() if value]
        if len(given) > 1:
            raise InputError(f'colors: {" and ".join(given)} exclude each other; give one of them')
        check_seed(self.seed)
        if self.samples < 0:
            raise InputError(f'colors: samples must not be negative, got {self.samples}')
        if self.regions not in (*REGIONS, 'both'):
            raise InputError(f"colors: regions must be 'up', 'down' or 'both', got {self.regions!r}")
        if self.seed and not self.samples:
            raise InputError('colors: seed goes with samples only; the other ways have no chance in them')
        if self.regions != 'both' and not self.samples and all(map(split_outfit, wishes)):
            raise InputError('colors: regions goes with like or samples, or a picture among outfits, only; a color says by itself '
                             'which garment it is for')
        for color in (self.up, self.down):
            if color is not None:
                hex_to_lab(color)
        if self.interpolate and len(self.interpolate) != 2:
            raise InputError(f'colors: interpolate takes two outfits, got {len(self.interpolate)}')

    @property
    def wanted(self) -> bool:
        """Whether anything but the content's own clothes is asked for."""
        return bool(self.up or self.down or self.like or self.interpolate or self.several)

    @property
    def several(self) -> bool:
        """Whether more than one video is asked for."""
        return bool(self.outfits or self.samples)


def check_several(given: Any, what: str) -> None:
    """Refuse one thing in the place of a list of them, whose letters would be taken for the things.

    Raises:
        InputError: says what was given.
    """
    if isinstance(given, (str, Path)):
        raise InputError(f'{what}: expected a list, got {str(given)!r}; give [{str(given)!r}] for that one')


def hex_to_lab(color: str) -> tuple[float, float, float]:
    """L, a, b of a color such as '#c03030'.

    Raises:
        InputError: something else.
    """
    if not isinstance(color, str) or not re.fullmatch('#?[0-9a-fA-F]{6}', color):
        raise InputError(f"{color!r} is not a color: expected six hexadecimal digits such as '#c03030'")
    rgb = torch.tensor(list(bytes.fromhex(color.lstrip('#')))) / 255
    return tuple(rgb_to_lab(rgb).tolist())


def lab_to_hex(lab: Sequence[float]) -> str:
    """The reverse of :func:`hex_to_lab`, of the nearest color that sRGB can show."""
    return '#' + bytes((lab_to_rgb(torch.tensor(lab)) * 255).round().to(torch.uint8).tolist()).hex()


def split_outfit(outfit: str | Path) -> tuple[str | None, str | None] | None:
    """The colors (up, down) of an outfit 'UP,DOWN', or None for anything else, which must be a file then."""
    parts = [part.strip() for part in str(outfit).split(',')]
    if Path(outfit).exists() or len(parts) != 2 or not all(part == '' or part[0] == '#' for part in parts):
        return None
    return parts[0] or None, parts[1] or None


def content_batch(clip: Clip, size: tuple[int, int], frame: int | None = 0, fields: Sequence[str] = ()) -> dict[str, Tensor]:
    """What a model takes of a content frame.

    Args:
        clip: prepared clip.
        size: (H, W) of the frames to generate.
        frame: which one; None takes the first that shows somebody.
        fields: added fields to compute.

    Returns:
        The ``content_*`` entries of a dataset item with a batch axis of 1.

    Raises:
        InputError: nobody is seen in it.
    """
    if frame is None:
        frame = int((clip.poses[..., 2] > 0).any(-1).argmax())
    data = ClipWindows(clip.folder, window=1, content=frame, size=size, skip_empty=False)
    data.add_fields(fields)
    item = data[0]
    if not (item['content_pose'][:, 2] > 0).any():
        raise InputError(f'{clip.folder}: nobody is seen in frame {frame}; choose another content frame')
    return {key: value[None] for key, value in content_of(item).items()}


def check_outfit(outfit: str | Path) -> None:
    """Refuse what is no outfit.

    Raises:
        InputError: neither a pair of colors nor a file.
    """
    if pair := split_outfit(outfit):
        for color in filter(None, pair):
            hex_to_lab(color)
    elif not Path(outfit).exists():
        raise InputError(f"{str(outfit)!r} is neither a file nor two colors such as '#c03030,#2040a0'")


def check_has_codes(model: VideoModel) -> None:
    """Refuse a model without color codes.

    Raises:
        InputError: says which config has them.
    """
    if model.codes is None:
        raise InputError('this model has no color codes, so it can only generate the clothes it was trained on; train one with '
                         'configs/stage2_colors.py')


class OutfitEncoder:
    """Makes the codes of what a person can wear.

    Args:
        model: with color codes.
        content: of :func:`content_batch`, the person.

    Raises:
        InputError: a model without color codes.
    """

    def __init__(self, model: VideoModel, content: dict[str, Tensor]) -> None:
        check_has_codes(model)
        self.model, self.content = model, content
        self.own = model.encode(content)

    def colored(self, up: str | None = None, down: str | None = None) -> tuple[Tensor, list[ColorDraw]]:
        """The person's own garments in other colors; they are recolored in the content frame as in training, which is encoded.

        Args:
            up, down: such as '#c03030'; None leaves a garment as it is.

        Returns:
            Code (1, D), and a record of each color asked for, with what it became at the garment's own lightness.

        Raises:
            InputError: not a color, or a garment that is not seen in the content frame.
        """
        wanted = {region: hex_to_lab(color)[1:] for region, color in (('up', up), ('down', down)) if color}
        frame, parts, mask, pose = (self.content[f'content_{key}'].numpy() for key in ('frame', 'parts', 'mask', 'pose'))
        frames, records = recolor_frames(np.ascontiguousarray(np.moveaxis(frame, 1, -1)), parts[:, 0], mask[:, 0], pose, **wanted)
        for region in wanted.keys() - {record.region for record in records}:
            raise InputError(f'the {NAMES[region]} garment is not seen in the content frame, so it cannot be given a color; choose '
                             f'another content frame')
        recolored = torch.from_numpy(frames).movedim(-1, 1).contiguous()
        return self.model.encode(dict(self.content, content_frame=recolored)), records

    def like(self, clip: Clip, regions: str = 'both') -> Tensor:
        """The colors of somebody else's clothes.

        Args:
            clip: whose; the first frame that shows somebody is taken.
            regions: 'up', 'down' or 'both'; the other garment stays the person's own.

        Returns:
            Code (1, D).

        Raises:
            InputError: nobody, or not the garment, is seen.
        """
        other = content_batch(clip, tuple(self.content['content_frame'].shape[-2:]), None)
        near, mask = other['content_regions'] / 255, other['content_mask'] / 255
        alone = near * (1 - near.flip(1)) * mask > .5  # at the hips of a half-length portrait both regions are the same
        for region, area in zip(REGIONS, alone.sum((0, 2, 3))):
            if regions in (region, 'both') and area < MIN_AREA:
                rest = REGIONS[1 - REGIONS.index(region)]
                raise InputError(f'{clip.folder}: the {NAMES[region]} garment is not seen; take the color of the {NAMES[rest]} one '
                                 f'alone (regions {rest!r})')
        return self._exchange(self.model.encode(other), regions)

    def samples(self, count: int, seed: int = 0, regions: str = 'both') -> list[Tensor]:
        """Colors of chance, see :meth:`toolkit.model_parts.color_codes.ColorCodes.sample`.

        Args:
            count: how many.
            seed: sample i depends on (seed, i) alone.
            regions: as in :meth:`like`.

        Returns:
            ``count`` codes (1, D).
        """
        return [self._exchange(z[None], regions) for z in self.model.codes.sample(count, seed)]

    @staticmethod
    def between(first: Tensor, second: Tensor, frames: int) -> Tensor:
        """Codes that go evenly from one to another, (T, D): the first frame wears ``first``, the last one ``second``.

        Args:
            first, second: (1, D).
            frames: T.
        """
        share = torch.linspace(0, 1, frames, device=first.device)[:, None]
        return (1 - share) * first + share * second

    def _exchange(self, z: Tensor, regions: str) -> Tensor:
        """Codes of ``regions`` from ``z``, the others the person's own."""
        parts = zip(REGIONS, *(code.split(self.model.codes.z_dims, 1) for code in (z, self.own)))
        return torch.cat([new if regions in (region, 'both') else own for region, new, own in parts], 1)


def describe(records: Sequence[ColorDraw], asked: dict[str, str]) -> list[str]:
    """What became of colors asked for, a line each.

    Args:
        records: of :meth:`OutfitEncoder.colored`.
        asked: region -> the color in hexadecimal.
    """
    lines = []
    for record in records:
        color = asked[record.region]
        lines.append(f'{NAMES[record.region]} garment: {color} has a lightness of {hex_to_lab(color)[0]:.0f}, the garment '
                     f'{record.lightness:.0f}, which stays: it becomes {lab_to_hex((record.lightness, *record.realized))}')
    return lines
