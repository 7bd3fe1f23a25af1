"""Baselines come from the method; they get what their constructors ask for."""

from types import SimpleNamespace

import pytest

from toolkit.engine.testing import build_baselines, training_domains
from toolkit.structures import InputError


def method(*names):
    return SimpleNamespace(baselines=lambda: {name: dict(type=name) for name in names})


def test_baselines_get_what_they_ask_for(clips):
    train = dict(type='ClipWindows', root=str(clips[0].folder.parent), window=2, transforms=[dict(type='RandomFlip')])
    built = build_baselines(method('CopyContent', 'NearestFrame', 'CopyTargetFrame'), train, dict(a=[], b=[]))
    assert set(built) == {'CopyContent', 'NearestFrame', 'CopyTargetFrame'}
    assert len(built['NearestFrame'].examples) == 8 and built['CopyTargetFrame'].domains == dict(a=[], b=[])
    assert set(build_baselines(method('CopyContent', 'NearestFrame', 'CopyTargetFrame'), {}, {})) == {'CopyContent'}


@pytest.mark.parametrize('names', [(), ('NearestFrame',)])
def test_a_wish_for_baselines_that_nobody_has_is_refused(names):
    with pytest.raises(InputError, match='has no baselines on this data: leave --baselines out'):
        build_baselines(method(*names), {}, {})


def test_only_two_persons_have_domains(clips):
    assert training_domains(dict(a={}, b={}), clips) == {} == training_domains({}, SimpleNamespace(domains={}))
