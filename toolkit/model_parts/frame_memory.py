"""Generated frames that the next mini-batch of the same video goes on from."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class FrameMemory(nn.Module):
    """Remembers the last generated frames of each row of a mini-batch, and of which video they are.

    With sequential mini-batches a row shows the frames that follow those of the same row one iteration before. Its generator then goes
    on from what it generated, without gradient into the past (truncated back-propagation through time). The frames are extra state:
    they are in checkpoints, and each process has its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames: dict[str, Tensor] = {}
        self.expected: dict[str, list[list]] = {}

    def continues(self, domain: str, clips: Sequence[str], first: Sequence[int], follows: Sequence[bool], length: int) -> list[bool]:
        """Which rows go on where they were; and remember where they will be.

        Args:
            domain: name of the video.
            clips: clip of each row.
            first: number of the first frame of each row.
            follows: whether the dataset says that the row follows its predecessor, cut out and mirrored alike.
            length: frames of a row.
        """
        before = self.expected.get(domain, [])
        here = [[str(clip), int(frame)] for clip, frame in zip(clips, first)]
        self.expected[domain] = [[clip, frame + length] for clip, frame in here]
        return [bool(flag) and row < len(before) and before[row] == place for row, (place, flag) in enumerate(zip(here, follows))]

    def recall(self, chain: str, continues: Sequence[bool], start: Tensor) -> Tensor:
        """Frames before a mini-batch.

        Args:
            chain: name of what was generated, as in :meth:`keep`.
            continues: of :meth:`continues`.
            start: (B, P, 3, H, W), the frames before a video begins.

        Returns:
            (B, P, 3, H, W): the remembered ones where a row continues, else those of ``start``.
        """
        known = self.frames.get(chain)
        if known is None or known.shape != start.shape or not any(continues):
            return start
        rows = torch.tensor(continues, device=start.device).reshape(-1, 1, 1, 1, 1)
        return torch.where(rows, known.to(start), start)

    def keep(self, chain: str, frames: Tensor) -> None:
        """Remember the last frames of a mini-batch, (B, P, 3, H, W), newest first."""
        self.frames[chain] = frames.detach().float().clone()

    def get_extra_state(self) -> dict:
        """Frames and places."""
        return dict(frames=dict(self.frames), expected={name: [list(place) for place in rows] for name, rows in self.expected.items()})

    def set_extra_state(self, state: dict) -> None:
        """Restore what :meth:`get_extra_state` gave."""
        self.frames = dict(state['frames'])
        self.expected = {name: [list(place) for place in rows] for name, rows in state['expected'].items()}
