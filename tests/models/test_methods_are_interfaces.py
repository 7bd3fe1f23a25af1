"""A method is known by what it offers: nobody outside of its own file asks which class it is."""

import ast
from pathlib import Path

import pytest

from toolkit.models.base import VideoModel
from toolkit.registry import DATASETS, MODELS

ROOT = Path(__file__).resolve().parents[2]
METHODS = {name: part for name, part in MODELS.module_dict.items()
           if issubclass(part, VideoModel) and part.__module__.startswith('toolkit.')}
FILES = [path for folder in ('toolkit', 'tools') for path in sorted((ROOT / folder).rglob('*.py'))]


def classes_asked_for(path):
    """Methods whose names stand in code of a file, other than in texts: classes that are imported, compared or asked for."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.id] if isinstance(node, ast.Name) else [node.attr] if isinstance(node, ast.Attribute) else \
            [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        yield from (name for name in names if name in METHODS)


def home(name):
    return ROOT / Path(*METHODS[name].__module__.split('.')).with_suffix('.py')


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_class_of_a_method_is_named_outside_of_its_file(path):
    assert {name for name in classes_asked_for(path) if home(name) != path} == set()


@pytest.mark.parametrize('path', sorted((ROOT / 'toolkit' / 'engine').glob('*.py')), ids=lambda p: p.name)
def test_the_engine_imports_no_method(path):
    modules = {part.__module__ for part in METHODS.values()}
    tree = ast.walk(ast.parse(path.read_text()))
    assert not {node.module for node in tree if isinstance(node, ast.ImportFrom)} & modules


def kinds_asked_for(path):
    """Names of classes that isinstance or issubclass asks for in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, 'id', '') in ('isinstance', 'issubclass') and len(node.args) == 2:
            yield from (getattr(name, 'id', getattr(name, 'attr', '')) for name in ast.walk(node.args[1]))


def test_nobody_asks_which_data_set_it_is(tmp_path):
    DATASETS.get('ClipWindows')  # imports them all
    ours = {name for name, part in DATASETS.module_dict.items() if part.__module__.startswith('toolkit.')}
    assert {'ClipWindows', 'UnpairedClips', 'DirectedClips', 'MixedClips'} <= ours
    assert not [(str(path), name) for path in FILES for name in kinds_asked_for(path) if name in ours]
    (tmp_path / 'x.py').write_text('asked = isinstance(dataset, (windows.ClipWindows, MixedClips))\n')
    assert {'ClipWindows', 'MixedClips'} <= set(kinds_asked_for(tmp_path / 'x.py'))


def test_a_question_for_a_class_would_be_found(tmp_path):
    assert {'VideoPix2PixHD', 'CycleGAN', 'BicycleGAN', 'FeatureRestoration', 'PoseTraining', 'CopyContent'} <= set(METHODS)
    file = tmp_path / 'x.py'
    file.write_text('from toolkit.models.cycle_gan import CycleGAN\nasked = isinstance(model, models.VideoPix2PixHD)\n')
    assert sorted(classes_asked_for(file)) == ['CycleGAN', 'VideoPix2PixHD']
