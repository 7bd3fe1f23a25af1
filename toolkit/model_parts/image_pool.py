"""A pool of earlier generated pictures. Source: Shrivastava et al. 2017; as used by CycleGAN (Zhu et al. 2017, section 4)."""

import torch
from torch import Tensor, nn


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

    @torch.no_grad()
    def query(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Exchange new pictures for a mixture of new and old ones, one after the other.

        Args:
            images: (B, C, H, W); pictures of another size or number of channels than those in the pool empty it first.
            generator: CPU generator of all randomness.

        Returns:
            (B, C, H, W) without gradient, memory of its own.
        """
        out = images.detach().clone()
        if not self.size:
            return out
        if self.images is None or self.images.shape[1:] != out.shape[1:]:
            self.images, self.count = out.new_zeros(self.size, *out.shape[1:]), 0
        self.images = self.images.to(out)
        for i, image in enumerate(images.detach()):
            if self.count < self.size:
                self.images[self.count] = image
                self.count += 1
            elif torch.rand((), generator=generator) < 0.5:
                place = int(torch.randint(self.size, (), generator=generator))
                out[i] = self.images[place]
                self.images[place] = image
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
