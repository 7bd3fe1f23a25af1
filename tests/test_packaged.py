"""Configs of the toolkit by name: on the command line, as a base, and what is said of a name that is not there."""

from pathlib import Path

import pytest

from toolkit.engine.config import load_config
from toolkit.packaged import CONFIGS, config_names, find_config
from toolkit.structures import InputError

STAGE_2 = CONFIGS / 'stage2_pix2pixhd.py'
NESTED = CONFIGS / 'ablations' / 'stage2_no_fm.py'


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Start from an empty folder."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('name, file', [
    ('stage2_pix2pixhd', STAGE_2), ('stage2_pix2pixhd.py', STAGE_2), ('configs/stage2_pix2pixhd.py', STAGE_2),
    ('hvt::stage2_pix2pixhd.py', STAGE_2), ('hvt::stage2_pix2pixhd', STAGE_2), ('ablations/stage2_no_fm', NESTED),
    (str(STAGE_2), STAGE_2), (STAGE_2.with_suffix(''), STAGE_2),
])
def test_names_from_anywhere(name, file):
    assert find_config(name) == file


def test_a_file_of_the_user_comes_first():
    Path('stage2_pix2pixhd.py').write_text('')
    for name in ('stage2_pix2pixhd', 'stage2_pix2pixhd.py'):
        assert find_config(name) == Path('stage2_pix2pixhd.py'), name
    assert find_config('hvt::stage2_pix2pixhd') == STAGE_2


@pytest.mark.parametrize('name, hint', [
    ('stage2_pix2pixh', "Did you mean 'stage2_pix2pixhd'"), ('stage2_no_fm.py', "Did you mean 'ablations/stage2_no_fm'"),
    ('configs/stage2_no_fm.py', "Did you mean 'ablations/stage2_no_fm'"),
    ('hvt::stage2_no_fm', "Did you mean 'ablations/stage2_no_fm'"),
    ('xyz', 'tools/list_configs.py shows'), ('', 'does not exist'), ('..', 'does not exist'), ('../setup', 'does not exist'),
    ('hvt::../setup', 'does not exist'), ('ablations', 'does not exist'), ('hvt::', 'does not exist'),
])
def test_what_is_not_there(name, hint):
    with pytest.raises(InputError, match=hint):
        find_config(name)


def test_a_file_beside_is_named_first():
    Path('mine.py').write_text('')
    with pytest.raises(InputError, match="mien.py does not exist. Did you mean 'mine.py'"):
        find_config('mien.py')


def test_names_are_those_that_can_be_trained():
    names = config_names()
    assert {'stage2_pix2pixhd', 'ablations/stage2_no_fm'} <= set(names)
    assert not any(name.startswith('_') or name.endswith('.py') for name in names)


@pytest.mark.parametrize('base', ["'hvt::stage2_pix2pixhd.py'", "['hvt::stage2_pix2pixhd']"])
def test_a_config_of_the_toolkit_is_a_base(base):
    Path('mine.py').write_text(f'_base_ = {base}\nmodel = dict(losses=dict(fm=dict(weight=0.0)))\n')
    Path('child.py').write_text("_base_ = 'mine.py'\n")
    mine, parent = load_config('child'), load_config(NESTED)
    assert mine.to_dict() == parent.to_dict()


def test_bases_of_the_toolkit_bring_their_imports():
    Path('modules_of_mine.py').write_text('')
    Path('mine.py').write_text("_base_ = 'hvt::stage2_pix2pixhd.py'\ncustom_imports = ['modules_of_mine']\n")
    assert load_config('mine.py').custom_imports.imports == ['modules_of_mine']


def test_a_wrong_base_names_the_file_and_near_names():
    Path('mine.py').write_text("_base_ = 'hvt::stage2_pix2pix.py'\n")
    with pytest.raises(InputError, match="config mine.py: its _base_: config hvt::stage2_pix2pix.py.*Did you mean 'stage2_pix2pixhd'"):
        load_config('mine')


def test_what_a_config_builds_on_is_found_from_anywhere():
    needs = load_config('stage2_colors').needs
    assert all(Path(need.config).is_file() for need in needs.values())


def test_models_of_the_index_are_there_and_are_those_that_were_measured(monkeypatch):
    from hashlib import sha256

    from toolkit.packaged import INDEX, find_packaged, model_index
    from toolkit.weights import checkpoint_file, read_checkpoint
    for name, model in model_index().items():
        file = INDEX.with_name(model['Weights'])
        found = sha256(file.read_bytes()).hexdigest()
        assert model['SHA256'] == found, f'{file.name} was replaced: write SHA256: {found} and what it reaches into {INDEX.name}'
        assert checkpoint_file(name) == file and find_config(model['Config']).is_file() and model['License']
        measured = (file.parent / 'README.md').read_text()
        for value in (v for result in model['Results'] for v in result['Metrics'].values()):
            assert str(value).removeprefix('0') in measured, f'{value} stands in the index alone'
        assert read_checkpoint(name)['meta']['config']['model']
    assert {p.name for p in INDEX.parent.glob('*.safetensors')} == {model['Weights'] for model in model_index().values()}
    Path('textured').mkdir()
    assert find_packaged('textured') == Path('textured'), 'a file or folder of the user comes first'
