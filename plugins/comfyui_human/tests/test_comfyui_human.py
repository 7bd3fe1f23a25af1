"""The nodes keep ComfyUI's interface and make frames; ComfyUI itself is not needed."""

import inspect
import os
from types import SimpleNamespace

import pytest
import torch
from comfyui_human import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

OWN = {'STRING', 'INT', 'FLOAT', 'IMAGE', 'HVT_CLIP', 'HVT_LOOKS'}


@pytest.mark.parametrize('name', NODE_CLASS_MAPPINGS)
def test_nodes_keep_the_interface(name):
    node = NODE_CLASS_MAPPINGS[name]
    inputs, method = node.INPUT_TYPES(), inspect.signature(getattr(node, node.FUNCTION))
    assert set(inputs) <= {'required', 'optional', 'hidden'} and node.CATEGORY and name in NODE_DISPLAY_NAME_MAPPINGS
    named = [key for group in inputs.values() for key in group]
    assert named == [p for p in method.parameters if p != 'self'], 'each input is an argument'
    for key, (kind, *options) in ((key, value) for group in inputs.values() for key, value in group.items()):
        assert isinstance(kind, list) or kind in OWN
        assert (method.parameters[key].default is not inspect.Parameter.empty) == (key in inputs.get('optional', {}))
        assert not options or isinstance(options[0], dict)
    assert isinstance(node.RETURN_TYPES, tuple) and set(node.RETURN_TYPES) <= OWN and len(node.RETURN_NAMES) == len(node.RETURN_TYPES)


def test_a_workflow_from_files_to_frames(tmp_path):
    people = SyntheticActions(height=64, width=48, frames=6)
    me, dancer = (people.write(tmp_path / str(actor), actors=[actor], actions=[action], num_workers=1, progress=False)[0]
                  for actor, action in ((0, 'clap'), (1, 'kick')))
    nodes = {name: node() for name, node in NODE_CLASS_MAPPINGS.items()}
    person, first = nodes['HVTLoadPerson'].load(str(me), str(tmp_path / 'work'))
    driving, _ = nodes['HVTLoadDriving'].load(str(dancer), str(tmp_path / 'work'))
    assert first.shape == (1, 64, 48, 3) and first.dtype == torch.float32 and 0 <= first.min() and first.max() <= 1
    looks, = nodes['HVTLooks'].choose('#2050c0', '')
    plain, fps = nodes['HVTAnimate'].animate(person, driving, 'textured', 2, 'auto')
    blue, _ = nodes['HVTAnimate'].animate(person, driving, 'textured', 2, 'auto', looks)
    assert plain.shape == blue.shape == (2, 64, 48, 3) and fps == driving.fps and plain.max() <= 1
    assert (blue - plain)[..., 2].max() > .1, 'other clothes'


def test_what_is_wrong_is_said_before_anything_runs(tmp_path):
    load, looks = NODE_CLASS_MAPPINGS['HVTLoadPerson'], NODE_CLASS_MAPPINGS['HVTLooks']
    assert load.VALIDATE_INPUTS(str(tmp_path)) is True and 'no such file' in load.VALIDATE_INPUTS('nobody.mp4')
    file = tmp_path / 'a'
    before = load.IS_CHANGED(str(file), '')
    file.touch()
    assert load.IS_CHANGED(str(file), '') != before
    with pytest.raises(InputError, match='is not a color'):
        looks().choose('red', '')


def test_a_run_that_has_gone_on_is_loaded_again(tmp_path, monkeypatch):
    node, loaded = NODE_CLASS_MAPPINGS['HVTAnimate'], []
    monkeypatch.setattr(node, '_loaded', {})
    apis = SimpleNamespace(load=lambda checkpoint, fast: loaded.append(checkpoint) or len(loaded))

    def model():
        known = node.IS_CHANGED(checkpoint=str(tmp_path), max_frames=0, fit_to_body='auto', person=None)
        return node._model(apis, str(tmp_path)), known

    (tmp_path / 'iter_1.pth').touch()
    first = model()
    assert model() == first and loaded == [str(tmp_path)], 'once'
    (tmp_path / 'iter_2.pth').touch()
    second = model()
    os.utime(tmp_path / 'iter_2.pth', (1, 1))
    third = model()
    assert (first[0], second[0], third[0]) == (1, 2, 3) and len({first[1], second[1], third[1]}) == 3
