"""The commands that :mod:`tests.trust.kill_loop` kills, tiny, and what they start from."""

import importlib
import json
import os
import runpy
import shutil
from functools import cache, partial
from pathlib import Path

import torch

from tests.trust.kill_loop import Case

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = Path(__file__).resolve().parent / 'tiny.py'
SIZE = dict(height=64, width=48)


def tool(name: str, *arguments: str) -> int:
    """Run a tool as its command line does."""
    runpy.run_path(str(ROOT / 'tools' / f'{name}.py'))['main'](list(arguments))
    return 0


def import_all() -> None:
    """Import what the tools import, so that forked processes need not."""
    os.environ['TOOLKIT_WEIGHTS'] = ''
    torch.set_num_threads(1)
    for module in ('toolkit.apis', 'toolkit.preparing.report', 'toolkit.synthetic.actions', 'torch._dynamo', 'matplotlib.pyplot',
                   'torch.utils.tensorboard', 'scipy.ndimage', 'skimage'):
        importlib.import_module(module)
    from toolkit.registry import load_plugins
    load_plugins()


@cache
def people(folder: Path) -> Path:
    """Two clips of each of two people."""
    from toolkit.synthetic.actions import SyntheticActions
    SyntheticActions(**SIZE, actors=2, actions=2, frames=8).write(folder / 'people', num_workers=1, progress=False)
    return folder / 'people'


def copy_people(source: Path, folder: Path) -> None:
    """Put the clips into a folder."""
    shutil.copytree(source, folder / 'people')


def train(folder: Path) -> Case:
    """Training with a generator's average, previews, validation and checkpoints."""
    clips = people(folder)
    return Case('train', lambda again: tool('train', str(CONFIG), '--work-dir', 'run', *(['--resume'] if again else [])),
                partial(copy_people, clips), ['people'])


def render(folder: Path) -> Case:
    """Rendering of synthetic people by processes of its own."""
    from toolkit.synthetic.build import build_synthetic
    options = dict(**SIZE, actors=2, actions=1, frames=4, num_workers=1)
    return Case('render', lambda again: build_synthetic('rendered', options))


def keypoints(clip: Path, folder: Path) -> None:
    """The frames of a clip as a folder of pictures, its poses as OpenPose writes them."""
    import cv2

    from toolkit.clips.clip import Clip
    source = Clip(clip)
    (folder / 'dance').mkdir()
    (folder / 'points').mkdir()
    for t in range(len(source)):
        cv2.imwrite(str(folder / 'dance' / f'{t:03d}.png'), cv2.resize(source.frame(t), None, fx=3, fy=3)[..., ::-1])
        pose = source.poses[t] * (3, 3, 1)
        person = dict(pose_keypoints_2d=pose.flatten().tolist())
        (folder / 'points' / f'{t:03d}_keypoints.json').write_text(json.dumps(dict(people=[person])))


def prepare(folder: Path) -> Case:
    """Preparation of a folder of pictures with keypoints."""
    return Case('prepare', lambda again: tool(
        'prepare_data', 'dance', '--out', 'clips', '--size', '96x64', '--pose', 'KeypointFiles', 'path=points', '--mask',
        'PoseGrabCut'), partial(keypoints, people(folder) / '00_wave_right'), ['dance', 'points'])


def generate(folder: Path) -> Case:
    """A video of two outfits, and the sheet."""
    from toolkit.inference import overlapping, result, unfinished

    def work(again: bool) -> int:
        for module in (overlapping, result, unfinished):
            module.EVERY = 4
        overwrite = ['--overwrite'] if Path('result.png').exists() else []  # it is the last one that gets its name
        return tool('generate', '--content', 'people/00_wave_right', '--driving', 'people/01_wave_both', '--out', 'result.mp4',
                    '--outfits', '#c03030,', '#2040a0,#30c030', *overwrite)

    return Case('generate', work, partial(copy_people, people(folder)), ['people'])


def trained(folder: Path) -> Path:
    """Clips and a checkpoint."""
    from toolkit.apis import train as train_config
    clips, here = people(folder), Path.cwd()
    os.chdir(clips.parent)
    train_config(CONFIG, 'trained', cfg_options=['train_cfg.max_iters=2'])
    os.chdir(here)
    return clips


def test(folder: Path) -> Case:
    """A test with baselines, results and videos."""
    def prepared(place: Path) -> None:
        shutil.copytree(folder / 'people', place / 'people', copy_function=shutil.copy2)
        shutil.copytree(folder / 'trained', place / 'trained')

    def work(again: bool) -> int:
        overwrite = ['--overwrite'] if Path('results.json').exists() else []
        return tool('test', str(CONFIG), 'trained', '--baselines', '--out', 'results.json', '--save-videos', 'videos', *overwrite)

    attempt_in_child(lambda: trained(folder))
    return Case('test', work, prepared, ['people', 'trained'])


def attempt_in_child(work) -> None:
    """Do something in a forked process, so that this one stays without threads."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(child, 0)[1]:
        raise SystemExit('what a case starts from cannot be made')


def finetune(folder: Path) -> Case:
    """Fine-tuning of the generator that comes along, on clips that are prepared already."""
    from toolkit import apis

    def work(again: bool) -> int:
        apis.VideoBatch.__init__ = lambda self, videos, out, person: None
        apis.VideoBatch.run = lambda self: 0
        return tool('finetune', 'me.mp4', '--work-dir', 'me', '--data', 'people', '--iterations', '6', *(['--resume'] if again else []),
                    '--cfg-options', 'train_cfg.val_interval=2', 'default_hooks.checkpoint.interval=2', 'data.pixels=None',
                    'default_hooks.checkpoint.patience=None', 'default_hooks.checkpoint.max_keep_ckpts=-1', 'custom_hooks.0.interval=3',
                    'model.losses.perceptual.weight=0', 'train_dataloader.dataset.persons=["actor_00"]',
                    'test_dataloader.dataset.persons=["actor_00"]', 'val_evaluator=[{"type": "SSIM"}]')

    return Case('finetune', work, partial(copy_people, people(folder)), ['people'])


CASES = dict(train=train, prepare=prepare, render=render, generate=generate, test=test, finetune=finetune)
import_all()
