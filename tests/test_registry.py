"""Errors of the registries: near names, wrong slots, unknown arguments, dotted paths, double names."""

import pickle

import pytest
from torch import nn

from toolkit.registry import (
    ALL_REGISTRIES,
    EDGE_DETECTORS,
    GENERATORS,
    HOOKS,
    LOSSES,
    OPTIMIZERS,
    Registry,
    build_part,
    check_keys,
    did_you_mean,
    find_part,
    load_plugins,
    part_arguments,
)
from toolkit.signatures import part_parameters, wrong_kind
from toolkit.structures import InputError


@pytest.fixture
def kinds():
    """A registry of its own with two parts."""
    registry = Registry('kind', scope='toolkit', locations=[], build_func=build_part)

    @registry.register_module()
    class Alpha:
        def __init__(self, size, depth=2):
            self.size, self.depth = size, depth

    @registry.register_module()
    class Beta(Alpha):
        def __init__(self, color='red', **kwargs):
            super().__init__(**kwargs)

    return registry


def test_builds_with_defaults(kinds):
    part = kinds.build(dict(type='Beta', size=3))
    assert (part.size, part.depth) == (3, 2)
    assert kinds.build(dict(type='Alpha', size=1), default_args=dict(depth=5, size=9)).depth == 5


@pytest.mark.parametrize('cfg, words', [
    (dict(type='Alhpa', size=1), ["unknown kind 'Alhpa'", "Did you mean 'Alpha'?", 'Alpha, Beta', 'Plugins loaded', 'custom_imports',
                                  'toolkit.plugins']),
    (dict(type='Alpha', szie=1), ["'szie'", "Did you mean 'size'?", 'depth']),
    (dict(type='Beta', size=1, colr='x'), ["'colr'", "'color'", 'depth']),
    (dict(type='Alpha'), ["needs the argument 'size'"]),
    (dict(size=1), ['"type"', 'Alpha, Beta']),
    ('Alpha', ['dict']),
    (dict(type='subprocess.check_output', args=['true']), ['subprocess.check_output', 'dotted path', 'custom_imports']),
    (dict(type='os.system'), ['dotted path']),
])
def test_errors_help(kinds, cfg, words):
    with pytest.raises(InputError) as error:
        kinds.build(cfg)
    for word in words:
        assert word in str(error.value)


def test_a_text_in_the_place_of_something_else_is_refused():
    """A word of a command line would count as yes, whatever it says."""
    with pytest.raises(InputError, match="SoftCanny cannot be built with thin='no'.*thin is a text, expected True or False"):
        EDGE_DETECTORS.build(dict(type='SoftCanny', thin='no'))


def test_why_a_part_cannot_be_built_is_told_to_other_processes(kinds):
    with pytest.raises(InputError, match='Alpha cannot be built with size=0') as error:
        kinds.get('Alpha').__init__ = lambda self, size, depth=2: size // size
        kinds.build(dict(type='Alpha', size=0))
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)


def test_annotations_that_a_module_keeps_as_text_count():
    module, code = {'__name__': 'theirs'}, 'class Mine:\n    def __init__(self, width: int, net: ForTypeCheckersAlone = None): ...'
    exec(f'from __future__ import annotations\n{code}', module)
    parameters = part_parameters(module['Mine'])
    assert wrong_kind(64.5, *parameters['width']) == 'a whole number' and wrong_kind(64, *parameters['width']) == ''
    assert wrong_kind(64.5, *parameters['net']) == '', 'nobody knows what it is'


def test_a_part_in_the_wrong_slot_names_both_kinds():
    with pytest.raises(InputError, match="'L1Loss' is a loss, but a generator is expected here.*GlobalGenerator"):
        GENERATORS.build(dict(type='L1Loss'))
    with pytest.raises(InputError, match="'GlobalGenerator' is a generator, but a hook is expected"):
        HOOKS.get('GlobalGenerator')


@pytest.mark.parametrize('registry', [LOSSES, OPTIMIZERS, HOOKS])
def test_dotted_paths_never_run(registry, tmp_path):
    with pytest.raises(InputError, match='dotted path'):
        registry.build(dict(type='pathlib.Path.touch', self=tmp_path / 'ran'))
    assert not (tmp_path / 'ran').exists()


def test_known_scopes_and_parents():
    assert OPTIMIZERS.get('RMSprop') is OPTIMIZERS.get('mmengine.RMSprop') and OPTIMIZERS.get('Adam') is OPTIMIZERS.get('toolkit.Adam')
    assert GENERATORS.get('toolkit.GlobalGenerator') is GENERATORS.get('GlobalGenerator')
    assert set(find_part('GANLoss')) == {'LOSSES'} and find_part('Nobody') == {}
    assert 'Nobody' not in LOSSES and 'GANLoss' in LOSSES


def test_registering_a_name_twice_names_both_modules(kinds):
    with pytest.raises(InputError, match=r"'Alpha' of .* already registered by"):
        kinds.register_module(name='Alpha', module=nn.Linear)


def test_part_arguments_follow_kwargs_to_the_base(kinds):
    assert part_arguments(kinds.get('Beta')) == {'color', 'size', 'depth'}

    class Open(nn.Module):
        def __init__(self, a, **kwargs):
            super().__init__()

    assert part_arguments(Open) is None
    assert part_arguments(type('Bare', (nn.Module,), {})) == part_arguments(type('Bare', (), {})) == set()


def test_check_keys_and_near_names():
    check_keys(['a'], ['a', 'b'], 'x')
    with pytest.raises(InputError, match=r"model.losses: unknown key 'gann'. Did you mean 'gan'\? Known: gan, fm."):
        check_keys(['gann'], ['gan', 'fm'], 'model.losses')
    assert did_you_mean('zzzzz', ['gan']) == '' and "'GAN'" in did_you_mean('gan', ['GAN'])


def test_load_plugins_is_idempotent():
    assert load_plugins() == load_plugins() and load_plugins() is not load_plugins()


@pytest.mark.parametrize('name', ALL_REGISTRIES)
def test_each_registry_says_what_its_parts_are_called_with_and_return(name):
    assert f'``{name}``' in ALL_REGISTRIES[name].contract
