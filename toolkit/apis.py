"""The few calls of a user's own program: prepare a video, train a config, load what was trained, generate a video.

::

    from toolkit import apis
    clip = apis.prepare('me_dancing.mp4', 'data/mine')
    apis.train('configs/demo/own_video.py', cfg_options=['train_dataloader.dataset.root=data/mine'])
    apis.generate('work_dirs/own_video', content='me.jpg', driving='dancer.mp4', out='result.mp4')
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config
from tqdm import tqdm

from toolkit import fields
from toolkit.data.clip import Clip
from toolkit.data.clip_size import check_shape
from toolkit.data.directed import DIRECTIONS, transfer_steps
from toolkit.data.prepare import prepare_video
from toolkit.data.prepare_parts import build_parts
from toolkit.data.same_person import same_person
from toolkit.data.sheets import contact_sheet
from toolkit.data.sound import clip_sound
from toolkit.data.tensors import pose_tensors
from toolkit.data.transforms import resize_image, scale_pose
from toolkit.data.video import VideoWriter, check_suffix
from toolkit.engine.build_errors import naming_parts
from toolkit.engine.checkpoint import checkpoint_config, load_checkpoint
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.rebuild import build_like, frame_size
from toolkit.files import check_output, write_file
from toolkit.models.base import VideoModel
from toolkit.models.cycle_gan import CycleGAN
from toolkit.models.loss_table import for_generation
from toolkit.outputs import refuse_existing, refuse_inputs
from toolkit.poses.retarget import PoseNormalizer
from toolkit.registry import load_plugins
from toolkit.structures import InputError
from toolkit.wardrobe import Colors, Wardrobe, check_has_codes, check_look, content_batch, describe, split_look

RETARGET = ('auto', 'on', 'off')
SHEET_COLUMNS = 6


def prepare(video: str | Path, out_dir: str | Path, size: tuple[int, int] | None = None, pose: dict | None = None,
            edges: dict | None = None, mask: dict | None = None, progress: bool = True, **settings) -> Clip:
    """Make a prepared clip of a video, an animated GIF, a picture or a folder of pictures.

    Args:
        video: file or folder.
        out_dir: folder of clips.
        size: (H, W) of the clip; by default that of the clips in ``out_dir``, or else one that fits person and video.
        pose, edges, mask: configs of a pose estimator, edge detector and segmentor; None takes the best that is installed.
        progress: show a bar.
        settings: of :func:`toolkit.data.prepare.prepare_video`.

    Returns:
        The clip. One that is finished already is returned as it is, an interrupted one is continued.
    """
    load_plugins()
    parts, configs = build_parts(pose, edges, mask)
    with tqdm(desc=f'preparing {Path(video).name}', unit='frame', disable=not progress, leave=False) as bar:

        def show(stage: str, done: int, total: int) -> None:
            bar.set_postfix_str(stage)
            bar.total, bar.n = total, done
            bar.refresh()

        return prepare_video(video, out_dir, *parts, *(size or (None, None)), progress=show, part_options=configs, **settings)


def train(config: str | Path, work_dir: str | Path | None = None, resume: bool | str = False, amp: bool = False,
          cfg_options: Sequence[str] = ()) -> Path:
    """Train a config, as ``tools/train.py`` does.

    Args:
        config: a config file.
        work_dir: where checkpoints and logs go.
        resume: go on from the latest checkpoint in ``work_dir``, or from a checkpoint.
        amp: train in bfloat16.
        cfg_options: ``'key=value'`` overrides.

    Returns:
        The work dir.
    """
    runner = build_runner(load_config(config, list(cfg_options)), work_dir, resume, amp)
    runner.train()
    return Path(runner.work_dir)


@dataclass
class Trained:
    """A trained model with what it was trained for.

    Attributes:
        model: in eval mode, on its device.
        config: the whole config of the training run.
        size: (H, W) of the frames it was trained on, or None where the config leaves it to the clips.
    """

    model: VideoModel
    config: Config
    size: tuple[int, int] | None


def load(checkpoint: str | Path, device: str | torch.device | None = None, half: bool = False,
         allow_imports: Sequence[str] = ()) -> Trained:
    """Load a checkpoint of ``tools/train.py``; its config is inside.

    Args:
        checkpoint: file, or the work dir of a run, whose latest checkpoint is taken.
        device: default the GPU if there is one.
        half: generate in bfloat16.
        allow_imports: modules that the checkpoint may import though they are not installed.

    The pretrained networks of losses are not needed.

    Raises:
        InputError: unreadable or unsafe file, unknown parts, or weights that do not fit.
    """
    load_plugins()
    config = checkpoint_config(checkpoint, allow_imports)
    size = frame_size(config, checkpoint)
    if half:
        config.model.inference_dtype = 'bfloat16'
    with naming_parts(config._cfg_dict, f'the model of {checkpoint}'):
        model = build_like(for_generation(config.model), checkpoint)
    load_checkpoint(checkpoint, model)
    model.prepare_networks()
    device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    return Trained(model.to(device).eval(), config, size)


def as_clip(path: str | Path, work_dir: str | Path, size: tuple[int, int] | None, progress: bool = True) -> Clip:
    """A prepared clip as it is; anything else is prepared into ``work_dir`` first, under a name that tells its content."""
    path = Path(path)
    if (path / 'manifest.json').is_file():
        return Clip(path)
    return prepare(path, work_dir, size or (384, 256), progress=progress, unique=True)


def check_retarget(retarget: str) -> None:
    """Refuse an unknown way to fit poses.

    Raises:
        InputError: names the known ones.
    """
    if retarget not in RETARGET:
        raise InputError(f'retarget must be one of {", ".join(RETARGET)}, got {retarget!r}')


def check_paints_poses(trained: Trained) -> None:
    """Refuse a model that cannot generate from poses.

    Raises:
        InputError: says why.
    """
    trained.model.check_generates()


def check_request(trained: Trained, content: str | Path | None, retarget: str, direction: str, max_frames: int | None,
                  colors: Colors) -> None:
    """Refuse what :func:`generate` could not fulfil, before a video is prepared.

    Raises:
        InputError: an unknown option, or a wish that the model cannot fulfil.
    """
    check_retarget(retarget)
    if direction not in DIRECTIONS:
        raise InputError(f'direction must be one of {", ".join(DIRECTIONS)}, got {direction!r}')
    if max_frames is not None and max_frames < 1:
        raise InputError(f'the number of frames must be at least 1, got {max_frames}')
    if isinstance(trained.model, CycleGAN):
        if colors.wanted:
            raise InputError('a CycleGAN has no colour codes: it generates its two persons in the clothes they wore')
        return
    check_paints_poses(trained)
    if content is None:
        raise InputError('this checkpoint generates from poses: say who is to be generated (content)')
    if colors.wanted:
        check_has_codes(trained.model)
    for wish in [*colors.looks, *(colors.interpolate or ()), *([colors.like] if colors.like else [])]:
        check_look(wish)


def driving_poses(driving: Clip, content: Clip, size: tuple[int, int], retarget: str = 'auto',
                  say: Callable[[str], None] | None = None) -> np.ndarray:
    """Poses of the driving clip in the frames to generate, moved and scaled to the person of the content clip.

    Args:
        driving: whose movement.
        content: whose body.
        size: (H, W) of the frames to generate.
        retarget: 'on', 'off', or 'auto': on unless both clips are known to show the same person
            (:func:`toolkit.data.same_person.same_person`).
        say: called with one line that tells whether the poses were fitted, and why.

    Returns:
        (T, 18, 3) float32 in pixels of the generated frames.

    Raises:
        InputError: one of the clips shows too little of a person to compare them.
    """
    check_retarget(retarget)
    poses, own = (scale_pose(clip.poses, size[0] / clip.height, size[1] / clip.width) for clip in (driving, content))
    same, reason = same_person(driving, content) if retarget == 'auto' else (retarget == 'off', f'that was asked for ({retarget})')
    if say:
        say(f'poses {"not " if same else ""}fitted to {content.name} because {reason}')
    if same:
        return poses
    own = np.repeat(own, 3, 0) if len(own) < 3 else own
    return PoseNormalizer.fit(poses, own, size, size)(poses)


def stream(trained: Trained, content: Clip, poses: np.ndarray, size: tuple[int, int], content_frame: int = 0,
           z: torch.Tensor | None = None) -> Iterator[np.ndarray]:
    """Generate frame by frame, in constant memory.

    Args:
        trained: of :func:`load`.
        content: clip that shows whom to generate.
        poses: (T, 18, 3) in pixels of the frames to generate.
        size: (H, W) of them.
        content_frame: which frame of ``content``.
        z: (1, D) or (T, D) code of the clothes to wear, see :func:`dress`; None for those of the content frame.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: nobody is seen in the content frame, or the model cannot generate from poses.
    """
    check_paints_poses(trained)
    extra = trained.model.added_fields
    batch = content_batch(content, size, content_frame, extra)
    style = trained.config.get('train_dataloader', {}).get('dataset', {}).get('pose_style', 'openpose_black')
    drawn = (pose_tensors(poses[t:t + 1], *size, style, fields.added(extra)) for t in range(len(poses)))
    steps = ({key: value[None] for key, value in entries.items()} for entries in drawn)
    return trained.model.generate(steps, content=batch, z=z)


def dress(trained: Trained, content: Clip, size: tuple[int, int], colors: Colors, frames: int, content_frame: int = 0,
          work_dir: str | Path = 'prepared', progress: bool = True) -> list[torch.Tensor | None]:
    """Codes of the clothes that are asked for.

    Args:
        trained: of :func:`load`.
        content: clip that shows whom to generate.
        size: (H, W) of the frames to generate.
        colors: what is asked for.
        frames: T, how many are to be generated.
        content_frame: which frame of ``content``.
        work_dir: where pictures of other people are prepared.
        progress: say what colours become.

    Returns:
        A code for each video to generate, (1, D) or (T, D); None stands for the content's own clothes.

    Raises:
        InputError: a model without colour codes, or a wish that cannot be fulfilled.
    """
    if not colors.wanted:
        return [None]
    wardrobe = Wardrobe(trained.model, content_batch(content, size, content_frame))

    def colored(up: str | None, down: str | None) -> torch.Tensor:
        z, records = wardrobe.colored(up, down)
        for line in describe(records, dict(up=up, down=down)) if progress else ():
            tqdm.write(line)
        return z

    def look(wish: str | Path) -> torch.Tensor:
        check_look(wish)
        if pair := split_look(wish):
            return colored(*pair)
        return wardrobe.like(as_clip(wish, work_dir, size, progress), colors.regions)

    if colors.looks:
        return [look(wish) for wish in colors.looks]
    if colors.samples:
        return wardrobe.samples(colors.samples, colors.seed, colors.regions)
    if colors.interpolate:
        return [wardrobe.between(*map(look, colors.interpolate), frames)]
    return [look(colors.like) if colors.like else colored(colors.up, colors.down)]


def result_files(out: str | Path, colors: Colors, side_by_side: bool = False) -> tuple[list[Path], Path | None]:
    """What :func:`generate` writes: the videos, and the sheet of several looks (None for one look)."""
    out = Path(out)
    count = max(len(colors.looks), colors.samples)
    if not colors.several:
        return [out], None
    return [out] if side_by_side or count == 1 else [out.with_stem(f'{out.stem}_{i}') for i in range(count)], out.with_suffix('.png')


def generate(checkpoint: str | Path | Trained, content: str | Path | None, driving: str | Path, out: str | Path, content_frame: int = 0,
             retarget: str = 'auto', direction: str = 'ab', side_by_side: bool = False, work_dir: str | Path | None = None,
             max_frames: int | None = None, device: str | None = None, half: bool = False, progress: bool = True,
             colors: Colors | None = None, overwrite: bool = False, audio: bool = True,
             allow_imports: Sequence[str] = ()) -> Path:
    """Make the person of one picture or clip, or the other person of a CycleGAN, do what the person of a video does.

    Args:
        checkpoint: of ``tools/train.py``, or what :func:`load` returned.
        content: prepared clip, video or picture of the person to generate; not for a CycleGAN, which knows its two persons.
        driving: prepared clip or video of the movement.
        out: video to write.
        content_frame: frame of ``content`` that lends its appearance.
        retarget: see :func:`driving_poses`.
        direction: of a CycleGAN: 'ab' if the driving video shows its person A, 'ba' if it shows B.
        side_by_side: put the driving frame, the pose and all results beside each other.
        work_dir: where unprepared inputs are prepared; default ``<out>.prepared`` beside the result.
        max_frames: stop after so many frames.
        device, half, allow_imports: see :func:`load`.
        progress: show bars.
        colors: what the person wears, for a model with colour codes; default the content's own clothes.
        overwrite: replace results that are there.
        audio: put the sound of the driving video into the result.

    Returns:
        ``out``. With ``colors.looks`` and ``colors.samples`` the videos are ``<out>_0``, ``<out>_1`` and so on, or one of all with
        ``side_by_side``; then ``<out>.png``, which is returned, is a sheet with a row for each.

    Raises:
        InputError: unusable input, a result that is there already or that is an input; the message says which and what to do.
    """
    out, colors = Path(out), colors or Colors()
    check_suffix(check_output(out))
    for path in filter(None, (content, driving)):
        if not Path(path).exists():
            raise InputError(f'{path}: no such file or folder')
    videos, sheet = result_files(out, colors, side_by_side)
    looks = (colors.like, *colors.looks, *(colors.interpolate or ()))
    read = [path for path in (content, driving, *looks, *([] if isinstance(checkpoint, Trained) else [checkpoint])) if path is not None]
    written = [*videos, *([sheet] if sheet else [])]
    refuse_inputs(written, [path for path in read if Path(path).exists()])
    refuse_existing(written, overwrite)
    trained = checkpoint if isinstance(checkpoint, Trained) else load(checkpoint, device, half, allow_imports)
    check_request(trained, content, retarget, direction, max_frames, colors)
    work_dir = work_dir or out.with_name(f'{out.stem}.prepared')
    driving = as_clip(driving, work_dir, trained.size, progress)
    if isinstance(trained.model, CycleGAN):
        size = trained.size or (driving.height, driving.width)
        check_shape(driving, size)
        poses = scale_pose(driving.poses, size[0] / driving.height, size[1] / driving.width)[:max_frames]
        steps = transfer_steps(driving, size, scene=trained.model.margin is not None)
        streams = [trained.model.generate(islice(steps, len(poses)), direction=direction)]
    else:
        content = as_clip(content, work_dir, trained.size, progress)
        size = trained.size or (content.height, content.width)
        for clip in (driving, content):
            check_shape(clip, size)
        poses = driving_poses(driving, content, size, retarget, tqdm.write if progress else None)[:max_frames]
        codes = dress(trained, content, size, colors, len(poses), content_frame, work_dir, progress)
        streams = [stream(trained, content, poses, size, content_frame, z) for z in codes]

    def source(t: int) -> list[np.ndarray]:
        return [resize_image(driving.frame(t), *size), pose_tensors(poses[t:t + 1], *size)['pose_maps'][0].movedim(0, -1).numpy()]

    sound, silent = clip_sound(driving) if audio else (None, None)
    if silent:
        tqdm.write(f'the result has no sound: {silent}')
    shown = set(np.linspace(0, len(poses) - 1, min(SHEET_COLUMNS, len(poses))).round().astype(int).tolist())
    columns = []
    together = [zip(*streams)] if side_by_side else [([frame] for frame in frames) for frames in streams]
    for path, frames in zip(videos, together):
        with VideoWriter(path, driving.fps, overwrite=overwrite, sound=sound) as writer:
            for t, row in enumerate(tqdm(frames, path.name, len(poses), unit='frame', disable=not progress)):
                row = [*source(t), *row] if side_by_side else row
                writer.write(contact_sheet([row], gap=0))
                if t in shown:
                    columns.append(row)
    if sheet is None:
        return out
    rows = zip(*columns) if side_by_side else (sum(columns[i:i + len(shown)], []) for i in range(0, len(columns), len(shown)))
    write_file(sheet, cv2.imencode('.png', contact_sheet([list(row) for row in rows])[..., ::-1])[1].tobytes())
    return sheet
