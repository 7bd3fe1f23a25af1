"""Choose, the part that costs nothing: what is to be generated, and whether a model can do it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any

from toolkit import fields
from toolkit.datasets.directed import DIRECTIONS
from toolkit.inference.outfits import Colors, check_has_codes, check_outfit, check_several
from toolkit.models.base import VideoModel
from toolkit.structures import InputError

RETARGET = ('auto', 'on', 'off')
OPENING = ('content', 'direction', 'plate', 'z')
"""What a method can be opened with, see :class:`toolkit.models.painting.PaintedVideos`."""


@dataclass(frozen=True)
class Request:
    """What to generate.

    Attributes:
        driving: prepared clip or video of the movement.
        content: prepared clip, video or picture of the person to generate; None for a method that knows its persons.
        content_frame: frame of ``content`` that lends its appearance, as it is prepared: 0 is the first that shows the person. A
            model with references also takes the pixels of all others.
        references: more clips, videos or pictures of that person, in the same clothes, for a model with references.
        retarget: see :func:`toolkit.inference.driving.driving_poses`.
        direction: of a transfer between two persons: 'ab' (the default) if ``driving`` shows its person A, 'ba' if it shows B.
        max_frames: stop after so many frames. ``driving`` is prepared whole all the same: its crop, its poses and how they are fitted
            depend on all frames, so that these are the first ones of the whole video.
        size: (H, W) of the frames to generate. None takes the size of the content clip as it is prepared (of ``driving`` where there
            is no content) for a model with references, and for one that was published for any size; for all others the size of the
            training.
        colors: what the person wears, for a model with color codes or references; default the content's own clothes.

    Raises:
        InputError: a value that cannot be, or a file that is not there.
    """

    driving: str | Path
    content: str | Path | None = None
    content_frame: int = 0
    retarget: str = 'auto'
    direction: str | None = None
    max_frames: int | None = None
    size: tuple[int, int] | None = None
    colors: Colors = field(default_factory=Colors)
    references: Sequence[str | Path] = ()

    def __post_init__(self) -> None:
        check_retarget(self.retarget)
        if self.direction not in (None, *DIRECTIONS):
            raise InputError(f'direction must be one of {", ".join(DIRECTIONS)}, got {self.direction!r}')
        if self.max_frames is not None and not (isinstance(self.max_frames, Integral) and self.max_frames >= 1):
            raise InputError(f'the number of frames must be at least 1, got {self.max_frames}')
        if self.size is not None and not _is_size(self.size):
            got = 'x'.join(map(str, self.size)) if isinstance(self.size, Sequence) else self.size
            raise InputError(f'the size must be a height and a width in pixels, got {got}')
        if not isinstance(self.colors, Colors):
            raise InputError(f"colors: expected Colors(up='#c03030') or another of its ways, got {self.colors!r}")
        check_several(self.references, 'references')
        for path in (self.content, self.driving, *self.references):
            if path == '' or path is not None and not Path(path).exists():  # no text at all would be the current folder
                raise InputError(f'{path or repr(path)}: no such file or folder')
        for wish in self.outfits:
            check_outfit(wish)

    @property
    def outfits(self) -> Sequence[str | Path]:
        """Outfits that the colors name: pairs of colors, or files."""
        colors = self.colors
        return [*colors.outfits, *(colors.interpolate or ()), *([colors.like] if colors.like else [])]

    @property
    def inputs(self) -> list[str | Path]:
        """Files and folders that are read."""
        return [path for path in (self.content, self.driving, *self.references, *self.outfits) if path is not None]

    def check(self, model: VideoModel) -> None:
        """Refuse what a model could not fulfill, before a video is prepared.

        Raises:
            InputError: names the wish, or what the model needs and nobody gives.
        """
        model.check_generates()
        kind, takes = type(model).__name__, model.opens_with
        known = {*fields.keys(fields.FRAME), *model.added_fields}
        unknown = [*(set(takes) - set(OPENING)), *(set(model.paints_from) - known)]
        if unknown:
            raise InputError(f'a {kind} generates from {", ".join(sorted(unknown))}, which a prepared clip does not have')
        if 'content' not in takes and (self.content is not None or self.content_frame or self.retarget == 'on'):
            raise InputError(f'a {kind} takes no content person to show or to fit poses to: it generates whom it was trained on')
        if 'content' in takes and self.content is None:
            raise InputError('this checkpoint generates from poses: say who is to be generated (content)')
        if 'content' not in takes and model.references:
            raise InputError(f'a {kind} takes references, but no content person whose footage they could be of')
        if 'direction' not in takes and self.direction is not None:
            raise InputError(f'a {kind} has no direction: it is not a transfer between two persons')
        check_references(model, self.references)
        copies_colors = model.references and 'reference_garments' not in model.paints_from
        if self.colors.wanted and not copies_colors:
            check_has_codes(model)
        if self.colors.wanted and copies_colors and model.codes is not None:
            raise InputError(f'this {kind} has both color codes and references, which bring colors of their own: generate with the '
                             'clothes of the content, or train a model with one of the two, or with '
                             'feature_maps.texture_lightness=True')


def _is_size(size: Any) -> bool:
    return isinstance(size, Sequence) and len(size) == 2 and all(isinstance(side, Integral) and side > 0 for side in size)


def check_references(model: VideoModel, given: Sequence) -> None:
    """Refuse more footage for a model that looks at the content frame alone.

    Raises:
        InputError: says so.
    """
    if given and not model.references:
        raise InputError(f'this {type(model).__name__} takes the content frame of a person alone: more clips (references) would not be '
                         'looked at; train one with feature_maps=dict(references=2) or leave them out')


def check_retarget(retarget: str) -> None:
    """Refuse an unknown way to fit poses.

    Raises:
        InputError: names the known ones.
    """
    if retarget not in RETARGET:
        raise InputError(f'retarget must be one of {", ".join(RETARGET)}, got {retarget!r}')
