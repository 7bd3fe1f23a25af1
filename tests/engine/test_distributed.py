"""Two processes of one sample do what one process of two samples does."""

import pytest
import torch


@pytest.mark.parametrize('accumulate', [1, 2])
def test_batch_2_equals_1_plus_1(toy, tmp_path, accumulate):
    config = tmp_path / 'plain.py'
    config.write_text(f"""
_base_ = {str(toy.config)!r}
model = dict(pool=0, dropout=0.0)
train_cfg = dict(max_iters={2 * accumulate}, val_interval=0)
default_hooks = dict(checkpoint=dict(interval=0), logger=dict(interval=1))
_sgd = dict(_delete_=True, type='SGD', lr=0.5)
optim_wrapper = dict(g=dict(accumulative_counts={accumulate}, optimizer=_sgd), d=dict(accumulative_counts={accumulate}, optimizer=_sgd))
""")
    one = toy.train(tmp_path / 'one', config=config)
    two = toy.train(tmp_path / 'two', config=config, processes=2, options=['train_dataloader.batch_size=1'])
    assert one.codes == [0] and two.codes == [0, 0], one.text + two.text
    name = f'iter_{2 * accumulate:07d}.pth'
    a, b = (torch.load(tmp_path / run / name, weights_only=True) for run in ('one', 'two'))
    for key, value in a['state_dict'].items():
        assert torch.allclose(value, b['state_dict'][key], atol=1e-5), key
    assert a['meta']['samples'] == b['meta']['samples'] == 4 * accumulate


def test_a_checkpoint_of_two_processes_goes_on_in_one(toy, tmp_path):
    first = toy.train(tmp_path, processes=2, options=['train_cfg.max_iters=4'])
    assert first.codes == [0, 0], first.text
    second = toy.train(tmp_path, '--resume', options=['train_cfg.max_iters=6'])
    assert second.codes == [0] and 'trained by 2 processes' in second.text
    assert torch.load(tmp_path / 'iter_0000006.pth', weights_only=True)['meta']['samples'] == 4 * 4 + 2 * 2
