"""The site of the guides is built without a warning, and all of its links lead somewhere."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from toolkit.registry import PART_REGISTRIES

ROOT = Path(__file__).resolve().parent.parent
MISSING = [name for name in ('mkdocs', 'material', 'mkdocstrings') if find_spec(name) is None]


@pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}: pip install 'human-video-toolkit[docs]', as make docs does")
def test_the_site_is_whole(tmp_path, monkeypatch):
    from mkdocs.commands.build import build
    from mkdocs.config import load_config
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv('NO_MKDOCS_2_WARNING', '1')
    config = load_config(str(ROOT / 'mkdocs.yml'), strict=True, site_dir=str(tmp_path / 'site'))
    config.plugins.on_startup(command='build', dirty=False)
    build(config)
    pages = {page.name: page.read_text() for page in (tmp_path / 'site').glob('*.html')}
    assert {path.stem for path in (ROOT / 'docs').glob('*.md')} | {'index', 'reference', '404'} == {Path(name).stem for name in pages}
    for name, html in pages.items():
        links = re.findall(r'(?:href|src)="([^"#?]+)', html) if name != '404.html' else ['index.html']
        local = [link for link in links if ':' not in link]
        assert local and not [link for link in local if not (tmp_path / 'site' / link).exists()], name
        assert ':::' not in html and 'fonts.' not in html
    kinds = {page.stem: page.read_text() for page in (tmp_path / 'site' / 'kinds').glob('*.html')}
    assert set(kinds) >= {name.lower() for name in PART_REGISTRIES} | {'models', 'datasets', 'metrics', 'hooks'}
    for name, html in kinds.items():
        local = [link for link in re.findall(r'(?:href|src)="([^"#?]+)', html) if ':' not in link]
        assert local and not [link for link in local if not (tmp_path / 'site' / 'kinds' / link).exists()], name
        assert f'<code>{name.upper()}</code>' in html and f'kinds/{name}.html' in pages['plugins.html']
    assert 'optional_inputs' in kinds['losses'] and 'hvt new-plugin loss Mine' in kinds['losses'] and 'KLLoss' in kinds['losses']
    assert 'toolkit.apis.animate' in pages['reference.html'] and ':class:' not in pages['reference.html']
