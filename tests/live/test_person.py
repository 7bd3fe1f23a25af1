"""Whom a checkpoint paints where nobody says it, at which size, and what is refused before that is asked."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from tests.inference.test_painting import trained
from tests.stick_people import StubPose
from toolkit import apis
from toolkit.clips.size import PIXELS, check_shape, sizes
from toolkit.live import person, start
from toolkit.registry import POSE_ESTIMATORS
from toolkit.structures import InputError


def test_clips_of_nobody_named_are_not_one_person(clips, tmp_path):
    def found(*names, **data):
        for clip, name in zip(clips, names):
            folder = tmp_path / clip.folder.name
            shutil.copytree(clip.folder, folder, dirs_exist_ok=True)
            about = json.loads((folder / 'manifest.json').read_text())
            (folder / 'manifest.json').write_text(json.dumps(dict(about, person=name)))
        trained = SimpleNamespace(config=dict(data=data, train_dataloader=dict(dataset=dict(root=str(tmp_path)))))
        return [clip.folder.name for clip in person._training_clips(trained, 'run')]

    first, second = (clip.folder.name for clip in clips)
    assert found('me', 'me') == [first, second]
    assert found('me', 'friend') == [first]
    assert found('me', 'friend', persons='friend') == found('me', 'friend', persons=['friend']) == [second]
    assert found('person', 'person') == [first], 'their pixels would be mixed'


def test_clips_that_were_not_trained_on_are_not_painted(clips, tmp_path, monkeypatch):
    """Two clips of one person in other clothes, of which a run took one."""
    for clip, action in zip(clips, ('blue', 'red')):
        shutil.copytree(clip.folder, tmp_path / action)
        about = json.loads((tmp_path / action / 'manifest.json').read_text())
        (tmp_path / action / 'manifest.json').write_text(json.dumps(dict(about, person='me', action=action)))

    def found(**dataset):
        config = dict(train_dataloader=dict(dataset=dict(root=str(tmp_path), frames=(0, .5), **dataset)))
        return [clip.action for clip in person._training_clips(SimpleNamespace(config=config), 'run')]

    (tmp_path / 'split.json').write_text(json.dumps(dict(train=['red'], test=['blue'])))
    assert found() == ['blue', 'red']
    assert found(actions='red') == found(split='train', split_rule=dict(test_actions='blue')) == ['red']
    assert found(split='train', split_file=str(tmp_path / 'split.json')) == ['red']
    with pytest.raises(InputError, match=r"run: the clips of its training are not there"):
        found(split='train', split_rule=dict(test_action='blue'))
    with monkeypatch.context() as patch:
        patch.setattr(person, 'chosen_clips', lambda options: [(clip, np.full(4, clip is clips[1])) for clip in clips])
        assert found() == [clips[1].action], 'no frame of the other one is among those of the training'
    shutil.rmtree(tmp_path / 'red')
    with pytest.raises(InputError, match=r"run: the clips of its training are not there .*no clips of action \['red'\].*--content"):
        found(actions='red')


def test_the_size_on_a_cpu_has_the_shape_of_the_clip():
    def chosen(height, width):
        clip = SimpleNamespace(folder='me', height=height, width=width)
        size = person._size(clip, 'cpu')
        check_shape(clip, size)
        assert size[0] <= height and size[1] <= width and .7 < size[0] * size[1] / (144 * 96) < 1.4
        assert not size[0] % 16 and not size[1] % 16
        return size

    for size in [*sizes(PIXELS, 32), (720, 1280), (480, 270), (512, 320)]:
        chosen(*size)
    assert chosen(384, 256) == (144, 96) and chosen(288, 384) == (96, 128)
    assert person._size(SimpleNamespace(folder='me', height=96, width=64), 'cpu') == (96, 64)


@pytest.mark.parametrize('model, wish, prepared', [
    (dict(), None, (96, 64)), (dict(), (48, 32), (48, 32)), (dict(size=None, references=2), (48, 32), (96, 64)),
    (dict(size=None, references=2), None, None)])
def test_a_video_is_prepared_at_the_size_at_which_generation_takes_it(clips, walk, tmp_path, monkeypatch, model, wish, prepared):
    """That of the training where nobody says one; of a person whose pixels are taken larger than the pictures."""
    asked = []
    monkeypatch.setattr(person, 'load', lambda *given, **options: trained(**model))
    monkeypatch.setattr(person, 'as_clip', lambda path, work_dir, size: (asked.append(size), clips[0])[1])
    opened = person.open_person(walk, size=wish, device='cpu', work_dir=tmp_path)
    assert asked == [prepared] and opened.size == (wish or (96, 64))


class ReadsAFile:
    """An estimator that knows the poses of one video."""

    def people_of_frames(self, *given):
        return []


@pytest.mark.parametrize('pose, words', [
    (dict(type='Nobody'), 'Nobody'), (dict(type='Stub', size=3), 'size'),
    (dict(type='Reads'), 'reads the poses of a video from a file')])
def test_an_estimator_that_cannot_be_is_refused_before_a_person_is_prepared(walk, monkeypatch, pose, words):
    for name, kind in dict(Stub=StubPose, Reads=ReadsAFile).items():
        monkeypatch.setitem(POSE_ESTIMATORS._module_dict, name, kind)
    monkeypatch.setattr(start, 'open_person', lambda *given: pytest.fail('a model is loaded'))
    with pytest.raises(InputError, match=words):
        apis.live(walk, input=walk, out=walk.with_name('live.mp4'), pose=pose)
    assert not walk.with_name('live.mp4').exists()
