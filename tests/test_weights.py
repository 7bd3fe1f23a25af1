"""Finding checkpoints, and configs inside of them. Reading and loading: tests/engine/test_checkpoint.py."""

import zipfile

import pytest
import torch
from torch import nn

from toolkit.network_files import check_same
from toolkit.structures import InputError, MissingWeightsError
from toolkit.weights import (
    ConfiguredNetwork,
    checkpoint_file,
    latest_checkpoint,
    load_state,
    pack_config,
    read_checkpoint,
    trained_checkpoint,
    unpack_config,
    use_packed_configs,
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


def test_a_work_dir_stands_for_its_best_or_else_its_latest_checkpoint(tmp_path):
    for n in (2, 10):
        torch.save(dict(state_dict=dict(n=torch.tensor(n))), tmp_path / f'iter_{n}.pth')
    (tmp_path / 'last_checkpoint').write_text('iter_2.pth\n')
    assert read_checkpoint(tmp_path)['state_dict']['n'] == 2
    assert trained_checkpoint(tmp_path, 'x', 'y.py') == checkpoint_file(tmp_path) == tmp_path / 'iter_2.pth'
    assert trained_checkpoint(tmp_path / 'iter_10.pth', 'x', 'y.py') == tmp_path / 'iter_10.pth'
    for name, n in (('best_ssim_full_iter_0000004', 4), ('best_lpips_squeeze_full_iter_0000006', 6)):
        torch.save(dict(state_dict=dict(n=torch.tensor(n))), tmp_path / f'{name}.pth')
    assert read_checkpoint(tmp_path)['state_dict']['n'] == 6, 'what validation kept as the best one, the newest'
    assert latest_checkpoint(tmp_path).name == 'iter_2.pth', 'a run that goes on goes on from the latest'
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match='empty holds no checkpoint; name a file, or the work dir'):
        read_checkpoint(tmp_path / 'empty')


def test_a_missing_run_says_which_command_makes_it(tmp_path, monkeypatch):
    (tmp_path / 'configs' / 'mine').mkdir(parents=True)
    (tmp_path / 'configs' / 'mine' / 'small.py').touch()
    (tmp_path / 'empty').mkdir()
    monkeypatch.chdir(tmp_path)
    for path, message in (
            ('work_dirs/small', r'^colors: work_dirs/small does not exist. .*configs/mine/small.py --work-dir work_dirs/small$'),
            ('runs/a/iter_0000100.pth', 'configs/big.py --work-dir runs/a$'),
            ('runs/v1.5', 'runs/v1.5 does not exist. .*configs/big.py --work-dir runs/v1.5$'),
            ('empty', 'no checkpoint in empty. .*configs/big.py --work-dir empty$')):
        with pytest.raises(MissingWeightsError, match=message):
            trained_checkpoint(path, 'colors', 'configs/big.py')


def test_packed_configs():
    for length in (0, 1000, 1014, 1015, 3000):
        config = dict(a='é' + 'x' * length)
        assert unpack_config(pack_config(config)) == config and len(pack_config(config)) % 1024 == 0
    for wrong in (torch.zeros(1024, dtype=torch.uint8), torch.randn(4), dict(a=1), pack_config([1])):
        with pytest.raises(InputError, match='not a packed config'):
            unpack_config(wrong)


@pytest.mark.parametrize('content', [b'\xff\xfe\x00', b'x' * 5000, b'../../etc/passwd', b'', b'a\x00b'])
def test_a_pointer_of_nonsense_is_passed_over(tmp_path, content):
    for name in ('iter_2.pth', 'iter_\u00b2\u00b3.pth', 'iter_best.pth'):
        (tmp_path / name).touch()
    (tmp_path / 'last_checkpoint').write_bytes(content)
    assert latest_checkpoint(tmp_path).name == 'iter_2.pth'


WRONG = {
    'NaN': torch.full((2, 3), float('nan')), 'inf': torch.tensor([[1., 2, 3], [4, 5, float('inf')]]),
    'int64': torch.ones(2, 3, dtype=torch.int64),
    'bool': torch.ones(2, 3, dtype=torch.bool), 'complex': torch.ones(2, 3, dtype=torch.complex64),
    'float8': torch.ones(2, 3).to(torch.float8_e4m3fn), 'sparse': torch.ones(2, 3).to_sparse(), 'meta': torch.ones(2, 3, device='meta'),
    'quantized': torch.quantize_per_tensor(torch.ones(2, 3), 0.1, 0, torch.quint8), 'text': 'weights', 'nothing': None,
    'nested': torch.nested.nested_tensor([torch.ones(3), torch.ones(3)])}


@pytest.mark.parametrize('name', WRONG)
def test_weights_that_cannot_be_are_refused(name):
    module = nn.Linear(3, 2)
    before = module.weight.clone()
    with pytest.raises(InputError, match='checkpoint some.pth does not fit Linear'):
        load_state(module, dict(weight=WRONG[name], bias=torch.zeros(2)), 'some.pth')
    assert torch.equal(module.weight, before), 'nothing was loaded'


def test_other_precisions_are_weights_too():
    module = nn.BatchNorm1d(2)
    load_state(module, {key: value.half() if value.is_floating_point() else value for key, value in module.state_dict().items()}, 'x')
    with pytest.raises(InputError, match='num_batches_tracked is torch.float32 in the file, torch.int64 in the model'):
        load_state(module, {key: value.float() for key, value in module.state_dict().items()}, 'x')
    with pytest.raises(InputError, match='names that are not text'):
        load_state(module, {5: torch.zeros(2)}, 'x')


def test_a_file_that_unpacks_to_more_than_itself_is_refused(tmp_path):
    torch.save(dict(a=torch.zeros(100_000)), tmp_path / 'good.pth')
    with zipfile.ZipFile(tmp_path / 'good.pth') as good, zipfile.ZipFile(tmp_path / 'bomb.pth', 'w', zipfile.ZIP_DEFLATED) as bomb:
        for record in good.infolist():
            bomb.writestr(record.filename, good.read(record))
    assert (tmp_path / 'bomb.pth').stat().st_size < 10_000
    with pytest.raises(InputError, match='bomb.pth is refused: its records are compressed or overlap'):
        read_checkpoint(tmp_path / 'bomb.pth')


def test_damage_anywhere_is_one_error(tmp_path):
    torch.save(dict(state_dict=dict(a=torch.zeros(3)), meta=dict(iter=3)), tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    content = (tmp_path / 'old.pth').read_bytes()
    for i in range(0, len(content), 3):
        (tmp_path / 'damaged.pth').write_bytes(content[:i] + bytes([content[i] ^ 0x5a]) + content[i + 1:])
        try:
            read_checkpoint(tmp_path / 'damaged.pth')
        except InputError as error:
            assert 'damaged.pth' in str(error) and '\n' not in str(error)


def test_networks_of_other_runs_are_built_from_the_checkpoint_that_holds_them():
    config = dict(helper=dict(pose='gone.pth', size=3, own=dict(width=1)), other='stays.pth')
    state = {f'helper.{name}._extra_state': pack_config(dict(type='Net', name=name)) for name in ('pose', 'own', 'size', 'new')}
    use_packed_configs(config, {**state, 'elsewhere.pose._extra_state': pack_config({}), 'other.weight': torch.zeros(1)})
    assert config == dict(helper=dict(pose=dict(type='Net', name='pose'), size=3, own=dict(width=1)), other='stays.pth')


class Theirs(ConfiguredNetwork):
    """A network of somebody's own, whose config is as it was given."""

    def __init__(self, widths):
        super().__init__()
        self.config = dict(type='Theirs', encoder=dict(widths=widths))


def test_a_tuple_in_a_config_is_the_list_that_a_file_has_in_its_place():
    network = Theirs((3, 2))
    load_state(network, network.state_dict(), 'x.pth')
    check_same(network, Theirs([3, 2]), 'x.pth')
    with pytest.raises(InputError, match=r'encoder.widths=\[3, 1\], this one has \(3, 2\)'):
        load_state(network, Theirs((3, 1)).state_dict(), 'x.pth')
    with pytest.raises(InputError, match=r"x.pth does not fit Theirs: it was made with encoder={'widths': \[3, 1\]}"):
        check_same(network, Theirs([3, 1]), 'x.pth')
