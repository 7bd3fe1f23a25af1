"""A work dir is one run's at a time; nothing in it is overwritten; torchrun's second start goes on."""

import json
import os
import time
from types import SimpleNamespace

import pytest

import toolkit.engine.runner as runner
import toolkit.engine.work_dir as work_dir
from tests.helpers import scalars
from toolkit import apis
from toolkit.engine.checkpoint_hook import CheckpointHook
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.work_dir import set_aside, take_scalars_along, to_itself
from toolkit.locks import locked
from toolkit.structures import InputError
from toolkit.weights import latest_checkpoint, read_checkpoint


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith('.'))


def test_a_second_run_in_a_work_dir_ends_with_one_line(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(work_dir, 'PATIENCE', 0.2)
    with locked(tmp_path / work_dir.LOCK):
        second = toy.train(tmp_path)
    assert second.codes == [2] and 'is in use by another run' in second.text and 'Traceback' not in second.text
    assert names(tmp_path) == [], 'not even its config is written'
    assert toy.train(tmp_path).codes == [0], 'the lock is free again'


def test_a_new_run_does_not_overwrite_an_earlier_one(toy, tmp_path):
    first = toy.train(tmp_path, options=['default_hooks.checkpoint.save_best=error', 'default_hooks.checkpoint.rule=greater'])
    assert first.codes == [0]
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    second = toy.train(tmp_path, options=['randomness.seed=1', 'train_cfg.max_iters=4'])
    assert second.codes == [0] and 'moved to' in second.text and 'earlier_1' in second.text
    moved = {name: (tmp_path / 'earlier_1' / name).read_bytes() for name in names(tmp_path / 'earlier_1')}
    assert moved == before and 'iter_0000008.pth' in moved
    assert len(list(tmp_path.glob('earlier_1/*/vis_data/scalars.json'))) == len(list(tmp_path.glob('*/vis_data/scalars.json'))) == 1
    assert [n for n in names(tmp_path) if n.endswith('.pth')] == ['iter_0000004.pth']
    assert read_checkpoint(tmp_path)['meta']['seed'] == 1
    third = toy.train(tmp_path, options=[f"load_from='{tmp_path / 'iter_0000004.pth'}'"])
    assert third.codes == [0] and (tmp_path / 'earlier_2' / 'iter_0000004.pth').exists(), 'weights to start from may lie there, too'


def test_going_on_from_an_earlier_checkpoint_keeps_the_later_ones(toy, tmp_path):
    assert toy.train(tmp_path).codes == [0]
    later = (tmp_path / 'iter_0000008.pth').read_bytes()
    again = toy.train(tmp_path, '--resume', str(tmp_path / 'iter_0000004.pth'), options=['train_cfg.max_iters=12'])
    assert again.codes == [0] and 'checkpoints after iteration 4: moved' in again.text
    assert (tmp_path / 'earlier_1' / 'iter_0000008.pth').read_bytes() == later and (tmp_path / 'iter_0000012.pth').exists()


def test_going_on_from_an_earlier_checkpoint_in_processes_of_which_one_is_slow(toy, tmp_path, monkeypatch):
    """The slow one looked when the later checkpoints were moved already, and then waited for another exchange than the first."""
    look = runner.latest_checkpoint
    monkeypatch.setattr(runner, 'latest_checkpoint', lambda folder: (os.environ.get('RANK') == '1' and time.sleep(1), look(folder))[1])
    assert toy.train(tmp_path).codes == [0]
    again = toy.train(tmp_path, '--resume', str(tmp_path / 'iter_0000004.pth'), processes=2)
    assert again.codes == [0, 0] and 'checkpoints after iteration 4: moved' in again.text, again.text
    assert (tmp_path / 'earlier_1' / 'iter_0000008.pth').exists() and (tmp_path / 'iter_0000008.pth').exists()


def test_going_on_from_another_folder_neither_removes_nor_continues_what_is_in_this_one(toy, tmp_path):
    assert toy.train(tmp_path / 'mine', options=['train_cfg.max_iters=4']).codes == toy.train(tmp_path / 'other').codes == [0]
    mine = (tmp_path / 'mine' / 'iter_0000004.pth').read_bytes()
    done = toy.train(tmp_path / 'mine', '--resume', str(tmp_path / 'other' / 'iter_0000008.pth'), options=[
        'train_cfg.max_iters=12', 'default_hooks.checkpoint.max_keep_ckpts=1'])
    assert done.codes == [0] and 'holds what an earlier run left: moved to' in done.text, done.text
    assert (tmp_path / 'mine' / 'earlier_1' / 'iter_0000004.pth').read_bytes() == mine
    assert [line['step'] for line in scalars(tmp_path / 'mine')] == [9, 12, 12] and (tmp_path / 'other' / 'iter_0000008.pth').exists()


def test_a_kill_while_the_log_is_taken_along_leaves_one(tmp_path, monkeypatch):
    first, *later = (tmp_path / f'2026010{day}_000000' / 'vis_data' / 'scalars.json' for day in (1, 2, 3))
    first.parent.mkdir(parents=True)
    first.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n')
    with monkeypatch.context() as patch:
        patch.setattr(work_dir, 'write_atomically', lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            take_scalars_along(tmp_path, later[0], 2)
    take_scalars_along(tmp_path, later[1], 2)
    assert list(tmp_path.rglob('scalars.json')) == [later[1]] and later[1].read_text() == '{"step": 1}\n{"step": 2}\n'


def test_a_best_checkpoint_after_the_last_one_is_made_again(toy, tmp_path):
    options = ['default_hooks.checkpoint.save_best="error"', 'default_hooks.checkpoint.rule="less"', 'train_cfg.val_interval=5']
    killed = toy.train(tmp_path, options=[*options, "custom_hooks=[{'type':'KillAt','iteration':6}]"])
    assert killed.codes == [-9]
    assert (tmp_path / 'last_checkpoint').read_text() == 'iter_0000004.pth\n'
    (tmp_path / 'best_error_iter_0000005.pth').write_bytes(b'of a stretch that was cut off')
    again = toy.train(tmp_path, '--resume', options=options)
    assert again.codes == [0] and not list(tmp_path.glob('earlier_*'))
    assert all(path.stat().st_size > 1000 for path in tmp_path.glob('*.pth')), again.text


def test_a_kill_between_the_last_save_and_the_removal_of_the_oldest_leaves_nothing(toy, tmp_path):
    options = ['default_hooks.checkpoint.max_keep_ckpts=1']
    assert toy.train(tmp_path, options=options).codes == [0]
    (tmp_path / 'iter_0000004.pth').write_bytes((tmp_path / 'iter_0000008.pth').read_bytes())
    assert toy.train(tmp_path, '--resume', options=options).codes == [0]
    assert [name for name in names(tmp_path) if name.endswith('.pth')] == ['iter_0000008.pth']


def test_pictures_that_were_cut_off_are_removed(tmp_path):
    (tmp_path / 'vis').mkdir()
    for name in ('.0000003_00_wave.png.77.tmp', '.notes.png.77.tmp', '0000003_00_wave.png'):
        (tmp_path / 'vis' / name).touch()
    with to_itself(tmp_path):
        assert sorted(path.name for path in (tmp_path / 'vis').iterdir()) == ['.notes.png.77.tmp', '0000003_00_wave.png']


def test_only_what_is_ours_is_moved_or_removed(tmp_path):
    ours = ['iter_0000003.pth', 'best_error_iter_0000002.pth', 'last_checkpoint', 'point_0.pth']
    others = ['iter_best.pth', 'notes.txt', 'my_iter_0000003.pth.bak', 'point_a.pth', '.hidden', '.iter_0000003.pth.partial',
              'model.partial']
    partial = ['.iter_0000004.pth.123.tmp', '.last_checkpoint.5.tmp', '.best_a_iter_0000004.pth.77.tmp']
    for name in [*ours, *others, *partial]:
        (tmp_path / name).write_text(name)
    for name in ('run/vis_data/scalars.json', 'run/vis_data/.scalars.json.5.tmp', 'mine/scalars.json'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    with to_itself(tmp_path):
        left = sorted([*ours, *others, work_dir.LOCK, 'run', 'mine'])
        assert sorted(p.name for p in tmp_path.iterdir()) == left, 'saves cut off are removed'
        assert set_aside(tmp_path, iteration=3) is None
        folder = set_aside(tmp_path, iteration=None)
    assert folder == tmp_path / 'earlier_1' and names(folder) == sorted(ours)
    assert [p.name for p in (folder / 'run' / 'vis_data').iterdir()] == ['scalars.json']
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*others, work_dir.LOCK, 'earlier_1', 'mine'])
    assert set_aside(tmp_path, iteration=None) is None


@pytest.mark.parametrize('place', ['mine.py', 'link.py'])
def test_a_config_is_not_replaced_by_what_its_run_writes(toy, tmp_path, place):
    (tmp_path / 'mine.py').write_text(text := f"_base_ = '{toy.config}'  # and why\n")
    if place != 'mine.py':
        (tmp_path / place).symlink_to(tmp_path / 'mine.py')
    for resume in (False, True):
        with pytest.raises(InputError, match=f'{place}: this is the config itself.*choose another --work-dir'):
            build_runner(load_config(tmp_path / place), work_dir=tmp_path, resume=resume)
    assert (tmp_path / 'mine.py').read_text() == text and names(tmp_path) == sorted({'mine.py', place})


def test_another_file_under_the_name_of_the_config_stays(toy, tmp_path):
    (tmp_path / 'toy_config.py').write_text('mine = 1\n')
    refused = toy.train(tmp_path)
    assert refused.codes == [2] and 'that no run wrote' in refused.text and (tmp_path / 'toy_config.py').read_text() == 'mine = 1\n'
    assert names(tmp_path) == ['toy_config.py'], 'nothing is begun'
    (tmp_path / 'toy_config.py').unlink()
    assert toy.train(tmp_path).codes == toy.train(tmp_path, '--resume').codes == toy.train(tmp_path).codes == [0], 'what a run wrote'
    assert (tmp_path / 'toy_config.py').read_bytes().startswith(work_dir.MARK) and load_config(tmp_path / 'toy_config.py').model
    build_runner(load_config(tmp_path / 'toy_config.py'), work_dir=tmp_path, resume=True)  # as one goes on with MMEngine


def test_a_fine_tuning_looks_at_its_work_dir_before_it_prepares(tmp_path, walk):
    (tmp_path / 'finetune.py').write_text('mine = 1\n')
    with pytest.raises(InputError, match='finetune.py: .* a file is there that no run wrote'):
        apis.finetune([walk], tmp_path, tmp_path / 'data')
    assert names(tmp_path) == ['finetune.py', walk.name] and not (tmp_path / 'data').exists()


def test_a_copy_of_the_best_checkpoint_stays(toy, tmp_path):
    (tmp_path / 'best_error_iter_0000002_mine.pth').write_text('mine')
    options = ['default_hooks.checkpoint.save_best="error"', 'default_hooks.checkpoint.rule="less"', 'train_cfg.val_interval=2']
    assert toy.train(tmp_path, options=options).codes == [0]
    assert (tmp_path / 'best_error_iter_0000002_mine.pth').read_text() == 'mine'
    assert len(list(tmp_path.glob('best_error_*.pth'))) == 2


def test_a_restart_by_torchrun_goes_on(toy, tmp_path, monkeypatch):
    whole, parts = tmp_path / 'whole', tmp_path / 'parts'
    assert toy.train(whole).codes == [0]
    assert toy.train(parts, options=["custom_hooks=[{'type':'KillAt','iteration':5}]"]).codes == [-9]
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '1')
    again = toy.train(parts)
    assert again.codes == [0] and 'resumed' in again.text and 'at iteration 4 of 8' in again.text
    assert toy.differences(whole / 'iter_0000008.pth', parts / 'iter_0000008.pth') == []
    file, = parts.glob('*/vis_data/scalars.json')
    assert [json.loads(line)['step'] for line in file.read_text().splitlines()] == [3, 4, 6, 8, 8]


def test_a_work_dir_that_cannot_be_used(toy, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(InputError, match='file'):
        build_runner(load_config(toy.config), work_dir=tmp_path / 'file')


def test_a_kill_between_a_checkpoint_and_its_pointer_loses_nothing(toy, tmp_path, monkeypatch):
    made = build_runner(load_config(toy.config, ['train_cfg.max_iters=4']), tmp_path)
    made.train()

    def killed_at(number):
        def write(path, content):
            written.append(path)
            if len(written) == number:
                raise KeyboardInterrupt
            work_dir.write_atomically(path, content)
        written = []
        return write

    found = []
    for number in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(runner, 'write_atomically', killed_at(number))
            with pytest.raises(KeyboardInterrupt):
                made._write(tmp_path / f'iter_000000{number + 4}.pth', read_checkpoint(tmp_path), pointer=True)
        found.append(latest_checkpoint(tmp_path).name)
        assert found[-1] == max(name for name in names(tmp_path) if name.startswith('iter_')), 'the newest whole one'
    made._write(tmp_path / 'iter_0000007.pth', read_checkpoint(tmp_path), pointer=True)
    assert latest_checkpoint(tmp_path).name == 'iter_0000007.pth'


def test_weights_to_start_from_may_be_given_by_the_folder_of_the_run_itself(toy, tmp_path):
    short = ['train_cfg.max_iters=1']
    build_runner(load_config(toy.config, short), tmp_path).train()
    first = (tmp_path / 'iter_0000001.pth').read_bytes()
    build_runner(load_config(toy.config, [*short, f'load_from={tmp_path}']), tmp_path).train()
    assert (tmp_path / 'earlier_1' / 'iter_0000001.pth').read_bytes() == first and (tmp_path / 'iter_0000001.pth').read_bytes() != first


def test_a_run_that_was_killed_with_its_best_checkpoint_alone_goes_on_from_it(toy, tmp_path):
    options = ['default_hooks.checkpoint.save_best=error', 'default_hooks.checkpoint.rule=less', 'default_hooks.checkpoint.interval=0']
    killed = toy.train(tmp_path / 'parts', options=[*options, "custom_hooks=[{'type':'KillAt','iteration':6}]"])
    assert killed.codes == [-9] and [p.name for p in (tmp_path / 'parts').glob('*.pth')] == ['best_error_iter_0000004.pth']
    again = toy.train(tmp_path / 'parts', '--resume', options=options)
    assert again.codes == [0] and 'best_error_iter_0000004.pth' in again.text and not list((tmp_path / 'parts').glob('earlier_*'))
    assert toy.train(tmp_path / 'whole', options=options).codes == [0]
    assert toy.differences(tmp_path / 'whole' / 'iter_0000008.pth', tmp_path / 'parts' / 'iter_0000008.pth') == []
    assert names(tmp_path / 'whole') == names(tmp_path / 'parts')


def test_processes_that_do_not_see_the_same_checkpoint_do_not_begin(toy, tmp_path, monkeypatch):
    build_runner(load_config(toy.config, ['train_cfg.max_iters=1']), tmp_path).train()
    monkeypatch.setattr(runner, 'all_gather_object', lambda start: [start, ('no checkpoint', None)])
    with pytest.raises(InputError, match='process 0 begins with iter_0000001.pth, process 1 with no checkpoint: .* must be one folder'):
        build_runner(load_config(toy.config, ['train_cfg.max_iters=2']), tmp_path, resume=True).train()


def test_the_oldest_goes_first_by_number_also_after_ten_million_iterations(tmp_path):
    for number in (9_999_998, 9_999_999, 10_000_000):
        (tmp_path / f'iter_{number:07d}.pth').touch()
    CheckpointHook(max_keep_ckpts=1)._remove_old(SimpleNamespace(work_dir=tmp_path, iter=10_000_000))
    assert names(tmp_path) == ['iter_10000000.pth']
