"""What cannot be generated is told before anything is prepared, and at which size is told, too."""


import numpy as np
import pytest
import torch
from mmengine.config import Config

from tests.models.cycle_gan_parts import build as build_cycle_gan
from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.datasets.tensors import pose_tensors
from toolkit.inference import choosing, result
from toolkit.inference.choosing import check_size
from toolkit.inference.runtimes import whose
from toolkit.progress import Progress
from toolkit.registry import MODELS
from toolkit.structures import InputError

SIZE = (96, 64)


def trained(size=SIZE, style=None, references=0):
    torch.manual_seed(0)
    generator = dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1)
    model = dict(
        type='VideoPix2PixHD', losses=dict(gan=dict(type='GANLoss')), feature_maps=dict(references=references, plate=references > 0),
        generator=dict(type='BlendGenerator', generator=generator) if references else generator,
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1))
    styles = style if isinstance(style, tuple) else (style, style)
    datasets = {str(number): dict(pose_style=name) if name else {} for number, name in enumerate(styles)}
    config = dict(model=model, train_dataloader=dict(dataset=dict(type='MixedClips', datasets=datasets)))
    return apis.Trained(MODELS.build(model).eval(), Config(config), size)


class Heard(Progress):
    """Keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


@pytest.fixture
def nothing_is_prepared(monkeypatch):
    monkeypatch.setattr(choosing, 'as_clip', lambda path, *given: pytest.fail(f'{path} is prepared'))


@pytest.mark.parametrize('wishes, options, words', [
    (dict(content_frame=4), {}, '00_wave_both: has 4 frames, no content frame 4; the first one is 0'),
    (dict(content_frame=-5), {}, 'has 4 frames, no content frame -5'),
    (dict(content='walk', content_frame=60), {}, r'walk.*: has \d\d frames, no content frame 60'),
    (dict(driving='clip', content='walk'), dict(size=(64, 96)), 'has the shape 96x64, the frames to generate 64x96'),
    (dict(references='clip', content='walk'), dict(size=(64, 96), references=2), 'has the shape 96x64, the frames to generate 64x96'),
    (dict(driving='notes', content='walk'), {}, 'notes.txt: '),
    (dict(references='notes', content='walk'), dict(references=2), 'notes.txt: '),
    (dict(size=(102, 68)), {}, 'cannot paint frames of 102x68 .HxW.: input of 102 x 68 pixels.*multiples of 4.*--size'),
    (dict(), dict(style=('edn', None)), r'several styles \(edn, openpose_black\)')])
def test_refused_before_anything_is_prepared(clips, walk, nothing_is_prepared, tmp_path, wishes, options, words):
    there = dict(clip=clips[0].folder, walk=walk, notes=tmp_path / 'notes.txt')
    there['notes'].write_text('no video')
    named = {key: there[wishes.get(key, default)] for key, default in dict(driving='walk', content='clip').items()}
    references = [there[wishes['references']]] if 'references' in wishes else []
    with pytest.raises(InputError, match=words):
        apis.choose(trained(**options), apis.Request(**{**wishes, **named, 'references': references}), tmp_path, False)


@pytest.mark.parametrize('wishes', [dict(content=''), dict(driving=''), dict(references=[''])])
def test_no_name_at_all_is_not_the_current_folder(clips, wishes):
    with pytest.raises(InputError, match="'': no such file or folder"):
        apis.Request(**{**dict(driving=clips[1].folder, content=clips[0].folder), **wishes})


def test_norms_that_are_frozen_over_somebody_else_are_told_of(clips, tmp_path, monkeypatch):
    paints, said = trained(), []
    paints.file = tmp_path / 'me.onnx'
    monkeypatch.setattr(choosing, 'print_log', lambda text, *more: said.append(text))
    for frozen_on, times in (('', 0), (whose(clips[0]), 0), (whose(clips[1]), 2)):
        paints.frozen_on = frozen_on
        apis.choose(paints, apis.Request(clips[1].folder, clips[0].folder), tmp_path, False)
        apis.stream(paints, clips[0], clips[0].poses, SIZE)
        assert len(said) == times
    assert 'me.onnx has norms that are frozen over frames of another clip' in said[0] and f'--freeze-norms {clips[0].folder}' in said[0]


def test_a_model_that_looks_at_the_driving_frames_paints_no_poses_alone(clips):
    cycle_gan = apis.Trained(build_cycle_gan().eval(), Config(dict(model={})), SIZE)
    with pytest.raises(InputError, match='painted from poses alone, but this CycleGAN paints from'):
        apis.stream(cycle_gan, clips[0], clips[0].poses, SIZE)


def test_a_color_that_is_none_is_refused_before_a_model_is_loaded(clips):
    with pytest.raises(InputError, match="'#c0303' is not a color"):
        apis.Request(clips[0].folder, clips[0].folder, colors=apis.Colors(outfits=['#c0303,']))


@pytest.mark.parametrize('wanted, asked, prepared, said', [
    (None, None, (96, 64), 'painted at 96x64 (HxW), the size of 00_wave_both as it is prepared'),
    ((48, 32), None, (96, 64), 'painted at 48x32 (HxW), the size of its training'), (None, (48, 32), (96, 64), None)])
def test_the_size_is_told_where_nobody_gave_it(clips, walk, tmp_path, monkeypatch, wanted, asked, prepared, said):
    sizes, heard = {}, Heard()
    monkeypatch.setattr(choosing, 'as_clip', lambda path, work_dir, size, progress: (
        sizes.update({path: size}), Clip(clips[1].folder if path == walk else path))[1])
    chosen = apis.choose(trained(wanted, references=2), apis.Request(walk, clips[0].folder, size=asked), tmp_path, heard)
    assert chosen.size == (asked or wanted or (96, 64)) and sizes == {walk: prepared, clips[0].folder: prepared}
    assert [line for line in heard.lines if line.startswith('painted')] == ([said] if said else [])


def test_content_is_looked_at_before_the_driving_video_is_prepared(clips, walk, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(choosing, 'as_clip', lambda path, *given: asked.append(path) or Clip(path))
    monkeypatch.setattr(choosing, 'opening_of', lambda *given: (_ for _ in ()).throw(InputError('nobody is seen in frame 0')))
    with pytest.raises(InputError, match='nobody is seen'):
        apis.choose(trained(), apis.Request(walk, clips[0].folder), tmp_path, False)
    assert asked == [clips[0].folder]


def test_a_size_is_tried_by_a_made_up_frame(monkeypatch):
    model = trained().model
    state = torch.random.get_rng_state()
    check_size(model, SIZE)
    assert torch.equal(state, torch.random.get_rng_state())
    monkeypatch.setattr(model, 'example_batch', lambda *given: {})
    check_size(model, (7, 5))  # a frame that cannot be made up says nothing about sizes


def test_a_transfer_is_tried_too():
    model = build_cycle_gan().eval()
    check_size(model, (32, 24))
    with pytest.raises(InputError, match='cannot paint frames of 31x24'):
        check_size(model, (31, 24))


def test_the_pose_beside_the_result_is_in_the_style_of_the_training(clips, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(result.Unfinished, 'write', lambda self, pictures: shown.extend(pictures))
    monkeypatch.setattr(result.Unfinished, 'finish', lambda self: None)
    chosen = apis.choose(trained(style='edn'), apis.Request(clips[1].folder, clips[0].folder), tmp_path, False)
    painted = (picture for picture in [[np.zeros((*SIZE, 3), np.uint8)]])
    apis.Result(tmp_path / 'out.mp4', apis.Colors(), side_by_side=True).write(chosen, painted, audio=False, progress=False)
    edn, usual = (pose_tensors(chosen.poses[:1], *SIZE, style)['pose_maps'][0].movedim(0, -1).numpy() for style in (
        'edn', 'openpose_black'))
    assert np.array_equal(shown[0][:, 64:128], edn) and not np.array_equal(edn, usual)
