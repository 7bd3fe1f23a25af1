"""Colors of clothes for a model with references: the garments of the footage are recolored, and its pixels bring the colors."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from toolkit.clips.clip import Clip
from toolkit.colors.draws import ColorDraw, draw_color
from toolkit.colors.garments import fit_garment_colors
from toolkit.colors.lab_shift import LabShift
from toolkit.colors.recolor import SAMPLED_FRAMES, apply_colors, clip_garment_masks, region_means
from toolkit.datasets.footage import Footage
from toolkit.datasets.references import PoseSearch
from toolkit.datasets.transforms import scale_pose
from toolkit.fields import REFERENCES
from toolkit.inference.outfits import NAMES, hex_to_lab
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError

KEPT = 32
FIGURE = -1
"""In the place of a row: the whole figure."""


class Garments:
    """The garments that footage shows, and what their person can wear.

    An outfit is an array (1, 2, 2), or (T, 2, 2) of a video: a, b of the upper and of the lower garment; NaN leaves one as it is.

    Args:
        footage: frames of the person, of at least one that shows them.
    """

    def __init__(self, footage: Footage) -> None:
        self.footage, self.colorizer = footage, LabShift()
        search = footage.search()
        rows = sorted({int(row) for row in np.linspace(0, len(search) - 1, SAMPLED_FRAMES).round()})
        self._sampled = self._arrays(footage.entries(search, [rows], figure=False))
        self.colors = fit_garment_colors(*self._sampled, SAMPLED_FRAMES)
        self._weights = clip_garment_masks(*self._sampled, self.colors)
        self.own = [region_means(self._sampled[0], weights) for weights in self._weights]
        """Mean L, a, b of each garment; None for one that is not seen."""

    def _arrays(self, entries: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
        """Frames, part labels, masks and poses in pixels of these frames, of the references of one frame."""
        frames, parts, poses = (entries[key][0] for key in REFERENCES)
        scale = frames.shape[1] / self.footage.size[0]
        return frames, parts, np.float32(parts > 0), scale_pose(poses, scale, scale)

    def colored(self, up: str | None = None, down: str | None = None) -> tuple[np.ndarray, list[ColorDraw]]:
        """The person's own garments in other colors.

        Args:
            up, down: such as '#c03030'; None leaves a garment as it is.

        Returns:
            The outfit, and a record of each color asked for, with what it became at the garment's own lightness.

        Raises:
            InputError: not a color, or a garment that is not seen.
        """
        outfit = np.full((1, 2, 2), np.nan)
        for place, color in enumerate((up, down)):
            if color:
                outfit[0, place] = hex_to_lab(color)[1:]
        targets = self._targets(outfit[0])
        records = [ColorDraw(*ab, float(self.own[REGIONS.index(region)][0]), region, colorizer=self.colorizer.name)
                   for region, (ab, _) in targets.items()]
        frames, parts, _, poses = self._sampled
        apply_colors(frames, self._weights, poses, targets, self.colorizer, records, parts)
        return outfit, records

    def like(self, clip: Clip, regions: str = 'both') -> np.ndarray:
        """The colors of somebody else's clothes.

        Args:
            clip: whose.
            regions: 'up', 'down' or 'both'; the other garment stays the person's own.

        Raises:
            InputError: nobody, or not the garment, is seen there; or the garment is not seen here.
        """
        footage = Footage([clip], [np.ones(len(clip), bool)], self.footage.size, 1)
        if not len(footage.search()):
            raise InputError(f'{clip.folder}: nobody is seen')
        other, outfit = Garments(footage), np.full((1, 2, 2), np.nan)
        for place, region in enumerate(REGIONS):
            if regions in (region, 'both'):
                if other.own[place] is None:
                    raise InputError(f'{clip.folder}: the {NAMES[region]} garment is not seen; take the color of the '
                                     f'{NAMES[REGIONS[1 - place]]} one alone (regions {REGIONS[1 - place]!r})')
                outfit[0, place] = other.own[place][1:]
        self._targets(outfit[0])
        return outfit

    def samples(self, count: int, seed: int = 0, regions: str = 'both') -> list[np.ndarray]:
        """Colors of chance, of those that sRGB can show at the garments' lightness.

        Args:
            count: how many.
            seed: sample i depends on (seed, i) alone.
            regions: as in :meth:`like`; a garment that is not seen stays.

        Raises:
            InputError: none of them is seen.
        """
        wanted = [place for place, region in enumerate(REGIONS) if regions in (region, 'both')]
        if all(self.own[place] is None for place in wanted):
            names = ' and the '.join(NAMES[REGIONS[place]] for place in wanted)
            raise InputError(f'the {names} garment is not seen in the content, so it cannot be given a color')
        outfits = np.full((count, 1, 2, 2), np.nan)
        for i in range(count):
            rng = np.random.default_rng((seed, i))
            for place, own in enumerate(self.own):
                drawn = draw_color(rng, 50 if own is None else own[0], keep=0)
                if place in wanted and own is not None:
                    outfits[i, 0, place] = drawn
        return list(outfits)

    def between(self, first: np.ndarray, second: np.ndarray, frames: int) -> np.ndarray:
        """Outfits that go evenly from one to another, (T, 2, 2). A garment that both leave as it is stays so.

        Args:
            first, second: outfits.
            frames: T.
        """
        own = np.array([[np.nan] * 2 if mean is None else mean[1:] for mean in self.own])
        own = np.where(np.isnan(first) & np.isnan(second), np.nan, own)
        first, second = (np.where(np.isnan(outfit), own, outfit) for outfit in (first, second))
        share = np.linspace(0, 1, frames)[:, None, None]
        return (1 - share) * first + share * second

    def _targets(self, outfit: np.ndarray) -> dict[str, tuple[tuple[float, float], np.ndarray]]:
        """Region -> (color wanted, its own), of an outfit (2, 2)."""
        targets = {}
        for region, own, ab in zip(REGIONS, self.own, outfit):
            if np.isnan(ab).any():
                continue
            if own is None:
                raise InputError(f'the {NAMES[region]} garment is not seen in the content, so it cannot be given a color')
            targets[region] = (float(ab[0]), float(ab[1])), own[1:]
        return targets

    def recolored(self, entries: dict[str, np.ndarray], outfit: np.ndarray) -> np.ndarray:
        """Reference frames (1, K, h, w, 3) uint8 in an outfit (2, 2)."""
        frames, parts, masks, poses = self._arrays(entries)
        weights = clip_garment_masks(frames, parts, masks, poses, self.colors)
        return apply_colors(frames, weights, poses, self._targets(outfit), self.colorizer, [], parts)[None]


class DressedFootage:
    """Footage whose person wears an outfit; it is asked for the references of one frame after the other.

    Args:
        garments: of the footage.
        outfit: (1, 2, 2), or (T, 2, 2) one for each frame.
    """

    def __init__(self, garments: Garments, outfit: np.ndarray) -> None:
        self.garments, self.outfit, self._frame = garments, outfit, 0
        self._kept: OrderedDict[tuple, np.ndarray] = OrderedDict()

    @property
    def clips(self) -> list[Clip]:
        """As of the footage."""
        return self.garments.footage.clips

    def skip(self) -> None:
        """Go by a frame."""
        self._frame += 1

    def search(self) -> PoseSearch:
        """As of the footage."""
        return self.garments.footage.search()

    def entries(self, search: PoseSearch, rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
        """As :meth:`toolkit.datasets.footage.Footage.entries`, of the next frame of the video."""
        outfit = self.outfit[min(self._frame, len(self.outfit) - 1)]
        self._frame += 1
        footage = self.garments.footage
        each = [(row, footage.entries(search, [[row]], figure=False)) for row in rows[0]]
        each += [(FIGURE, footage.entries(search, [[]]))] if footage.figure else []
        dressed = [dict(entries, reference_frames=self._dressed(row, entries, outfit)) for row, entries in each]
        return {key: np.concatenate([entries[key] for entries in dressed], 1) for key in REFERENCES}

    def _dressed(self, row: int, entries: dict[str, np.ndarray], outfit: np.ndarray) -> np.ndarray:
        key = int(row), outfit.tobytes()
        if key not in self._kept:
            self._kept[key] = self.garments.recolored(entries, outfit)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
