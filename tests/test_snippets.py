"""Snippets of the guides are what they say. Those of docs/python.md and docs/plugins.md run in other tests, which are named here."""

import re
from pathlib import Path

from toolkit.benchmark.spec import read_spec
from toolkit.engine.launch import load_config

ROOT = Path(__file__).resolve().parent.parent
OF_OTHER_TESTS = {
    'test_python_page.py': 'docs/python.md', 'test_docs.py': 'docs/plugins.md'}
NAMED = ('CharbonnierLoss', 'PersonCharbonnierLoss', 'PlainGenerator', 'NpzWindows', 'MyPose', 'PlainPix2Pix', 'depth')
"""Parts of docs/plugins.md that tests train, test or prepare with."""


def snippets(guide):
    return re.findall(r'```python\n(.*?)```', (ROOT / guide).read_text(), re.S)


def test_the_ablation_of_the_readme_is_the_config():
    code, = snippets('README.md')
    assert code == (ROOT / 'configs' / 'ablations' / 'stage2_no_fm.py').read_text()


def test_the_benchmark_of_the_guide_is_read(tmp_path):
    code, = snippets('docs/benchmark.md')
    (tmp_path / 'mine.py').write_text(code)
    spec = read_spec(tmp_path / 'mine.py')
    assert [row.name for row in spec.rows] == ['ours', 'fine-tuned', 'nearest frame'] and set(spec.clips) == {'squats', 'arms'}


def test_the_config_that_starts_from_other_networks_is_taken(tmp_path):
    code, = snippets('docs/weights.md')
    (tmp_path / 'mine.py').write_text(code)
    assert set(load_config(tmp_path / 'mine.py').networks_from) == {'net_g', 'net_d'}


def test_every_snippet_belongs_to_a_test():
    guides = [path for place in ('README.md', 'docs/*.md', 'plugins/*/README.md') for path in ROOT.glob(place)
              if '```python' in path.read_text()]
    assert {str(path.relative_to(ROOT)) for path in guides} == {
        'README.md', 'docs/benchmark.md', 'docs/weights.md', *OF_OTHER_TESTS.values()}
    for test, guide in OF_OTHER_TESTS.items():
        assert guide.removeprefix('docs/') in (ROOT / 'tests' / test).read_text()
    unnamed = [code for code in snippets('docs/plugins.md') if not any(re.search(rf'\b{name}\b', code) for name in NAMED)]
    assert len(unnamed) == 1 and 'class MyModel' in unnamed[0], 'a piece of a class, which shows where a declaration goes'
