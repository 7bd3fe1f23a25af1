"""Checkpoints: refused when unsafe, named when damaged or of another architecture, atomic, pruned, best kept."""

import os
import pickle
import zipfile

import pytest
import torch
from torch import nn

from toolkit.engine.checkpoint import load_checkpoint, plain
from toolkit.engine.saving import write_atomically
from toolkit.structures import InputError
from toolkit.weights import read_checkpoint


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


@pytest.fixture
def saved(tmp_path):
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    path = tmp_path / 'iter_0000001.pth'
    write_atomically(path, dict(state_dict=net.state_dict(), meta=dict(iter=1)))
    return net, path


def test_weights_come_back(saved):
    net, path = saved
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    assert load_checkpoint(path, other) == dict(iter=1)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), other.parameters()))
    assert [p.name for p in path.parent.iterdir()] == [path.name], 'no temporary file is left'


@pytest.mark.parametrize('legacy', [False, True])
def test_a_malicious_pickle_is_refused_and_does_not_run(tmp_path, legacy):
    path = tmp_path / 'evil.pth'
    if legacy:
        path.write_bytes(pickle.dumps(dict(state_dict=Evil(tmp_path / 'ran')), protocol=2))
    else:
        torch.save(dict(state_dict=Evil(tmp_path / 'ran')), path)
    with pytest.raises(InputError, match='evil.pth is refused.*system'):
        read_checkpoint(path)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('keep', [0, 1, 3, 100, 0.5, 0.99])
def test_a_truncated_file_is_named(saved, keep):
    net, path = saved
    content = path.read_bytes()
    path.write_bytes(content[:keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(InputError, match=r'iter_0000001\.pth'):
        load_checkpoint(path, net)


def test_a_damaged_archive_is_named(saved, tmp_path):
    net, path = saved
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', b'\x80\x02garbage')
    with pytest.raises(InputError, match='damaged'):
        load_checkpoint(path, net)


@pytest.mark.parametrize('content', [b'hello, world', b'\x89PNG....'])
def test_another_kind_of_file(tmp_path, content):
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(InputError, match='not a checkpoint'):
        read_checkpoint(tmp_path / 'a.pth')


def test_plain_data_that_is_no_checkpoint(tmp_path):
    torch.save(dict(a=1, b=2), tmp_path / 'a.pth')
    with pytest.raises(InputError, match='not a checkpoint.*a dict with a, b'):
        read_checkpoint(tmp_path / 'a.pth')
    with pytest.raises(InputError, match=r'does not exist; its folder holds a\.pth'):
        read_checkpoint(tmp_path / 'b.pth')


@pytest.mark.parametrize('other, words', [
    (nn.Sequential(nn.Linear(3, 5), nn.Linear(5, 2)), ['0.weight is (4, 3) in the file, (5, 3) in the model', 'iter_0000001.pth']),
    (nn.Sequential(nn.Linear(3, 4)), ['2 unknown to the model: 1.weight, 1.bias']),
    (nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(2, 2)), ['2 missing in the file: 2.weight, 2.bias']),
])
def test_another_architecture_names_the_first_keys(saved, other, words):
    before = [p.clone() for p in other.parameters()]
    with pytest.raises(InputError) as error:
        load_checkpoint(saved[1], other)
    for word in words:
        assert word in str(error.value)
    assert all(torch.equal(a, b) for a, b in zip(before, other.parameters())), 'nothing is half loaded'


def test_safetensors(tmp_path):
    from safetensors.torch import save_file
    net = nn.Linear(2, 2)
    save_file(net.state_dict(), tmp_path / 'a.safetensors')
    assert set(read_checkpoint(tmp_path / 'a.safetensors')['state_dict']) == {'weight', 'bias'}
    (tmp_path / 'a.safetensors').write_bytes(b'\x08\x00')
    with pytest.raises(InputError, match='a.safetensors'):
        read_checkpoint(tmp_path / 'a.safetensors')


def test_only_plain_data_is_saved():
    with pytest.raises(TypeError, match=r"checkpoint\['a'\]\[1\] is a object"):
        plain(dict(a=[1, object()]))
