"""Hooks of MkDocs (``make docs``): pages of the site that are not in this folder, and links to files that are not.

The README is the first page. What a page links to outside of this folder is copied beside the pages, so that the site is whole.
"""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ('toolkit.apis', 'toolkit.structures', 'toolkit.clips.clip', 'toolkit.registry', 'toolkit.inference.request',
             'toolkit.inference.outfits', 'toolkit.video.io')
OUTSIDE = re.compile(r'\]\(\.\./([\w./-]+)(#[\w-]*)?\)')


def pages():
    """Name of a page that is made -> its text."""
    readme = (ROOT / 'README.md').read_text()
    first = re.sub(r'\]\((?!http|#|docs/)', '](../', readme).replace('](docs/', '](')
    return {'index.md': first, 'reference.md': '# Reference\n\n' + '\n'.join(f'::: {name}\n' for name in REFERENCE)}


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
    def link(found):
        return f']({found[1]})' if files.get_file_from_path(found[1]) else '](#)'

    markdown = OUTSIDE.sub(link, markdown)
    return re.sub(r'\[([^\]]*)\]\(#\)', r'\1', markdown)


def on_page_content(html, page, config, files):
    """Leave out the roles of docstrings, such as ``:class:``, which stand before a name."""
    return re.sub(r':(?:class|func|meth|mod|data|attr):(?=<code>)', '', html)
