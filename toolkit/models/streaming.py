"""Generation of a clip that comes in parts, by models that go on from the frames before."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np

from toolkit.fields import steps as steps_of


def generated_parts(parts: Iterable[dict], generate: Callable[[dict, Iterator[dict]], Iterator[np.ndarray]],
                    result: Callable[[dict, np.ndarray], dict], keys: Sequence[str]) -> Iterator[dict]:
    """Run one generation through all parts of a clip.

    Args:
        parts: items of consecutive frames with a batch axis of 1.
        generate: (first part, what it is told of each frame) -> each frame (H, W, 3) uint8; it must not look ahead.
        result: (part, its frames (T, H, W, 3) uint8) -> result of the part.
        keys: of a part, of which each frame gets its own entry, (1, 1, ...).

    Yields:
        The result of each part, before the next one is asked for.
    """
    parts, here = iter(parts), []
    first = next(parts, None)
    if first is None:
        return

    def steps() -> Iterator[dict]:
        for part in chain([first], parts):
            here[:] = [part]
            yield from steps_of(part, keys)

    made = generate(first, steps())
    for frame in made:
        part = here[0]
        yield result(part, np.stack([frame, *islice(made, part['frames'].shape[1] - 1)]))
