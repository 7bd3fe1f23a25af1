"""A plugin of each kind is made, and its own tests pass; names that cannot be are refused."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.scaffold import REGISTRIES, TEMPLATES, USES, new_plugin
from toolkit.structures import InputError

ROOT = Path(__file__).resolve().parent.parent
RUN = '''
import importlib.metadata as m, sys
from pathlib import Path
import pytest
folders = sorted(Path(sys.argv[1]).iterdir())
sys.path[:0] = [str(folder) for folder in folders]
for folder in folders:
    __import__(folder.name)
sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '--import-mode=importlib', *map(str, folders)]))
'''


def test_plugins_of_all_kinds_pass_their_tests_at_once(tmp_path):
    for kind in REGISTRIES:
        folder = new_plugin(kind, f'My{kind.title().replace("_", "")}', tmp_path)
        assert {p.name for p in folder.iterdir()} == {'pyproject.toml', 'README.md', 'tests', folder.name}
        assert not any(word in p.read_text() for p in folder.rglob('*.*') for word in ('CLASS', 'PACKAGE'))
    done = subprocess.run([sys.executable, '-c', RUN, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=500,
                          env=dict(os.environ, PYTHONPATH=str(ROOT), TOOLKIT_DISABLE_PLUGINS='all', OMP_NUM_THREADS='1'))
    assert done.returncode == 0 and ' passed' in done.stdout, done.stdout[-3000:] + done.stderr[-2000:]
    ruff = subprocess.run([sys.executable, '-m', 'ruff', 'check', '-q', '--config', str(ROOT / 'pyproject.toml'), str(tmp_path)],
                          capture_output=True, text=True)
    assert ruff.returncode == 0, ruff.stdout


def test_every_kind_has_its_template():
    assert set(USES) == set(REGISTRIES) == {p.name.split('.')[0] for p in TEMPLATES.glob('*.txt')}


@pytest.mark.parametrize('kind, name, package, cls', [
    ('loss', 'my_loss', 'my_loss', 'MyLoss'), ('pose-estimator', 'RTMPose', 'rtmpose', 'RTMPose'),
    ('loss', 'L2Loss', 'l2_loss', 'L2Loss')])
def test_names(tmp_path, kind, name, package, cls):
    folder = new_plugin(kind, name, tmp_path)
    assert folder == tmp_path / package and f'class {cls}' in next((folder / package).glob('[!_]*.py')).read_text()
    assert f'{package} = "{package}"' in (folder / 'pyproject.toml').read_text()


@pytest.mark.parametrize('kind, name, words', [
    ('los', 'A', "Did you mean 'loss'"), ('loss', '1a', 'cannot be the name'), ('loss', 'class', 'cannot be the name'),
    ('loss', '../x', 'cannot be the name'), ('loss', 'toolkit', 'cannot be the name'),
    ('loss', 'L1Loss', 'the toolkit has a loss L1Loss'), ('loss', 'Torch', 'torch is the name of a package that is there'),
    ('metric', 'statistics', 'there already, which would be hidden'), ('field', 'masks', "the key 'masks' of a sample is taken"),
    ('field', 'Edge', "the key 'content_edge' of a sample is taken"),
    ('field', 'BodyParts', "the key 'body_parts' of a sample is taken")])
def test_what_cannot_be(tmp_path, kind, name, words):
    with pytest.raises(InputError, match=words):
        new_plugin(kind, name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('kind', REGISTRIES)
def test_the_readme_says_what_describes_its_kind(tmp_path, kind):
    readme = (new_plugin(kind, 'MyOwn', tmp_path) / 'README.md').read_text()
    assert f'returns: `hvt parts {REGISTRIES[kind] or "FIELDS"}`' in readme


def test_a_plugin_that_was_cut_off_while_it_was_written_is_finished(tmp_path):
    folder = new_plugin('loss', 'Mine', tmp_path)
    whole = {p.relative_to(folder): p.read_text() for p in folder.rglob('*') if p.is_file()}
    with pytest.raises(InputError, match='holds files already'):
        new_plugin('loss', 'Mine', tmp_path)
    shutil.rmtree(folder / 'tests')
    (folder / 'mine' / 'loss.py').rename(folder / 'mine' / '.loss.py.0.tmp')
    new_plugin('loss', 'Mine', tmp_path)
    assert {p.relative_to(folder): p.read_text() for p in folder.rglob('*') if p.is_file()} == whole
    (folder / 'README.md').unlink()
    (folder / 'mine' / 'loss.py').write_text('mine')
    with pytest.raises(InputError, match='holds files already'):
        new_plugin('loss', 'Mine', tmp_path)
    assert (folder / 'mine' / 'loss.py').read_text() == 'mine' and not (folder / 'README.md').exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine' / 'thesis.txt').write_text('x')
    with pytest.raises(InputError, match='holds files already'):
        new_plugin('loss', 'Mine', tmp_path)
    assert [p.name for p in (tmp_path / 'mine').iterdir()] == ['thesis.txt']
