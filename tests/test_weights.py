"""Finding checkpoints, and configs inside of them. Reading and loading: tests/engine/test_checkpoint.py."""

import pytest
import torch

from toolkit.structures import InputError, MissingWeightsError
from toolkit.weights import (
    checkpoint_file,
    latest_checkpoint,
    pack_config,
    read_checkpoint,
    trained_checkpoint,
    unpack_config,
)


def test_latest(tmp_path):
    assert latest_checkpoint(tmp_path) is None and latest_checkpoint(tmp_path / 'nowhere') is None
    for n in (2, 10):
        (tmp_path / f'iter_{n}.pth').touch()
    assert latest_checkpoint(tmp_path).name == 'iter_10.pth', 'the highest number, not the last in the alphabet'
    (tmp_path / 'last_checkpoint').write_text('iter_2.pth\n')
    assert latest_checkpoint(tmp_path).name == 'iter_2.pth', 'what the run wrote last'
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_3.pth\n')
    assert latest_checkpoint(tmp_path).name == 'iter_10.pth', 'a pointer to nothing'


def test_a_work_dir_stands_for_its_latest_checkpoint(tmp_path):
    for n in (2, 10):
        torch.save(dict(state_dict=dict(n=torch.tensor(n))), tmp_path / f'iter_{n}.pth')
    (tmp_path / 'last_checkpoint').write_text('iter_2.pth\n')
    assert read_checkpoint(tmp_path)['state_dict']['n'] == 2
    assert trained_checkpoint(tmp_path, 'x', 'y.py') == checkpoint_file(tmp_path) == tmp_path / 'iter_2.pth'
    assert trained_checkpoint(tmp_path / 'iter_10.pth', 'x', 'y.py') == tmp_path / 'iter_10.pth'
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match='empty holds no checkpoint; name a file, or the work dir'):
        read_checkpoint(tmp_path / 'empty')


def test_a_missing_run_says_which_command_makes_it(tmp_path, monkeypatch):
    (tmp_path / 'configs' / 'mine').mkdir(parents=True)
    (tmp_path / 'configs' / 'mine' / 'small.py').touch()
    (tmp_path / 'empty').mkdir()
    monkeypatch.chdir(tmp_path)
    for path, message in (
            ('work_dirs/small', r'^colours: work_dirs/small does not exist. .*configs/mine/small.py --work-dir work_dirs/small$'),
            ('runs/a/iter_0000100.pth', 'configs/big.py --work-dir runs/a$'),
            ('empty', 'no checkpoint in empty. .*configs/big.py --work-dir empty$')):
        with pytest.raises(MissingWeightsError, match=message):
            trained_checkpoint(path, 'colours', 'configs/big.py')


def test_packed_configs():
    for length in (0, 1000, 1014, 1015, 3000):
        config = dict(a='é' + 'x' * length)
        assert unpack_config(pack_config(config)) == config and len(pack_config(config)) % 1024 == 0
    for wrong in (torch.zeros(1024, dtype=torch.uint8), torch.randn(4), dict(a=1), pack_config([1])):
        with pytest.raises(InputError, match='not a packed config'):
            unpack_config(wrong)
