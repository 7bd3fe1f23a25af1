"""What a generated person wears: a whole tiny way from stage I over stage II to videos in chosen colors."""

import runpy
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.colors.lab import rgb_to_lab
from toolkit.engine.launch import build_runner, load_config
from toolkit.inference.outfits import Colors, OutfitEncoder, content_batch, describe, hex_to_lab, lab_to_hex, split_outfit
from toolkit.structures import InputError
from toolkit.video.io import VideoReader

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SIZE = (96, 64)
UP, DOWN = slice(0, 16), slice(16, 24)


def train(name, root, work_dir, iterations, more=None, resume=False):
    options = {
        'train_cfg.max_iters': iterations, 'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False,
        'train_dataloader.batch_size': 2, 'data': dict(root=str(root), synthetic=None, size=SIZE), 'custom_hooks': [],
        'train_dataloader.dataset.split': None, 'test_dataloader.dataset.split': None,
        'default_hooks.checkpoint.interval': 2, **(more or {})}
    build_runner(load_config(CONFIGS / name, options), work_dir, resume).train()
    return work_dir / f'iter_{iterations:07d}.pth'


def train_stage2(root, work_dir, iterations, encoders, resume=False):
    small = {'generator.ngf': 4, 'generator.n_down': 2, 'generator.n_blocks': 1, 'generator.n_local_blocks': 1,
             'discriminator.ndf': 4, 'discriminator.num_scales': 1, 'losses.perceptual.weight': 0.0,
             'color_codes.up': str(encoders / 'up'), 'color_codes.down': str(encoders / 'down')}
    return train('stage2_colors.py', root, work_dir, iterations, {f'model.{k}': v for k, v in small.items()}, resume)


@pytest.fixture(scope='module')
def runs(clips, tmp_path_factory):
    """Folder with tiny runs: ``up`` and ``down`` of stage I, and ``whole`` of stage II on them."""
    root = tmp_path_factory.mktemp('runs')
    small = {'encoder.encoder.nef': 8, 'encoder.encoder.n_down': 3, 'generator.n_down': 3, 'generator.ngf': 4, 'discriminator.ndf': 4,
             'discriminator.n_layers': 2}
    for region in ('up', 'down'):
        train(f'stage1_bicyclegan_{region}.py', clips[0].folder.parent, root / region, 2, {f'model.{k}': v for k, v in small.items()})
    train_stage2(clips[0].folder.parent, root / 'whole', 4, root)
    return root


@pytest.fixture
def trained(runs):
    return apis.load(runs / 'whole' / 'iter_0000004.pth', device='cpu')


@pytest.fixture
def encoder(trained, clips):
    return OutfitEncoder(trained.model, content_batch(clips[0], SIZE))


def test_an_interrupted_run_recolors_and_learns_the_same(runs, clips, tmp_path):
    train_stage2(clips[0].folder.parent, tmp_path, 2, runs)
    resumed = train_stage2(clips[0].folder.parent, tmp_path, 4, runs, resume=True)
    states = [torch.load(path, weights_only=True)['state_dict'] for path in (resumed, runs / 'whole' / 'iter_0000004.pth')]
    assert states[0].keys() == states[1].keys() and all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert states[0]['color_codes.seen_count'] == 8


def test_stage_one_is_not_needed_any_more(runs, trained, clips, tmp_path, capsys):
    checkpoint = tmp_path / 'moved.pth'
    shutil.copy(runs / 'whole' / 'iter_0000004.pth', checkpoint)
    hidden = runs.with_name('hidden')
    runs.rename(hidden)
    config = Config(torch.load(checkpoint, weights_only=True)['meta']['config'])
    assert config.model.color_codes.up == str(runs / 'up')
    config.test_dataloader.dataset = dict(type='ClipWindows', root=str(clips[0].folder.parent), window=None)
    config.dump(tmp_path / 'config.py')
    arguments = [str(tmp_path / 'config.py'), str(checkpoint), '--metrics', 'PSNR', '--clips', '1', '--device', 'cpu']
    try:
        again = apis.load(checkpoint, device='cpu')
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(CONFIGS.parent / 'tools' / 'test.py'))['main'](arguments)
    finally:
        hidden.rename(runs)
    said = capsys.readouterr()
    assert end.value.code == 0 and 'psnr/full' in said.out, said.err
    content = content_batch(clips[1], SIZE)
    assert torch.equal(again.model.encode(content), trained.model.encode(content))
    assert again.config.model.color_codes.up.encoder.nef == 8


def test_a_garment_in_another_color(encoder, clips):
    z, (record,) = encoder.colored(up='#c03030')
    assert (z - encoder.own)[0, UP].abs().max() > 5 * (z - encoder.own)[0, DOWN].abs().max()
    lab = hex_to_lab('#c03030')
    assert record.region == 'up' and record.ab == pytest.approx(lab[1:]) and record.realized[0] > 20
    assert describe([record], dict(up='#c03030'))[0].startswith('upper garment: #c03030 has a lightness of 44')
    both, records = encoder.colored('#3050c0', '30c030')
    assert [r.region for r in records] == ['up', 'down'] and (both - z)[0, DOWN].abs().max() > 0.01
    kept, records = encoder.colored()
    assert torch.equal(kept, encoder.own) and records == []


def test_the_recolored_frame_is_what_is_encoded(encoder, monkeypatch):
    seen = []
    monkeypatch.setattr(encoder.model, 'encode', seen.append)
    encoder.colored(down='#3050c0')
    before, after = (x['content_frame'][0].movedim(0, -1) for x in (encoder.content, seen[0]))
    background = encoder.content['content_mask'][0, 0] == 0
    assert torch.equal(before[background], after[background])
    legs = encoder.content['content_regions'][0, 1] * (encoder.content['content_mask'][0, 0] > 250) > 250
    (lightness, *old), (same, *new) = (rgb_to_lab(x[legs].float() / 255).mean(0).tolist() for x in (before, after))
    wanted = hex_to_lab('#3050c0')[1:]
    assert same == pytest.approx(lightness, abs=3), 'lightness stays'
    assert np.hypot(*np.subtract(new, wanted)) < 0.5 * np.hypot(*np.subtract(old, wanted))


def test_somebody_elses_colors(encoder, trained, clips):
    other = trained.model.encode(content_batch(clips[1], SIZE))
    assert torch.equal(encoder.like(clips[1]), other)
    half = encoder.like(clips[1], 'down')
    assert torch.equal(half[:, UP], encoder.own[:, UP]) and torch.equal(half[:, DOWN], other[:, DOWN])


def test_a_garment_that_is_not_seen(trained, clips):
    content = content_batch(clips[0], SIZE)
    headless = dict(content, content_mask=content['content_mask'] * 0, content_parts=content['content_parts'] * 0)
    with pytest.raises(InputError, match='upper garment is not seen in the content frame'):
        OutfitEncoder(trained.model, headless).colored(up='#c03030')


@pytest.mark.parametrize('missing', [range(8, 14), (9, 10, 12, 13)], ids=['no hips', 'no knees'])
def test_a_portrait_has_no_trousers(encoder, clips, tmp_path, missing):
    shutil.copytree(clips[1].folder, tmp_path / 'portrait')
    poses = np.array(clips[1].poses)
    poses[:, list(missing)] = 0
    np.savez(tmp_path / 'portrait' / 'poses.npz', poses=poses)
    portrait = Clip(tmp_path / 'portrait')
    with pytest.raises(InputError, match="portrait: the lower garment is not seen.*regions 'up'"):
        encoder.like(portrait)
    assert encoder.like(portrait, 'up').shape == (1, 24)


def test_of_a_picture_among_outfits_one_garment_can_be_taken(encoder, trained, clips):
    colors = Colors(outfits=['#c03030,#3050c0', str(clips[1].folder)], regions='up')
    named, worn = apis.outfit_codes(trained, clips[0], SIZE, colors, 4, progress=False)
    assert torch.equal(named, encoder.colored('#c03030', '#3050c0')[0]) and torch.equal(worn, encoder.like(clips[1], 'up'))


def test_random_and_changing_codes(encoder):
    codes = encoder.samples(3, seed=1, regions='up')
    assert len(codes) == 3 and all(torch.equal(z[:, DOWN], encoder.own[:, DOWN]) for z in codes)
    assert not torch.equal(codes[0], codes[1]) and torch.equal(codes[0], encoder.samples(1, 1, 'up')[0])
    a, b = codes[:2]
    between = OutfitEncoder.between(a, b, 5)
    torch.testing.assert_close(between, torch.cat([a, 0.75 * a + 0.25 * b, (a + b) / 2, 0.25 * a + 0.75 * b, b]))


@pytest.mark.parametrize('colors', [
    Colors(up='#c03030', down='#3050c0'), Colors(like='other', regions='up'), Colors(interpolate=('#c03030,', 'other'))])
def test_videos(trained, clips, tmp_path, colors):
    options = {k: (tuple(str(clips[1].folder) if x == 'other' else x for x in v) if isinstance(v, tuple) else
                   clips[1].folder if v == 'other' else v) for k, v in vars(colors).items()}
    out = apis.generate(trained, clips[0].folder, clips[1].folder, tmp_path / 'out.mp4', colors=Colors(**options), progress=False)
    assert out == tmp_path / 'out.mp4' and len(list(VideoReader(out))) == 4


def test_sampled_videos_and_their_sheet(trained, clips, tmp_path):
    out = apis.generate(trained, clips[0].folder, clips[1].folder, tmp_path / 'out.mp4', max_frames=2, progress=False,
                        colors=Colors(samples=2, seed=3))
    assert out == tmp_path / 'out.png'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out.png', 'out_0.mp4', 'out_1.mp4']


def test_looks_beside_each_other_in_one_video_and_on_a_sheet(trained, clips, tmp_path):
    outfits = ('#c03030,#3050c0', ',', str(clips[1].folder))
    out = apis.generate(trained, clips[0].folder, clips[1].folder, tmp_path / 'out.mp4', max_frames=2, progress=False,
                        side_by_side=True, colors=Colors(outfits=outfits))
    assert out == tmp_path / 'out.png' and sorted(p.name for p in tmp_path.iterdir()) == ['out.mp4', 'out.png']
    frames = list(VideoReader(tmp_path / 'out.mp4'))
    assert len(frames) == 2 and frames[0][0].shape == (SIZE[0], 5 * SIZE[1], 3)
    own = list(apis.stream(trained, clips[0], apis.driving_poses(clips[1], clips[0], SIZE), SIZE))
    sheet = cv2.imread(str(out))[..., ::-1]
    assert sheet.shape == (5 * SIZE[0] + 6 * 4, 2 * SIZE[1] + 3 * 4, 3)
    row = sheet[4 + 3 * (SIZE[0] + 4):][:SIZE[0], 4:]
    assert (row[:, :SIZE[1]] == own[0]).all() and (row[:, SIZE[1] + 4:-4] == own[1]).all()


def test_colors_that_change_leave_the_first_frame_alone(trained, clips):
    poses = clips[0].poses
    own = list(apis.stream(trained, clips[0], poses, SIZE))
    z, = apis.outfit_codes(trained, clips[0], SIZE, Colors(interpolate=(',', '#c03030,#30c030')), 4, progress=False)
    changing = list(apis.stream(trained, clips[0], poses, SIZE, z=z))
    assert z.shape == (4, 24) and torch.equal(z[:1], trained.model.encode(content_batch(clips[0], SIZE)))
    assert (changing[0] == own[0]).all()


@pytest.mark.parametrize('wish, words', [
    (dict(up='red'), "'red' is not a color.*#c03030"), (dict(down='#12345'), "'#12345' is not a color"),
    (dict(up='#c03030', samples=2), 'up and down and samples exclude'), (dict(outfits=[','], like='x'), 'like and outfits exclude'),
    (dict(samples=-1), 'negative'),
    (dict(seed=5), 'seed goes with samples only'), (dict(up='#c03030', seed=5), 'seed goes with samples only'),
    (dict(regions='up'), 'regions goes with like or samples'), (dict(samples=1, regions='left'), "'left'"),
    (dict(regions='up', like='#c03030,#3050c0'), 'regions goes with like or samples, or a picture'),
    (dict(regions='up', outfits=['#c03030,', ',']), 'regions goes with like or samples, or a picture'),
    (dict(like=''), 'empty text is no outfit'), (dict(outfits=[',', '']), 'empty text is no outfit'),
    (dict(interpolate=('', ',')), 'empty text is no outfit'),
    (dict(interpolate=('a',)), 'two outfits, got 1'), (dict(up=(192, 48, 48)), 'is not a color'),
    (dict(outfits='#c03030,'), r"outfits: expected a list, got '#c03030,'; give \['#c03030,'\] for that one"),
    (dict(outfits=Path('me.jpg')), "outfits: expected a list, got 'me.jpg'"), (dict(interpolate=',,'), 'interpolate: expected a list')])
def test_wishes_that_make_no_sense(wish, words):
    with pytest.raises(InputError, match=words):
        Colors(**wish)


def test_wishes_that_cannot_be_fulfilled(trained, clips, tmp_path):
    with pytest.raises(InputError, match="'red,blue' is neither a file nor two colors"):
        apis.outfit_codes(trained, clips[0], SIZE, Colors(interpolate=('red,blue', ',')), 4)
    trained.model.color_codes = None
    with pytest.raises(InputError, match='no color codes.*configs/stage2_colors.py'):
        apis.outfit_codes(trained, clips[0], SIZE, Colors(samples=1), 4)


def test_colors_as_text(tmp_path, monkeypatch):
    assert split_outfit('#c03030,#2040a0') == ('#c03030', '#2040a0') and split_outfit('#c03030, ') == ('#c03030', None)
    assert split_outfit(',') == (None, None) and split_outfit('me.jpg') is None and split_outfit('a,b') is None
    assert lab_to_hex(hex_to_lab('#c03030')) == '#c03030' and hex_to_lab('ffffff') == pytest.approx((100, 0, 0), abs=0.05)
    monkeypatch.chdir(tmp_path)
    Path('#a,#b').touch()
    assert split_outfit('#a,#b') is None, 'a file of that name'
