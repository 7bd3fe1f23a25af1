"""Code from outside the repository: installed plugins and custom_imports, used by config alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from toolkit.engine.checkpoint import checkpoint_config
from toolkit.plugins import import_named, is_installed
from toolkit.structures import InputError

ROOT = Path(__file__).resolve().parent.parent
KINDS = dict(
    POSE_ESTIMATORS='Pose', EDGE_DETECTORS='Edge', SEGMENTORS='Mask', COLORIZERS='Color', WARPERS='Warp', ENCODERS='Encoder',
    REGION_ENCODERS='RegionCode', GENERATORS='Generator', RESTORERS='Restorer', POSE_NETWORKS='PoseNetwork',
    DISCRIMINATORS='Discriminator', LOSSES='Loss', MODELS='Model', DATASETS='Data', TRANSFORMS='Transform', DATA_SAMPLERS='Sampler',
    METRICS='Metric',
    HOOKS='Hook', LOOPS='Loop', VISUALIZERS='Visualizer', VISBACKENDS='Backend', MODEL_WRAPPERS='Wrapper', OPTIMIZERS='Optimizer',
    OPTIM_WRAPPERS='Optim', OPTIM_WRAPPER_CONSTRUCTORS='Constructor', PARAM_SCHEDULERS='Scheduler')


@pytest.fixture
def package(tmp_path):
    """A folder that holds an installed plugin with a part of every kind, and one that is broken."""
    code = ['from toolkit.registry import *\n']
    for registry, name in KINDS.items():
        code.append(f'@{registry}.register_module()\nclass Other{name}:\n    """A {name} from elsewhere."""\n    def __init__(self, '
                    f'size=1):\n'
                    f'        self.size = size\n')
    (tmp_path / 'other_parts.py').write_text('\n'.join(code))
    (tmp_path / 'broken_parts.py').write_text('import no_such_module_anywhere\n')
    for name, version in (('other', '1.2'), ('broken', '0.1')):
        info = tmp_path / f'{name}_parts-{version}.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}-parts\nVersion: {version}\n')
        (info / 'entry_points.txt').write_text(f'[toolkit.plugins]\n{name} = {name}_parts\n')
    return tmp_path


def run(package, code, **env):
    env = dict(os.environ, PYTHONPATH=f'{package}{os.pathsep}{ROOT}', OMP_NUM_THREADS='1', **env)
    return subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=env, cwd=package)


def test_a_part_of_each_kind_from_an_installed_plugin(package):
    code = """
import json, warnings
import toolkit.registry as r
from toolkit.plugins import describe_plugins, origin
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    plugins = r.load_plugins()
sizes = {key: registry.build(dict(type='Other' + KINDS[key], size=7)).size for key, registry in r.ALL_REGISTRIES.items()}
print(json.dumps(dict(plugins=plugins, sizes=sizes, warnings=[str(w.message) for w in caught], text=describe_plugins(),
                      origin=origin('other_parts'))))
""".replace('KINDS', repr(KINDS))
    done = run(package, code)
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout.splitlines()[-1])
    assert dict(name='other', version='1.2', module='other_parts') in out['plugins']
    assert set(out['sizes']) == set(KINDS) and set(out['sizes'].values()) == {7}
    assert any('broken' in w and 'no_such_module_anywhere' in w for w in out['warnings'])
    assert 'other 1.2' in out['text'] and 'broken FAILED' in out['text'] and out['origin'] == 'other 1.2'


@pytest.mark.parametrize('value, loaded', [('all', False), ('1', False), ('other,broken', False), ('broken', True)])
def test_plugins_can_be_disabled(package, value, loaded):
    code = 'from toolkit.registry import load_plugins; print([p["name"] for p in load_plugins()])'
    done = run(package, code, TOOLKIT_DISABLE_PLUGINS=value)
    assert ("'other'" in done.stdout) is loaded and 'could not be loaded' not in done.stderr


def test_a_plugin_that_is_to_be_disabled_and_is_not_there_is_said(package):
    done = run(package, 'from toolkit.registry import load_plugins; print([p["name"] for p in load_plugins()])',
               TOOLKIT_DISABLE_PLUGINS='othr,broken')
    assert "'other'" in done.stdout and 'TOOLKIT_DISABLE_PLUGINS names othr, which is no installed plugin' in done.stderr


def test_two_packages_may_call_their_plugins_alike(package):
    (package / 'more_parts.py').write_text('')
    info = package / 'more_parts-1.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: more-parts\nVersion: 1\n')
    (info / 'entry_points.txt').write_text('[toolkit.plugins]\nother = more_parts\n')
    done = run(package, 'from toolkit.registry import load_plugins; print([p["module"] for p in load_plugins()])')
    assert "'other_parts'" in done.stdout and "'more_parts'" in done.stdout


def test_threads_that_ask_at_once_get_all_plugins(package):
    slow = package / 'other_parts.py'
    slow.write_text(f'import time\ntime.sleep(1)\n{slow.read_text()}')
    done = run(package, """
from concurrent.futures import ThreadPoolExecutor
from toolkit.registry import load_plugins
with ThreadPoolExecutor(2) as pool:
    first, second = pool.map(lambda _: [p['name'] for p in load_plugins()], range(2))
print('other' in first, first == second)
""")
    assert done.stdout == 'True True\n', done.stdout + done.stderr


def test_a_part_of_a_plugin_is_in_its_registry_whoever_asks_first(package):
    done = run(package, "from toolkit.registry import LOSSES; print('OtherLoss' in LOSSES, 'Nobody' in LOSSES)")
    assert done.stdout == 'True False\n', done.stderr


def test_a_module_that_its_package_no_longer_has_is_one_line():
    with pytest.raises(InputError, match="model.pth: custom_imports: cannot import 'mmengine.no_such_module'"):
        import_named(['mmengine.no_such_module'], where='model.pth')


def test_list_parts_prints_origin_and_description(package):
    env = dict(os.environ, PYTHONPATH=f'{package}{os.pathsep}{ROOT}', OMP_NUM_THREADS='1', TOOLKIT_DISABLE_PLUGINS='broken')
    done = subprocess.run([sys.executable, str(ROOT / 'tools' / 'list_parts.py')], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    sections = {block.splitlines()[0]: block for block in done.stdout.split('\n\n')[1:]}
    assert set(KINDS) <= set(sections)
    assert 'A Generator from elsewhere.  [other 1.2]' in sections['GENERATORS'] and '[toolkit]' in sections['GENERATORS']


def test_a_part_that_says_nothing_is_not_told_by_the_text_of_its_base(package):
    (package / 'bare_parts.py').write_text(
        'from torch import nn\nfrom toolkit.registry import LOSSES\n@LOSSES.register_module()\nclass BareLoss(nn.Module):\n    pass\n')
    tool = f'import sys, runpy; sys.argv[1:] = ["BareLoss", "--import", "bare_parts"]; ' \
           f'runpy.run_path({str(ROOT / "tools" / "list_parts.py")!r}, run_name="__main__")'
    assert run(package, tool).stdout.split('\n')[-2].split() == ['BareLoss', '[bare_parts]']


@pytest.fixture
def strange(tmp_path, monkeypatch):
    """A module in the current folder that says when it is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', ['', *sys.path])
    (tmp_path / 'strange_parts.py').write_text('open("was_run", "w").close()')
    yield tmp_path / 'was_run'
    sys.modules.pop('strange_parts', None)


def test_a_checkpoint_imports_nothing_from_the_current_folder_unasked(strange, tmp_path):
    file = tmp_path / 'model.pth'
    config = dict(model=dict(type='CopyContent'), custom_imports=dict(imports=['strange_parts']))
    torch.save(dict(meta=dict(config=config), state_dict={}), file)
    with pytest.raises(InputError, match=r"model.pth: needs the module 'strange_parts', .*--allow-import strange_parts"):
        checkpoint_config(file)
    assert not strange.exists()
    checkpoint_config(file, ['strange_parts'])
    assert strange.exists()
    assert checkpoint_config(file).model.type == 'CopyContent', 'now the program has it'


def test_a_module_in_the_current_folder_does_not_stand_for_an_installed_one(strange, tmp_path, monkeypatch):
    (tmp_path / 'wheel').mkdir()
    (tmp_path / 'wheel' / '__init__.py').write_text('open("was_run", "w").close()')
    monkeypatch.delitem(sys.modules, 'wheel', raising=False)
    with pytest.raises(InputError, match='wheel'):
        import_named(['wheel'])
    assert not strange.exists() and is_installed('mmengine.config') and not is_installed('this') and not is_installed('nothing_at_all')
    import_named(['mmengine.config', 'json'])


@pytest.mark.parametrize('modules', [5, '', '.x', [''], ['.x'], [5], ['a b'], {'a': 1}])
def test_nonsense_in_place_of_modules_is_refused(modules):
    with pytest.raises(InputError, match='must be a list of names of modules'):
        import_named(modules)
