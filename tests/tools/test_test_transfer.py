"""tools/test.py on a tiny CycleGAN: both directions, baselines, pose estimators, the truth, and no weights of losses."""

import json

import numpy as np
import pytest
import torch

from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.engine.launch import load_config
from toolkit.models.loss_table import for_generation
from toolkit.registry import MODELS, POSE_ESTIMATORS

CONFIG = '''
_synthetic = dict(height=96, width=64, actors=[1, 8], actions=['squat', 'kick'], frames=4)
_two = dict(a=dict(root={root!r}, synthetic=_synthetic, persons=['actor_01']),
            b=dict(root={root!r}, synthetic=_synthetic, persons=['actor_08']))
model = dict(type='CycleGAN', generator=dict(type='ResNetGenerator', ngf=4, n_blocks=1),
    discriminator=dict(type='PatchGAN', ndf=4, n_layers=1), auto_weight=dict(ratio=0.5),
    losses=dict(gan=dict(type='GANLoss'), cycle=dict(type='L1Loss'), skeleton=dict(type='SkeletonLoss',
        pose_network=dict(type='OpenPoseMobile', weights='nowhere.safetensors'), weight='auto_freeze')))
train_dataloader = dict(dataset=dict(type='UnpairedClips', **_two))
test_dataloader = dict(dataset=dict(type='DirectedClips', paired=True, **_two))
test_evaluator = [dict(type='PCK', against='input', estimators=['OpenPoseMobile', 'TruePosesOfTransfer']),
                  dict(type='Identity', region='input', estimators=['TruePosesOfTransfer']), dict(type='PSNR'), dict(type='FID')]
'''


@POSE_ESTIMATORS.register_module()
class TruePosesOfTransfer:
    """Knows the poses of all pictures of some clips; nobody is in any other picture."""

    name, version = 'truth', '1'
    known: dict = {}

    def __call__(self, frames):
        empty = np.zeros((18, 3), np.float32)
        scale = frames.shape[1] / 96
        found = np.stack([self.known.get(frame.tobytes(), empty) for frame in frames])
        found[..., :2] = (found[..., :2] + 0.5) * scale - 0.5
        return found


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('transfer')
    (folder / 'config.py').write_text(CONFIG.format(root=str(folder / 'clips')))
    cfg = load_config(folder / 'config.py')
    torch.manual_seed(0)
    model = MODELS.build(for_generation(cfg.model))
    (folder / 'run').mkdir()
    checkpoint = dict(state_dict=model.state_dict(), meta=dict(iter=7, config=dict(model=cfg.model.to_dict())))
    torch.save(checkpoint, folder / 'run' / 'iter_7.pth')
    return folder


@pytest.fixture
def run(load_tool, folder, monkeypatch, capsys):
    """Call the tool; exit code, standard output, standard error."""
    monkeypatch.setenv('COLUMNS', '200')
    monkeypatch.setattr('toolkit.metrics.pck.detection_size', lambda frames, mask, person: frames.shape[1:3])

    def call(*arguments, config='config.py'):
        with pytest.raises(SystemExit) as stop:
            load_tool('test').main([str(folder / config), str(folder / 'run'), '--device', 'cpu', *map(str, arguments)])
        return stop.value.code, *capsys.readouterr()

    return call


def learn(folder):
    """Tell the pose estimator every picture."""
    for path in (folder / 'clips').glob('*/manifest.json'):
        clip = Clip(path.parent)
        TruePosesOfTransfer.known |= {clip.frame(t).tobytes(): clip.poses[t] for t in range(len(clip))}


def test_both_directions_apart_and_together(run, folder):
    code, _, error = run('--metrics', 'PSNR')
    assert code == 0, error
    learn(folder)
    out = folder / 'out.json'
    code, text, error = run('--baselines', '--out', out, '--save-videos', folder / 'videos')
    assert code == 0, error
    assert text.index('A to B') < text.index('B to A') < text.index('All directions') < text.index('Definitions:')
    header = next(line for line in text.splitlines() if line.startswith('metric')).split()
    assert header[1:-1] == ['model', 'CopyInput', 'CopyTargetFrame', 'NearestTargetFrame']
    content = json.loads(out.read_text())
    assert content['about']['iteration'] == 7 and content['about']['checkpoint'].endswith('run/iter_7.pth')
    assert list(content['directions']) == ['ab', 'ba']
    clips = list(content['metrics']['psnr/full']['per_clip'])
    assert sorted(clips) == ['01_kick_ab', '01_squat_ab', '08_kick_ba', '08_squat_ba']
    parts = [content['directions'][d]['metrics']['psnr/full'] for d in ('ab', 'ba')]
    assert [sorted(p['per_clip']) for p in parts] == [clips[:2], clips[2:]]
    assert content['metrics']['psnr/full']['value'] == pytest.approx(sum(p['value'] for p in parts) / 2)
    assert parts[0]['n_frames'] == 8, 'no content frame is left out'
    assert content['metrics']['fid/full']['value'] == 'n/a'
    assert len(list((folder / 'videos').glob('*.mp4'))) == 4


def test_each_baseline_is_perfect_in_one_thing(run, folder):
    run('--metrics', 'PSNR', '--max-frames', 2)
    learn(folder)
    out = folder / 'baselines.json'
    code, _, error = run('--baselines', '--out', out)
    assert code == 0, error
    got = {name: {key: m['value'] for key, m in values.items()} for name, values in json.loads(out.read_text())['baselines'].items()}
    assert got['CopyInput']['pck/limbs@0.1'] == got['CopyInput']['pck/ceiling_limbs@0.1'] == 1
    assert got['CopyInput']['identity/color_share'] > 0.8 > 0.3 > got['NearestTargetFrame']['identity/color_share']
    assert got['CopyTargetFrame']['pck/limbs@0.1'] < 0.9


def test_the_estimator_is_not_the_network_trained_against(run, folder):
    _, text, _ = run('--metrics', 'PCK')
    assert 'found in generated frames by truth (1)' in text
    code, _, error = run('--metrics', 'PCK', '--cfg-options', 'test_evaluator.0.pose_estimator=OpenPoseMobile')
    assert code == 2 and 'OpenPoseMobile may not measure this model' in error
    options = ['test_evaluator.0.pose_estimator=OpenPoseMobile', 'model.losses.skeleton.weight=0', 'model.auto_weight=None']
    code, _, error = run('--metrics', 'PCK', '--cfg-options', *options)
    assert code == 2 and 'may not measure' in error, 'the checkpoint remembers what it was trained against'


def test_who_taught_a_trained_pose_network_may_not_measure(run, folder):
    run('--metrics', 'PSNR', '--max-frames', 2)
    (folder / 'trained.py').write_text(
        "_base_ = 'config.py'\n"
        "model = dict(losses=dict(skeleton=dict(pose_network=dict(_delete_=True, type='TrainedPoseNetwork', checkpoint='nowhere'))))\n")
    _, text, error = run('--metrics', 'PCK', config='trained.py')
    assert 'by truth (1)' in text, error
    path = next((folder / 'clips').glob('*/manifest.json'))
    manifest = path.read_text()
    path.write_text(json.dumps({**json.loads(manifest), 'made_by': dict(poses=dict(type='truth', version='1'))}))
    try:
        _, text, error = run('--metrics', 'PCK', config='trained.py')
        assert 'TruePosesOfTransfer may not measure' in text and 'by truth (1)' not in text
        _, text, _ = run('--metrics', 'PCK')
        assert 'by truth (1)' in text, 'another network did not learn from it'
    finally:
        path.write_text(manifest)


def test_without_the_truth_pictures_are_not_compared(run):
    code, text, error = run('--metrics', 'PSNR', 'Identity', '--cfg-options', 'test_dataloader.dataset.paired=False')
    assert code == 0, error
    assert 'psnr/full, psnr/masked, psnr/crop' in text.replace(' n/a', '') and 'no truth: nobody filmed the target person' in text


def test_a_program_loads_it_without_the_weights_of_the_skeleton_loss(folder):
    trained = apis.load(folder / 'run', device='cpu')
    assert trained.config.model.losses.skeleton.pose_network.weights == 'nowhere.safetensors', 'the config is told as it was'
    stream = trained.model.generate([dict(frames=torch.zeros(1, 1, 3, 16, 16, dtype=torch.uint8))], direction='ba')
    assert next(stream).shape == (16, 16, 3)
