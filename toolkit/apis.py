"""The few calls of a user's own program: prepare a video, train a config, test and load what was trained, generate a video.

::

    from toolkit import apis
    clip = apis.prepare('me_dancing.mp4', 'data/mine')
    apis.train('configs/own/video.py', cfg_options=['data.root=data/mine'])
    apis.test('configs/own/video.py', 'work_dirs/video')['metrics']['ssim/crop']['value']
    apis.animate('me.mp4', 'dancer.mp4', 'at_once.mp4')                                # by the generator that comes along
    apis.dress('me.mp4', 'blue.mp4', up='#2050c0')
    apis.finetune(['me.mp4'], 'work_dirs/me')
    apis.distill(['me.mp4'], 'work_dirs/student', teacher='work_dirs/me')         # a fast student, for live
    apis.animate('me.jpg', 'dancer.mp4', 'result.mp4', checkpoint='work_dirs/video')
"""

from collections.abc import Sequence
from pathlib import Path

from toolkit.clips.clip import Clip, find_clips
from toolkit.doors import regular
from toolkit.engine.evaluation import Evaluation
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.progress_hook import ProgressHook
from toolkit.engine.work_dir import config_file
from toolkit.files import check_output
from toolkit.inference.choosing import choose, outfit_codes
from toolkit.inference.clips import as_clip, prepare
from toolkit.inference.driving import driving_poses
from toolkit.inference.loading import Trained, load
from toolkit.inference.outfits import Colors, check_several
from toolkit.inference.painting import paint, stream
from toolkit.inference.request import Request
from toolkit.inference.result import Result, result_files
from toolkit.live.start import live
from toolkit.packaged import PRETRAINED
from toolkit.preparing.batch import VideoBatch
from toolkit.preparing.settings import clip_names
from toolkit.progress import Progress
from toolkit.registry import load_plugins
from toolkit.structures import InputError
from toolkit.weights import checkpoint_file

FINETUNE, STUDENT = 'hvt::own/finetune', 'hvt::own/student'
__all__ = ['Clip', 'Colors', 'InputError', 'Request', 'Result', 'Trained', 'animate', 'as_clip', 'choose', 'distill', 'dress',
           'driving_poses', 'finetune', 'generate', 'live', 'load', 'outfit_codes', 'paint', 'prepare', 'result_files', 'stream',
           'test', 'train']


def train(config: str | Path, work_dir: str | Path | None = None, resume: bool | str = False, amp: bool = False,
          cfg_options: Sequence[str] = (), fast: bool = False) -> Path:
    """Train a config, as ``tools/train.py`` does.

    Args:
        config: a config file.
        work_dir: where checkpoints and logs go.
        resume: go on from the latest checkpoint in ``work_dir``, or from a checkpoint.
        amp: train in bfloat16.
        cfg_options: ``'key=value'`` overrides.
        fast: switch on what is fast and safe on this machine.

    Returns:
        The work dir.
    """
    runner = build_runner(load_config(config, list(cfg_options)), work_dir, resume, amp, fast=fast)
    runner.train()
    return Path(runner.work_dir)


def finetune(videos: Sequence[str | Path], work_dir: str | Path, data: str | Path | None = None, iterations: int | None = None,
             resume: bool = False, amp: bool | str = False, cfg_options: Sequence[str] = (), progress: Progress | None = None,
             fast: bool = False) -> Path:
    """Fine-tune the generator that comes with the toolkit on one person, as ``tools/finetune.py`` does.

    Args:
        videos: of that person; they are prepared where they are not. None at all where ``data`` holds clips already.
        work_dir: where checkpoints and pictures go.
        data: folder of prepared clips, all of which are trained on; default ``data/<name of work_dir>``.
        iterations: at most so many; default those of ``configs/own/finetune.py``.
        resume: go on with the training that is in ``work_dir``.
        amp: train in half precision.
        cfg_options: ``'key=value'`` overrides of that config.
        progress: somebody to tell, beside the log.
        fast: switch on what is fast and safe on this machine.

    Returns:
        The best checkpoint.

    Raises:
        InputError: a video that cannot be prepared or is too short, or what training refuses.
    """
    return _train_on_videos(FINETUNE, videos, work_dir, data, iterations, resume, amp, [], cfg_options, progress, fast)


def distill(videos: Sequence[str | Path], work_dir: str | Path, teacher: str | Path | None = None, data: str | Path | None = None,
            movements: str | Path | None = None, iterations: int | None = None, resume: bool = False, amp: bool | str = False,
            cfg_options: Sequence[str] = (), progress: Progress | None = None, fast: bool = False) -> Path:
    """Train a small and fast student of a trained generator for one person, as ``tools/distill.py`` does.

    Args:
        videos: of that person; they are prepared where they are not. None at all where ``data`` holds clips already.
        work_dir: where checkpoints and pictures go.
        teacher: checkpoint, work dir or published file of a model that generates from poses; None for the generator that comes along.
        data: folder of prepared clips, all of which are used; default ``data/<name of work_dir>``.
        movements: folder of prepared clips of others, whose movements it learns, too; None for the synthetic actions.
        iterations: so many; default those of ``configs/own/student.py``.
        resume, amp, cfg_options, progress, fast: see :func:`finetune`.

    Returns:
        The student's checkpoint.

    Raises:
        InputError: as :func:`finetune`; a teacher that cannot be.
    """
    if teacher is not None:
        regular(checkpoint_file(teacher), 'give a checkpoint or a work dir as teacher')
    if movements is not None and not find_clips(movements):
        raise InputError(f'{movements}: no prepared clips in this folder of movements; make some with tools/prepare_data.py')
    given = {'teacher': teacher, 'movements': movements}
    given = [f'train_dataloader.dataset.{name}={str(value)!r}' for name, value in given.items() if value is not None]
    return _train_on_videos(STUDENT, videos, work_dir, data, iterations, resume, amp, given, cfg_options, progress, fast)


def _train_on_videos(config: str, videos: Sequence[str | Path], work_dir: str | Path, data: str | Path | None, iterations: int | None,
                     resume: bool, amp: bool | str, options: Sequence[str], cfg_options: Sequence[str],
                     progress: Progress | None, fast: bool) -> Path:
    """Prepare videos and train one of the configs for clips of one's own, see :func:`finetune`."""
    check_several(videos, 'videos')
    work_dir = Path(work_dir)
    data, options = Path(data or Path('data') / work_dir.resolve().name), list(options)
    if iterations is not None:
        if iterations < 1:
            raise InputError(f'the number of iterations must be at least 1, got {iterations}')
        options += [f'train_cfg.max_iters={iterations}', f'param_scheduler.begin={iterations // 2}',
                    f'param_scheduler.end={iterations}']
    cfg = load_config(config, [f'data.root={str(data)!r}', *options, *cfg_options])
    check_output(work_dir, folder=True)
    config_file(work_dir, cfg.filename)
    load_plugins()
    if not videos and not find_clips(data):
        raise InputError(f'{data}: no prepared clips, and no video is given to prepare')
    if failed := videos and VideoBatch(videos, data, person=work_dir.resolve().name).run():
        raise InputError(f'{failed} of {len(videos)} videos cannot be used, for the reason above; leave them out')
    runner = build_runner(cfg, work_dir, resume, amp, fast=fast)
    given = clip_names(videos)
    if videos and (more := [clip.key for clip in find_clips(data) if clip.key not in given]):
        runner.logger.warning(f'trains on {", ".join(more)} in {data} as well: clips of an earlier call. If they show another person, '
                              'or are no longer wanted, choose another folder (--data), or remove them')
    if progress is not None:
        runner.register_hook(ProgressHook(progress))
    runner.train()
    return checkpoint_file(work_dir)


def animate(person: str | Path, driving: str | Path, out: str | Path, checkpoint: str | Path | Trained | None = None, **wishes) -> Path:
    """Make a person do what the person of a video does: :func:`generate`, in the order in which one says it.

    Args:
        person: picture, video or prepared clip of whom to generate.
        driving: video or prepared clip of the movement.
        out: video to write.
        checkpoint: None for the generator that comes with the toolkit.
        wishes: see :func:`generate`.

    Returns:
        As :func:`generate`.
    """
    return generate(checkpoint, person, driving, out, **wishes)


def dress(person: str | Path, out: str | Path, up: str | None = None, down: str | None = None, like: str | Path | None = None,
          driving: str | Path | None = None, checkpoint: str | Path | Trained | None = None, **wishes) -> Path:
    """Show a person in clothes of other colors.

    Args:
        person: video or prepared clip.
        out: video to write.
        up, down: colors of the upper and the lower garment, such as '#2050c0'; None leaves one as it is.
        like: somebody whose colors to take, in place of both.
        driving: whose movement; None for the person's own.
        checkpoint: one with color codes or references; None for the generator that comes with the toolkit.
        wishes: see :func:`generate`.

    Returns:
        ``out``.

    Raises:
        InputError: no color; as :func:`generate`.
    """
    if not (up or down or like):
        raise InputError("dress needs a color, up='#2050c0' or down='#2050c0', or somebody to take colors from (like)")
    return generate(checkpoint, person, driving or person, out, colors=Colors(up, down, like), **wishes)


def test(config: str | Path, checkpoint: str | Path | None = None, cfg_options: Sequence[str] = (), **wishes) -> dict:
    """Measure a checkpoint on the test clips of a config, as ``tools/test.py`` does.

    Args:
        config: a config file.
        checkpoint: of ``tools/train.py``, or the work dir of a run; None for a model without weights.
        cfg_options: ``'key=value'`` overrides.
        wishes: ``baselines``, ``metrics``, ``clips``, ``max_frames``, ``out``, ``videos``, ``overwrite`` and ``device`` of
            :class:`toolkit.engine.evaluation.Evaluation`.

    Returns:
        ``about``, ``metrics``, ``baselines`` and ``directions``, see :meth:`toolkit.engine.evaluation.Evaluation.results`.
    """
    evaluation = Evaluation(config, checkpoint, list(cfg_options), **wishes)
    evaluation.run()
    if evaluation.out:
        evaluation.write()
    return evaluation.results()


def generate(checkpoint: str | Path | Trained | None, content: str | Path | None, driving: str | Path, out: str | Path, *,
             work_dir: str | Path | None = None, side_by_side: bool = False, audio: bool = True, overwrite: bool = False,
             progress: bool | Progress = True, fast: str | bool = False, **wishes) -> Path:
    """Make the person of one picture or clip, or the other person of a transfer, do what the person of a video does.

    Args:
        checkpoint: of ``tools/train.py``, or what :func:`load` returned; None for the generator that comes with the toolkit.
        content: whom to generate; None for a method that knows its persons, such as CycleGAN.
        driving: prepared clip or video of the movement.
        out: video to write.
        work_dir: where unprepared inputs are prepared; default ``<out>.prepared`` beside the result.
        side_by_side: put the driving frame, the pose and all results beside each other.
        audio: put the sound of the driving video into the result.
        overwrite: replace results that are there.
        progress: show bars, or somebody to tell (:class:`toolkit.progress.Progress`).
        fast: of :func:`load`, for a checkpoint that is not loaded yet.
        wishes: ``content_frame``, ``retarget``, ``direction``, ``max_frames``, ``size``, ``colors`` and ``references`` of
            :class:`toolkit.inference.request.Request`.

    Returns:
        ``out``. With several outfits the videos are ``<out>_0``, ``<out>_1`` and so on, or one of all with ``side_by_side``; then
        ``<out>.png``, which is returned, is a sheet with a row for each.

    Raises:
        InputError: unusable input, a result that is there already or that is an input; the message says which and what to do.
    """
    request = Request(driving, content, **wishes)
    result = Result(out, request.colors, side_by_side, overwrite)
    loaded = isinstance(checkpoint, Trained)
    if loaded and fast:
        raise InputError('fast is for a checkpoint that is not loaded yet: load(checkpoint, fast=True)')
    result.check(request.inputs if loaded or checkpoint is None else [checkpoint, *request.inputs])
    trained = checkpoint if loaded else load(checkpoint or PRETRAINED, fast=fast)
    chosen = choose(trained, request, work_dir or result.prepared, progress)
    return result.write(chosen, paint(trained, chosen), audio, progress)
