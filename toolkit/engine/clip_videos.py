"""Videos of clips that are tested."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import numpy as np

from toolkit.outputs import plain_path
from toolkit.video.io import VideoWriter


def clip_videos(folder: str | Path, overwrite: bool = False) -> Callable[[], AbstractContextManager[Callable[[dict[str, dict]], None]]]:
    """What writes each clip as one video, part by part: pose maps, a transfer's input, real, and what each model made, side by side.

    Args:
        folder: for the videos, named after their clips.
        overwrite: replace videos that are there.

    Returns:
        ``watch`` of :meth:`toolkit.metrics.evaluator.ClipEvaluator.run`.
    """

    @contextmanager
    def watch() -> Iterator[Callable[[dict[str, dict]], None]]:
        with ExitStack() as stack:
            video = None

            def see(samples: dict[str, dict]) -> None:
                nonlocal video
                first = next(iter(samples.values()))
                if video is None:
                    path = Path(f'{Path(folder) / plain_path(first["clip"])}.mp4')
                    path.parent.mkdir(parents=True, exist_ok=True)
                    video = stack.enter_context(VideoWriter(path, first['fps'], overwrite=overwrite))
                source = [first['input']['frames']] if first.get('has_truth') else []
                for frames in zip(first['pose_maps'], *source, first['real'], *(s['generated'] for s in samples.values())):
                    video.write(np.concatenate(frames, 1))

            yield see

    return watch
