"""What the texts name is there: files, configs, work dirs, parts, commands and options, in the docs and in docstrings."""

import ast
import re
import runpy
from contextlib import redirect_stdout, suppress
from functools import cache
from io import StringIO
from pathlib import Path
from pkgutil import resolve_name

import pytest

from toolkit.cli import COMMANDS
from toolkit.fields import ADDED
from toolkit.packaged import CONFIGS, config_names
from toolkit.registry import ALL_REGISTRIES

ROOT = Path(__file__).resolve().parent.parent
GUIDES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md')), *sorted((ROOT / 'plugins').glob('*/README.md'))]
CODE = [path for folder in ('configs', 'tools', 'toolkit', 'benchmarks') for path in sorted((ROOT / folder).rglob('*.py'))]
PLACES = (ROOT, ROOT / 'toolkit', ROOT / 'configs')
MADE = set(re.findall(r'^/(\w+)/$', (ROOT / '.gitignore').read_text(), re.M))   # by the demo, say; texts name what is not there yet
FOLDERS = '|'.join({p.name for place in (ROOT, ROOT / 'configs') for p in place.iterdir()
                    if p.is_dir() and p.name.isidentifier() and p.name not in MADE})
NAMES = {path.name for folder in ('configs', 'tools', 'toolkit', 'tests', 'benchmarks') for path in (ROOT / folder).rglob('*.py')}
KINDS = {name for folder in ('toolkit', 'plugins') for path in (ROOT / folder).rglob('*.py')
         for name in re.findall(r'^class (\w+)', path.read_text(), re.M)} | {'IterBasedTrainLoop'}
RUNS = {name.rpartition('/')[2] for name in config_names()} | {'me', 'mine', 'other', 'NAME', 'benchmarks', 'pretrained'}
OF_OTHERS = {
    'setup.py', 'analyze_logs.py', 'inferencer_demo.py', 'demo_inference.py', 'topdown_demo_with_mmdet.py', 'base.py', 'mine.py'}
COMMAND = re.compile(r'(?:python tools/(\w+)\.py|\bhvt (\w[\w-]*))((?:[^\n`#]|\\\n)*)')


def there(path: str, near: Path) -> bool:
    return any(any(place.glob(name)) for place in (*PLACES, near) for name in (path.strip('/'), f'{path}.py') if '..' not in name)


def texts(file: Path) -> list[str]:
    """The text of a guide; the docstrings and comments of code."""
    text = file.read_text()
    if file.suffix == '.md':
        return [text]
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef
    said = [ast.get_docstring(node) or '' for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return said + re.findall(r'# .*', text)


def wrong(text: str, file: Path) -> list[str]:
    """What a text names that is not there."""
    own = set(re.findall(r'as `(\w+\.py)`', text))
    found = [target for target in re.findall(r'\]\((?!http)([^)#]+)[^)]*\)', text) if not (file.parent / target).exists()]
    paths = re.findall(rf'(?<![\w./:*{{-])((?:{FOLDERS})/[\w./*-]*\w)(?!\w*[{{<])', text)
    paths += [path for path in re.findall(r'(?<![\w./:*{-])(\w[\w/*]*/[\w*]+\.py)\b', text) if not path.startswith('my_')]
    found += [path for path in paths if 'NAME' not in path and not there(path, file.parent)]
    found += [name for name in re.findall(r'(?<![\w./*<])([a-z]\w*\.py)\b', text) if name not in NAMES | OF_OTHERS | own]
    found += [f'work_dirs/{name}' for name in re.findall(r'(?<!--work-dir )work_dirs/(\w+)', text) if name not in RUNS]
    found += [name for name in re.findall(r'hvt::([\w/]+)', text) if name not in (*config_names(), 'NAME')]
    if file.parent.name == 'docs' and file.name not in ('keypoints.md', 'openmmlab.md'):
        own_classes = set(re.findall(r'class (\w+)', text))
        found += [name for name in re.findall(r'`(?:\w+\.)?([A-Z]\w*[a-z]\w*)`', text) if name not in KINDS | own_classes]
    for tool, command, rest in COMMAND.findall(text):
        if not tool and command not in COMMANDS:
            found.append(f'hvt {command}')
            continue
        tool = tool or COMMANDS[command]
        if (ROOT / 'tools' / f'{tool}.py').is_file():
            found += [f'{tool} {option}' for option in re.findall(r'(?<!\S)(--[a-z][\w-]*)', rest) if option not in options(tool)]
    return found


@cache
def options(tool: str) -> set[str]:
    """Options of a tool, as its help lists them."""
    with redirect_stdout(StringIO()) as said, suppress(SystemExit):
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'))['main'](['--help'])
    return set(re.findall(r'--[a-z][\w-]*', said.getvalue()))


@pytest.mark.parametrize('file', GUIDES, ids=lambda p: str(p.relative_to(ROOT)))
def test_guides_name_what_is_there(file):
    assert not wrong(file.read_text(), file)


def test_code_names_what_is_there():
    found = {str(file.relative_to(ROOT)): [name for text in texts(file) for name in wrong(text, file)] for file in CODE}
    assert not {file: names for file, names in found.items() if names}


@pytest.mark.parametrize('text, named', [
    ('See `data/clip.py`.', 'data/clip.py'), ('in models/feature_maps.py', 'models/feature_maps.py'),
    ('configs/own_video.py', 'configs/own_video.py'),
    ('[here](../toolkit/data/clip.py)', '../toolkit/data/clip.py'), ('see own_video.py', 'own_video.py'),
    ('a `HiddenLoss`', 'HiddenLoss'),
    ('work_dirs/own_video/iter_1.pth', 'work_dirs/own_video'), ("_base_ = 'hvt::demo/own_video.py'", 'demo/own_video'),
    ('`hvt dance me.mp4`', 'hvt dance'), ('`python tools/train.py x.py --works-dir y`', 'train --works-dir')])
def test_a_wrong_name_would_be_found(text, named):
    assert named in wrong(text, ROOT / 'docs' / 'x.md')
    right = '`toolkit/clips/clip.py`, models/base.py, configs/own/*, hvt::own/video.py, work_dirs/video, `hvt train own/video --amp`'
    assert not wrong(right, ROOT / 'README.md')


BRITISH = re.compile(
    r'colour|centre|behaviour|neighbour|favour|labelled|modell|licence|\bgrey|(?:real|normal|recogn|initial|util|organ|visual)is(?=e|ing|ation)',
    re.I)


def test_spelling_is_american():
    files = [*GUIDES, *CODE, *(ROOT / 'tests').rglob('*.py')]
    found = {str(file.relative_to(ROOT)): set(BRITISH.findall(file.read_text())) for file in files if file != Path(__file__).resolve()}
    assert not {file: words for file, words in found.items() if words}
    assert BRITISH.search('normalise') and not BRITISH.search('normalize a gray center')


def first_line(name: str) -> str:
    """What ``hvt configs`` says of a config."""
    return ast.get_docstring(ast.parse((CONFIGS / f'{name}.py').read_text())).partition('\n')[0]


def riddle(line: str) -> bool:
    """Whether the first line of a config needs another config's to be understood."""
    return bool(re.match(r'(?:The same|As|With|Without)\b|[a-z_]+\.py', line))


def test_first_lines_of_configs_stand_alone():
    lines = {name: first_line(name) for name in config_names()}
    assert not {name: line for name, line in lines.items() if riddle(line) or not line or len(line) > 138}
    assert riddle('The same with skeleton consistency.') and riddle('As actors.py, smaller.') and riddle('actors.py, smaller.')
    assert len(set(lines.values())) == len(lines)


def test_every_part_is_on_its_page():
    text = (ROOT / 'docs' / 'parts.md').read_text()
    named = set(re.findall(r'`(\w+)`', text))
    ours = {name for name, field in ADDED.items() if field.compute and field.compute.__module__.startswith('toolkit.')}
    for registry in ALL_REGISTRIES.values():
        registry.import_from_location()
        ours |= {name for name, part in registry.module_dict.items() if part.__module__.startswith('toolkit.')}
    assert len(ours) > 95 and not ours - named


def unresolved(text):
    """Roles such as ``:class:`toolkit.fields.Field` `` that lead nowhere."""
    for name in re.findall(r':(?:class|func|meth|mod|data|attr):`~?(toolkit\.[\w.]+)`', text):
        try:
            resolve_name(name)
        except (ImportError, AttributeError):
            yield name


def test_docstrings_refer_to_what_is_there():
    found = {str(file.relative_to(ROOT)): set(unresolved(file.read_text())) for file in CODE}
    assert not {file: names for file, names in found.items() if names}
    assert list(unresolved(':class:`toolkit.data.clip.Clip`, :class:`toolkit.clips.clip.Clip`')) == ['toolkit.data.clip.Clip']
