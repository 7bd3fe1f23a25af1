"""Hooks of MkDocs (``make docs``): pages of the site that are not in this folder, and links to files that are not.

The README is the first page. Each kind of part has a page, made of its contract, of what ``hvt new-plugin`` writes, and of the
docstrings of its parts, so that it cannot be out of date. What a page links to outside of this folder is copied beside the pages, so
that the site is whole.
"""

import inspect
import re
import sys
from functools import cache
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ('toolkit.apis', 'toolkit.structures', 'toolkit.clips.clip', 'toolkit.registry', 'toolkit.inference.request',
             'toolkit.inference.outfits', 'toolkit.video.io')
sys.path.insert(0, str(ROOT))
OUTSIDE = re.compile(r'\]\(\.\./([\w./-]+)(#[\w-]*)?\)')


def pages():
    """Name of a page that is made -> its text."""
    readme = (ROOT / 'README.md').read_text()
    first = re.sub(r'\]\((?!http|#|docs/)', '](../', readme).replace('](docs/', '](')
    return kinds() | {'index.md': first, 'reference.md': '# Reference\n\n' + '\n'.join(f'::: {name}\n' for name in REFERENCE)}


@cache
def kinds():
    """Name of the page of a kind of part -> its text."""
    from toolkit.registry import ALL_REGISTRIES
    found = {}
    for name, registry in ALL_REGISTRIES.items():
        registry.import_from_location()
        parts = {key: part for key, part in sorted(registry.module_dict.items()) if part.__module__.startswith('toolkit.')}
        if parts and name in registry.contract:
            found[f'kinds/{name.lower()}.md'] = kind_page(name, registry.contract, parts)
    return found


def kind_page(name, contract, parts):
    """Contract, beginning and parts of one kind."""
    from toolkit.scaffold import REGISTRIES, TEMPLATES
    text = [f'# {name.replace("_", " ").capitalize()}', marked(contract)]
    for kind, registry in REGISTRIES.items():
        if registry == name:
            code = (TEMPLATES / f'{kind}.py.txt').read_text().replace('CLASS', 'Mine').replace('PACKAGE', 'mine')
            text += ['## Write one', f'`hvt new-plugin {kind} Mine` makes a package with this in it, and tests that pass at once '
                     f'([a part of your own](../plugins.md)):', f'```python\n{code.strip()}\n```']
    text += ['## What there is', f'`hvt parts {name}` prints it, with the parts of the plugins that are installed.']
    for key, part in parts.items():
        about = marked((inspect.getdoc(part) or '').partition('\n\n')[0].replace('\n', ' '))
        text += [f'### {key}', about, *([f'```python\n{call}\n```'] if (call := built_with(key, part)) else [])]
    return '\n\n'.join(text) + '\n'


def built_with(name, part):
    """How a config names a part, with the defaults of its arguments; what has to be given stands as ``...``."""
    from toolkit.signatures import part_parameters
    empty, taken = inspect.Parameter.empty, part_parameters(part) or {}
    given = [f'{key}={"..." if default is empty else repr(default)}' for key, (_, default) in taken.items()]
    line = f"dict(type='{name}'{''.join(f', {one}' for one in given)})"
    return line if len(line) < 120 else f"dict(type='{name}',\n     " + ',\n     '.join(given) + ')'


def marked(text):
    """A docstring as Markdown: references and code between single backticks; formulas stay as they are written."""
    return re.sub(r'(?::\w+:)?`+~?([^`]*)`+', r'`\1`', text)


def on_config(config):
    """Put the pages of kinds into the navigation."""
    section = next(part['Extend'] for part in config.nav if 'Extend' in part)
    section[:] = [page for page in section if not isinstance(page, dict)] + [{'Each kind of part': sorted(kinds())}]
    return config


def on_files(files, config):
    """Add the pages that are made, and copies of what is linked to outside of the folder."""
    made = pages()
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    texts = [*made.values(), *(file.content_string for file in files.documentation_pages() if file.src_uri not in made)]
    for linked in sorted({path for text in texts for path, _ in OUTSIDE.findall(text)}):
        source = ROOT / linked
        if source.is_file() and source.suffix != '.md' and files.get_file_from_path(linked) is None:
            files.append(File.generated(config, linked, content=source.read_bytes()))
    return files


def on_page_markdown(markdown, page, config, files):
    """Point links at the copies; a link to a folder or to a README elsewhere is left as its words."""
    if page.file.src_uri in kinds():  # these are a folder deeper
        return markdown

    def link(found):
        return f']({found[1]})' if files.get_file_from_path(found[1]) else '](#)'

    markdown = OUTSIDE.sub(link, markdown)
    return re.sub(r'\[([^\]]*)\]\(#\)', r'\1', markdown)


def on_page_content(html, page, config, files):
    """Leave out the roles of docstrings, such as ``:class:``, which stand before a name."""
    return re.sub(r':(?:class|func|meth|mod|data|attr):(?=<code>)', '', html)
