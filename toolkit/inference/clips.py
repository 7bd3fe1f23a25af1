"""Prepared clips of whatever a user gives."""

from pathlib import Path

from toolkit.clips.clip import Clip
from toolkit.preparing.parts import build_parts
from toolkit.preparing.prepare import prepare_video
from toolkit.progress import Progress, progress_of
from toolkit.registry import load_plugins

USUAL = 384, 256
"""Size (H, W) at which :func:`as_clip` prepares where nobody says one."""


def prepare(video: str | Path, out_dir: str | Path, size: tuple[int, int] | None = None, pose: dict | None = None,
            edges: dict | None = None, mask: dict | None = None, progress: bool | Progress = True, **settings) -> Clip:
    """Make a prepared clip of a video, an animated GIF, a picture or a folder of pictures.

    Args:
        video: file or folder.
        out_dir: folder of clips.
        size: (H, W) of the clip; by default that of the clips in ``out_dir``, or else one that fits person and video.
        pose, edges, mask: configs of a pose estimator, edge detector and segmentor; None takes the best that is installed.
        progress: show a bar, or somebody to tell.
        settings: of :func:`toolkit.preparing.prepare.prepare_video`.

    Returns:
        The clip. One that is finished already is returned as it is, an interrupted one is continued.
    """
    load_plugins()
    parts, configs = build_parts(pose, edges, mask)
    told = progress_of(progress)
    try:
        return prepare_video(video, out_dir, *parts, *(size or (None, None)), part_options=configs, **settings,
                             progress=lambda stage, done, total: told.step(f'preparing {Path(video).name}: {stage}', done, total))
    finally:
        told.close()


def ready_clip(path: str | Path) -> Clip | None:
    """The clip that a path is; None for what is to be prepared first."""
    return Clip(path) if (Path(path) / 'manifest.json').is_file() else None


def as_clip(path: str | Path, work_dir: str | Path, size: tuple[int, int] | None, progress: bool | Progress = True) -> Clip:
    """A prepared clip as it is; anything else is prepared into ``work_dir`` first, under a name that tells its content, and what its
    report warns of is said."""
    if clip := ready_clip(path):
        return clip
    clip = prepare(path, work_dir, size or USUAL, progress=progress, unique=True, multiple=1 if size else 32)
    for warning in clip.manifest.get('report', {}).get('warnings', []):
        progress_of(progress).say(f'{path}: warning: {warning}')
    return clip
