"""What picture metrics share: three ways to look at a frame.

``masked`` is the protocol of *Disentangled Human Action Video Generation via Decoupled Learning* (Yang et al. 2019, section 4.3).
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from toolkit.metrics.base import ClipMetric, Definition, Measure
from toolkit.structures import InputError

DILATION = 5
CROP_SIZE = (256, 192)
PROTOCOLS = {
    'full': 'whole frame',
    'masked': f'whole frame, both black outside the true mask + {DILATION} px',
    'crop': f'box of the true mask + {DILATION} px, resized to {CROP_SIZE[0]}x{CROP_SIZE[1]}',
}


def check_pair(generated: np.ndarray, real: np.ndarray) -> None:
    """Refuse anything but two equal-sized stacks of uint8 pictures.

    Raises:
        TypeError: not uint8. Floats may be in [0, 1], [-1, 1] or [0, 255], and every score depends on which.
        ValueError: not two (N, H, W, 3) of one shape.
    """
    check_pictures(generated, 'generated')
    check_pictures(real, 'real')
    if generated.shape != real.shape:
        raise ValueError(f'frames must be two (N, H, W, 3) of one shape, got {generated.shape} and {real.shape}')


def check_pictures(frames: np.ndarray, name: str = 'the') -> None:
    """Refuse anything but a stack of uint8 pictures.

    Raises:
        TypeError: not uint8.
        ValueError: not (N, H, W, 3).
    """
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
        raise TypeError(f'{name} frames must be a uint8 array in 0..255, got {getattr(frames, "dtype", type(frames))}')
    if frames.ndim != 4 or frames.shape[-1] != 3:
        raise ValueError(f'{name} frames must be (N, H, W, 3), got {frames.shape}')


def in_chunks(function: Callable[..., Tensor], *stacks: np.ndarray, device: torch.device | str = 'cpu', chunk: int = 8) -> np.ndarray:
    """Apply ``function`` to a few pictures at a time.

    Pictures stay channels-last, in which SSIM's depthwise filters are several times faster on a CPU. On a GPU they are float64:
    convolutions in TF32, the default for float32 there, would ruin the variances of SSIM.

    Args:
        function: as many (n, 3, H, W) tensors in 0..255 as there are stacks -> numbers.
        stacks: one (N, H, W, 3) uint8, or two of one shape: generated and real.
        device: where to compute.
        chunk: pictures at a time (n).

    Returns:
        All numbers, float64.

    Raises:
        TypeError, ValueError: see :func:`check_pair` and :func:`check_pictures`.
    """
    check_pictures(*stacks) if len(stacks) == 1 else check_pair(*stacks)
    dtype = torch.float32 if torch.device(device).type == 'cpu' else torch.float64

    def tensor(frames: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(frames)).to(device, dtype).permute(0, 3, 1, 2)

    with torch.no_grad():
        values = [function(*(tensor(frames[i:i + chunk]) for frames in stacks)).double().cpu().numpy()
                  for i in range(0, len(stacks[0]), chunk)]
    return np.concatenate(values) if values else np.zeros(0)


def dilate(mask: np.ndarray, radius: int = DILATION) -> np.ndarray:
    """Grow masks (T, H, W) bool by a disc of ``radius`` pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.stack([cv2.dilate(m.astype(np.uint8), disc) for m in mask]).astype(bool) if len(mask) else mask


def person_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Box (top, bottom, left, right) of a mask (H, W) bool, ends excluded.

    Raises:
        ValueError: the mask is empty.
    """
    if not mask.any():
        raise ValueError('an empty mask has no box')
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def resize(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (H, W, 3) uint8: area average where it shrinks, bilinear where it grows."""
    shrinks = height * width < frame.shape[0] * frame.shape[1]
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def view(sample: dict, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """The scored frames of a clip as ``protocol`` shows them.

    Args:
        sample: see :func:`toolkit.metrics.base.check_sample`.
        protocol: one of :data:`PROTOCOLS`. ``masked`` and ``crop`` leave out frames without a person.

    Returns:
        Generated and real pictures, each (N, H, W, 3) uint8 (``crop``: 256x192).

    Raises:
        ValueError: unknown protocol.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f'unknown protocol {protocol!r}, expected one of {sorted(PROTOCOLS)}')
    chosen = sample['scored'] if protocol == 'full' else sample['scored'] & sample['mask'].any((1, 2))
    generated, real = sample['generated'][chosen], sample['real'][chosen]
    if protocol == 'full':
        return generated, real
    mask = dilate(sample['mask'][chosen])
    if protocol == 'masked':
        return generated * mask[..., None], real * mask[..., None]
    boxes = [person_box(m) for m in mask]

    def crop(frames: np.ndarray) -> np.ndarray:
        crops = [resize(f[top:bottom, left:right], *CROP_SIZE) for f, (top, bottom, left, right) in zip(frames, boxes)]
        return np.stack(crops) if crops else np.zeros((0, *CROP_SIZE, 3), np.uint8)

    return crop(generated), crop(real)


class PictureMetric(ClipMetric):
    """Base of metrics that compare frame with frame, each reported once per protocol.

    Args:
        protocols: which of :data:`PROTOCOLS` to report. Masked frames share their black background, which flatters every method
            alike: never read ``masked`` without ``full`` and ``crop``.
        kwargs: of :class:`ClipMetric`.
    """

    needs_truth = True
    better = 'higher'
    text = ''

    def __init__(self, protocols: Sequence[str] = tuple(PROTOCOLS), **kwargs) -> None:
        super().__init__(**kwargs)
        unknown = set(protocols) - set(PROTOCOLS)
        if unknown or not protocols:
            raise ValueError(f'protocols must be among {sorted(PROTOCOLS)}, got {list(protocols)}')
        self.definitions = {p: Definition(f'{self.text}; {PROTOCOLS[p]}', self.better) for p in protocols}

    @abstractmethod
    def per_frame(self, generated: np.ndarray, real: np.ndarray) -> np.ndarray:
        """Values (N,) of pictures (N, H, W, 3) uint8."""

    def unfit(self, height: int, width: int) -> str:
        """Why pictures of this size cannot be measured, or an empty string."""
        return ''

    def update(self, state: dict, sample: dict) -> None:
        """Values of the scored frames, per protocol.

        Raises:
            InputError: :meth:`per_frame` gives another number of values.
        """
        for protocol in self.definitions:
            generated, real = view(sample, protocol)
            if not len(real):
                continue
            reason = self.unfit(*real.shape[1:3])
            if reason:
                state['unfit', protocol] = reason
                continue
            values = np.asarray(self.per_frame(generated, real), np.float64)
            if values.shape != real.shape[:1]:
                raise InputError(f'clip {sample["clip"]}: per_frame of {type(self).__name__} gave an array of {values.shape} for '
                                 f'{len(real)} frames, expected one number for each, {real.shape[:1]}')
            state.setdefault(protocol, []).append(values)

    def compute(self, state: dict) -> dict[str, Measure]:
        """Mean over the scored frames, per protocol."""
        measures = {}
        for protocol in self.definitions:
            if protocol in state:
                values = np.concatenate(state[protocol])
                measures[protocol] = Measure(float(values.mean()), len(values))
            else:
                reason = state.get(('unfit', protocol), 'no scored frame shows a person (empty masks)')
                measures[protocol] = Measure(None, reason=reason)
        return measures
