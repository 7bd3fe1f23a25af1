"""The wheel, installed away from the repository: its command, its tools and its configs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from toolkit.__main__ import main
from toolkit.cli import COMMANDS, spoken
from toolkit.packaged import TOOLS, config_names

ROOT = Path(__file__).resolve().parent.parent
PIP = [sys.executable, '-m', 'pip', '--quiet', '--disable-pip-version-check']
HEAVY = ('torch', 'numpy', 'cv2', 'mmengine')


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    """Made of a copy, so that nothing is left in the repository."""
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('wheel')
    for name in ('setup.py', 'setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, source)
    for name in ('toolkit', 'tools', 'configs'):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    subprocess.run([*PIP, 'wheel', '--no-deps', '--no-index', '--no-build-isolation', '--wheel-dir', out, source], check=True)
    return next(out.glob('*.whl'))


@pytest.fixture(scope='module')
def hvt(wheel, tmp_path_factory):
    """Function that runs the installed command in an empty folder: (exit code, standard output, standard error)."""
    site, empty = tmp_path_factory.mktemp('site'), tmp_path_factory.mktemp('empty')
    subprocess.run([*PIP, 'install', '--no-deps', '--no-index', '--no-compile', '--target', site, wheel], check=True)
    env = dict({k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}, PYTHONPATH=str(site), TOOLKIT_DISABLE_PLUGINS='all')

    def run(*words, start=(site / 'bin' / 'hvt',)):
        done = subprocess.run([sys.executable, *start, *words], cwd=empty, env=env, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    run.site, run.empty = site, empty
    return run


def test_a_wheel_holds_what_the_repository_holds(wheel):
    there = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith('toolkit/')}
    wanted = {path.relative_to(ROOT / 'toolkit').as_posix() for path in (ROOT / 'toolkit').rglob('*')
              if path.is_file() and '__pycache__' not in path.parts}
    wanted |= {path.relative_to(ROOT).as_posix() for room in ('tools', 'configs') for path in (ROOT / room).rglob('*.py')}
    assert there == {f'toolkit/{name}' for name in wanted}


def test_installed_help(hvt):
    code, out, _ = hvt('--help')
    assert code == 0 and all(f'\n  {command} ' in out for command in COMMANDS)


def test_installed_config_by_name(hvt):
    code, out, error = hvt('config', 'stage2_pix2pixhd', '--cfg-options', 'train_cfg.max_iters=7')
    assert code == 0 and 'max_iters=7' in out, error


def test_installed_parts(hvt):
    code, out, error = hvt('parts', 'GENERATORS', 'MODELS')
    assert code == 0 and 'GlobalGenerator' in out and 'VideoPix2PixHD' in out, error


def test_installed_tools_speak_of_the_command(hvt):
    """Also those that are run by their file, as the demo does, and in a folder where others have such names."""
    (hvt.empty / 'configs').mkdir()
    code, out, error = hvt('-c', 'from toolkit.cli import spoken; print(spoken("error: python tools/train.py x"))', start=())
    assert (code, out) == (0, 'error: hvt train x\n'), error
    code, out, error = hvt(hvt.site / 'toolkit' / 'tools' / 'list_configs.py', 'stage2_pix2pixhd', start=())
    assert code == 0 and out.startswith('stage2_pix2pixhd '), error


def run_here(capsys, monkeypatch, *words) -> tuple[int, str, str]:
    """The command in this process."""
    monkeypatch.setattr(sys, 'argv', ['hvt', *words])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, *capsys.readouterr()


def test_every_tool_is_a_command():
    assert sorted(COMMANDS.values()) == sorted(path.stem for path in TOOLS.glob('*.py'))


@pytest.mark.parametrize('command', COMMANDS)
def test_help_of_a_command_speaks_of_the_command(capsys, monkeypatch, command):
    code, out, _ = run_here(capsys, monkeypatch, command, '--help')
    assert code == 0 and out.startswith(f'usage: hvt {command} ') and 'tools/' not in out and 'python ' not in out


def test_help_has_a_line_for_each_command(capsys, monkeypatch):
    code, out, _ = run_here(capsys, monkeypatch, '-h')
    lines = [line for line in out.splitlines() if line.startswith('  ')]
    assert code == 0 and [line.split()[0] for line in lines] == list(COMMANDS) and all(15 < len(line) < 140 for line in lines)
    assert run_here(capsys, monkeypatch) == (2, out, '')


def test_an_unknown_command_names_a_near_one(capsys, monkeypatch):
    code, out, error = run_here(capsys, monkeypatch, 'trian')
    assert code == 2 and not out and error.startswith("error: hvt has no command 'trian'. Did you mean 'train'? It has: prepare, ")


def test_help_loads_nothing_heavy():
    code = ('import sys\nfrom toolkit.__main__ import main\ntry:\n    main(["--help"])\n'
            f'finally:\n    print([m for m in {HEAVY} if m in sys.modules])')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == '[]' and not done.returncode, done.stderr


def test_configs_are_listed_with_what_they_are(capsys, monkeypatch):
    code, out, _ = run_here(capsys, monkeypatch, 'configs')
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == config_names()
    assert all(line.partition(' ')[2].strip() for line in out.splitlines())
    assert {line.split()[0] for line in run_here(capsys, monkeypatch, 'configs', 'ABLATIONS/')[1].splitlines()} == {
        name for name in config_names() if name.startswith('ablations/')}


@pytest.mark.parametrize('command, word, near', [('configs', 'own/vidoe', 'own/video'), ('parts', 'GENERATOSR', 'GENERATORS')])
def test_a_word_that_nothing_has_in_its_name_is_said(capsys, monkeypatch, command, word, near):
    code, out, error = run_here(capsys, monkeypatch, command, word)
    assert code == 2 and not out and f"has {word} in its name. Did you mean '{near}'" in error


def test_parts_say_how_a_field_is_added(capsys, monkeypatch):
    code, out, _ = run_here(capsys, monkeypatch, 'parts', 'FIELDS')
    assert code == 0 and 'Its arguments are named after what it is computed from' in out and 'body_parts  ' in out


def test_the_commands_after_a_new_plugin_hold_in_a_folder_with_a_space(capsys, monkeypatch, tmp_path):
    code, out, _ = run_here(capsys, monkeypatch, 'new-plugin', 'loss', 'MyLoss', '--out', str(tmp_path / 'my stuff'))
    folder = tmp_path / 'my stuff' / 'my_loss'
    assert code == 0 and folder.is_dir() and out.endswith(f"\n    pip install -e '{folder}' && pytest '{folder}'\n")


@pytest.mark.parametrize('written, said', [
    ('python tools/train.py a.py', 'hvt train a.py'), ('made by tools/prepare_data.py', 'made by hvt prepare'),
    ('torchrun --nproc_per_node 2 tools/test.py A', 'torchrun --nproc_per_node 2 -m toolkit test A'),
    ('my_tools/train.py', 'my_tools/train.py'), ('tools/mine.py', 'tools/mine.py'),
])
def test_words_follow_the_way_it_was_started(monkeypatch, written, said):
    monkeypatch.setattr(sys, 'argv', ['hvt train'])
    assert spoken(written) == said
    monkeypatch.setattr(sys, 'argv', ['tools/train.py'])
    assert spoken(written) == written
