"""Values that cannot be, at every place of a config: one line of ours, never a traceback, and never hours of training before it."""

import pytest
from mmengine.config import Config

from tests.trust.garbage import places, replaced
from toolkit.engine.config import check_config
from toolkit.engine.launch import build_runner
from toolkit.registry import LOSSES
from toolkit.structures import InputError, MissingWeightsError
from toolkit.synthetic.actions import SyntheticActions

WRONG = ('text', None, -1, float('nan'), {'a': 1})


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    """One tiny clip."""
    root = tmp_path_factory.mktemp('clips')
    SyntheticActions(height=64, width=64, actors=13, actions=16, frames=4).write(root, actors=[0], actions=[0], num_workers=1,
                                                                                progress=False)
    return root


def config(clips):
    optimizer = dict(type='Adam', lr=1e-4, betas=(0.5, 0.999))
    return dict(
        model=dict(
            type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1),
            discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1),
            losses=dict(gan=dict(type='GANLoss', objective='lsgan', weight=1.0), l1=dict(type='L1Loss', weight=1.0)),
            feature_maps=dict(pose_channels='rendered', edge_channel='warped'), window=2, v0='zeros', ema=0.9),
        optim_wrapper=dict(
            g=dict(networks=['net_g'], type='OptimWrapper', optimizer=optimizer, accumulative_counts=1, clip_grad=dict(max_norm=1.0)),
            d=dict(networks=['net_d'], optimizer=optimizer)),
        param_scheduler=[dict(type='LinearLR', start_factor=0.1, begin=0, end=2)],
        train_dataloader=dict(batch_size=1, num_workers=0, drop_last=False, dataset=dict(
            type='ClipWindows', root=str(clips), window=2, content='first', split=None, frames=(0, 4), size=(64, 64), cache='none',
            seed=0, transforms=[dict(type='RandomFlip')])),
        train_cfg=dict(type='IterLoop', max_iters=2), randomness=dict(seed=0, deterministic=False),
        default_hooks=dict(logger=dict(type='ScalarLogger', interval=1)), custom_hooks=[dict(type='EmptyCacheHook', after_iter=False)])


def start(cfg, work_dir):
    """Check a config and build everything that is built before the first iteration."""
    check_config(cfg)
    runner = build_runner(Config(cfg), work_dir)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)


@pytest.mark.parametrize('value', WRONG, ids=repr)
def test_no_traceback_at_any_place(clips, tmp_path, value):
    right = config(clips)
    start(right, tmp_path)
    for where in places(right)[1:]:
        if where[-1] == 'type' and isinstance(value, str):
            continue
        try:
            start(replaced(right, where, value), tmp_path)
        except (InputError, MissingWeightsError) as error:
            assert '\n' not in str(error).strip(), where
        except Exception as error:
            raise AssertionError(f'{".".join(map(str, where))}={value!r}') from error


@pytest.mark.parametrize('where, value, message', [
    (('model', 'v0'), 'foo', 'model.v0 must be one of'),
    (('model', 'generator', 'ngf'), -1, r'^model.generator: the generator GlobalGenerator cannot be built with ngf=-1.*dimension'),
    (('model', 'losses', 'gan', 'objective'), 'lsgann', 'lsgan'),
    (('optim_wrapper', 'g', 'optimizer', 'betas'), (0.5, 2.0), r'^optim_wrapper.g.optimizer: .*betas'),
    (('train_dataloader', 'batch_size'), -1, 'batch_size=-1'),
])
def test_the_place_is_named(clips, tmp_path, where, value, message):
    with pytest.raises(InputError, match=message):
        start(replaced(config(clips), where, value), tmp_path)


def test_errors_of_a_part_of_ones_own_say_where_they_come_from():
    @LOSSES.register_module(force=True)
    class FailsInItsConstructor:
        def __init__(self, size=3):
            raise KeyError('a bug')

    with pytest.raises(InputError, match=r"cannot be built with size=4: KeyError: 'a bug' \(test_wrong_values.py, line"):
        LOSSES.build(dict(type='FailsInItsConstructor', size=4))


@pytest.mark.parametrize('where, value, message', [
    (('model', 'discriminator', 'ndf'), 0, r'^model.discriminator: .*ndf=0.*would have the shape \(0, '),
    (('param_scheduler', 0, 'start_factor'), 0, 'start_factor=0, and a rate of 0 cannot grow'),
    (('train_dataloader', 'num_workers'), 1e308, 'num_workers=1e.308: expected a whole number'),
])
def test_what_would_fail_in_the_first_iteration_is_refused_before(clips, tmp_path, where, value, message):
    with pytest.raises(InputError, match=message):
        start(replaced(config(clips), where, value), tmp_path)
