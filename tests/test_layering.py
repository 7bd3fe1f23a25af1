"""Who may import whom, as docs/design.md draws it: walked over the source, so that imports inside functions count too."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE = {'structures', 'doors', 'skeletons', 'fields', 'registry', 'plugins', 'weights', 'cli', 'locks', 'signatures', 'outputs',
        'packaged', 'files', 'fit', 'scaffold', 'network_files', 'sheets', 'together', 'progress', 'machine', 'ahead',
        'channels_last', 'winograd', 'fingerprints'}
PERCEPTION = {'poses', 'pose_networks', 'edges', 'masks', 'colors'}
PARTS = {'encoders', 'region_encoders', 'generators', 'restorers', 'discriminators', 'losses', 'warpers'}
CLIPS = BASE | {'poses', 'clips'}
ALLOWED = {
    **dict.fromkeys(BASE, BASE),
    **dict.fromkeys(PERCEPTION, BASE | PERCEPTION),
    **dict.fromkeys(PARTS, BASE | PERCEPTION | PARTS),
    'video': CLIPS | {'video'},
    'clips': CLIPS,
    'preparing': CLIPS | PERCEPTION | {'video', 'preparing'},
    'synthetic': CLIPS | {'synthetic'},
    'datasets': CLIPS | PERCEPTION | {'synthetic', 'datasets', 'warpers'},
    'metrics': BASE | {'poses', 'metrics'},
    'model_parts': BASE | PERCEPTION | PARTS | {'model_parts'},
}
ALLOWED['models'] = ALLOWED['baselines'] = ALLOWED['model_parts'] | {'models', 'baselines'}
ALLOWED['conversion'] = BASE | PERCEPTION | {'conversion'}
ALLOWED['engine'] = ALLOWED['models'] | ALLOWED['datasets'] | {'video', 'engine', 'metrics'}
ALLOWED['analysis'] = ALLOWED['models'] | ALLOWED['datasets'] | {'metrics', 'analysis'}
ALLOWED['inference'] = ALLOWED['engine'] | ALLOWED['preparing'] | {'inference'}
ALLOWED['distillation'] = ALLOWED['inference'] | {'distillation'}
ALLOWED['benchmark'] = ALLOWED['engine'] | ALLOWED['analysis'] | {'benchmark'}
ALLOWED['live'] = ALLOWED['inference'] | {'live'}
ALLOWED['apis'] = ALLOWED['live'] | {'apis'}
ALLOWED['web'] = ALLOWED['apis'] | {'web'}
ALLOWED['__main__'] = BASE
HEAVY = {'mmpose', 'mmdet', 'mediapipe', 'mmcv', 'torchvision', 'lpips'}


def imports(path, top_level_only=False):
    """Dotted names a file imports."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f'{node.module}.{alias.name}' for alias in node.names if node.module == 'toolkit')


def layer(dotted):
    """'toolkit.poses.draw' -> 'poses'."""
    return dotted.split('.')[1] if dotted.startswith('toolkit.') else None


FILES = sorted((ROOT / 'toolkit').rglob('*.py'))


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_layers(path):
    own = path.relative_to(ROOT / 'toolkit').parts[0].removesuffix('.py')
    if own == '__init__':
        assert not list(imports(path)), 'importing toolkit must import nothing'
        return
    assert own in ALLOWED, f'{own}: a new folder needs its place in the layers'
    for name in imports(path):
        assert name.split('.')[0] not in {'tools', 'configs', 'tests', 'plugins'}, f'imports {name}'
        target = layer(name)
        if target is not None and target != '__version__':
            assert target in ALLOWED[own] | {own}, f'{own} may not import {name}'


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_packages_are_imported_only_where_they_are_used(path):
    assert not {name.split('.')[0] for name in imports(path, top_level_only=True)} & HEAVY


def test_a_wrong_import_would_be_found(tmp_path):
    file = tmp_path / 'x.py'
    file.write_text('def f():\n    from toolkit.engine.loop import IterLoop\n    import toolkit.models.base\n')
    assert {layer(name) for name in imports(file)} == {'engine', 'models'}
    assert 'engine' not in ALLOWED['losses'] and 'models' not in ALLOWED['generators']


def test_the_guide_draws_these_layers():
    guide = (ROOT / 'docs' / 'design.md').read_text()
    drawn = dict(re.findall(r'^(\w+) {2,}(\w+(?:, \w+)*)$', guide, re.M))
    groups = dict(perception=PERCEPTION, parts=PARTS, methods={'model_parts', 'models', 'baselines'})
    seen = {room for rooms in drawn for room in groups.get(rooms, {rooms})}
    assert seen | BASE == set(ALLOWED) - {'__main__'} | BASE
    for rooms, allowed in drawn.items():
        allowed = BASE.union(*(groups.get(name, {name}) for name in allowed.split(', ')))
        for room in groups.get(rooms, {rooms}):
            assert allowed | {room} == ALLOWED[room] | {room}, room
    folders = {path.parent.name for path in (ROOT / 'toolkit').glob('*/__init__.py')}
    table = re.findall(r'^\| (`.*?) \|', guide, re.M)
    assert folders == {name for row in table for name in re.findall(r'`(\w+)`', row)}


def test_import_is_light():
    heavy = ('torch', 'cv2', 'mmpose', 'mediapipe', 'mmcv', 'mmdet')
    code = f'import sys, toolkit, toolkit.registry; print([m for m in {heavy} if m in sys.modules])'
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env={'TOOLKIT_DISABLE_PLUGINS': 'all'}, cwd=ROOT)
    assert out.stdout.strip() == '[]', out.stdout + out.stderr
