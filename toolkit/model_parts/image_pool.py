"""A pool of earlier generated pictures. Source: Shrivastava et al. 2017; as used by CycleGAN (Zhu et al. 2017, section 4)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from toolkit.machine import on_device


class ImagePool(nn.Module):
    """Shows a discriminator earlier pictures beside new ones.

    While the pool fills, each new picture is kept and returned. Then, with probability 1/2, a picture of the pool is returned and the
    new one takes its place; else the new one is returned. The pictures are extra state: they are in checkpoints, and each process has
    its own.

    Args:
        size: number of pictures; 0 always returns the new ones.
    """

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        self.size = size
        self.images: Tensor | None = None
        self.count = 0

    def query(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Exchange new pictures for a mixture of new and old ones, one after the other: :meth:`draw` and :meth:`exchange`.

        Args:
            images: (B, C, H, W); pictures of another size or number of channels than those in the pool empty it first.
            generator: CPU generator of all randomness.

        Returns:
            (B, C, H, W) without gradient, memory of its own.
        """
        return self.exchange(images, self.draw(images.shape, images, generator))

    def draw(self, shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor | None:
        """Decide what will happen to pictures that are not there yet, and make room for them.

        Args:
            shape: (B, C, H, W) of the pictures.
            like: a tensor of their type and device.
            generator: CPU generator of all randomness.

        Returns:
            (B, 3) on that device, for each picture: its place in the pool, whether the one there is returned, whether it is kept there;
            None for a pool of size 0.
        """
        if not self.size:
            return None
        if self.images is None or self.images.shape[1:] != shape[1:]:
            self.images, self.count = like.new_zeros(self.size, *shape[1:]), 0
        self.images = self.images.to(like)
        drawn = []
        for _ in range(shape[0]):
            if self.count < self.size:
                drawn.append((self.count, 0, 1))
                self.count += 1
            elif torch.rand((), generator=generator) < 0.5:
                drawn.append((int(torch.randint(self.size, (), generator=generator)), 1, 1))
            else:
                drawn.append((0, 0, 0))
        return on_device(torch.tensor(drawn), like.device)

    @torch.no_grad()
    def exchange(self, images: Tensor, drawn: Tensor | None) -> Tensor:
        """Do what :meth:`draw` decided; nothing waits for the device.

        Args:
            images: (B, C, H, W).
            drawn: see there.
        """
        out = images.detach().clone()
        if drawn is None:
            return out
        for i, image in enumerate(images.detach()):
            place, old, kept = drawn[i].split(1)
            there = self.images.index_select(0, place)[0]
            out[i] = torch.where(old > 0, there, image)
            self.images.index_copy_(0, place, torch.where(kept > 0, image, there)[None])
        return out

    def get_extra_state(self) -> dict:
        """The pictures so far."""
        return dict(images=None if self.images is None else self.images[:self.count].clone())

    def set_extra_state(self, state: dict) -> None:
        """Restore what :meth:`get_extra_state` gave; of a larger pool the first pictures."""
        self.images, self.count = None, 0
        if self.size and state['images'] is not None:
            kept = state['images'][:self.size]
            self.images, self.count = kept.new_zeros(self.size, *kept.shape[1:]), len(kept)
            self.images[:self.count] = kept
