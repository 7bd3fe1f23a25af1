"""What docs/troubleshooting.md quotes is said by the code."""

import ast
import re
from pathlib import Path

from toolkit.preparing.parts import WEIGHTLESS_HINT

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / 'docs' / 'troubleshooting.md').read_text()


def said():
    """All texts of the code, what is put into them left out."""
    for folder in ('toolkit', 'tools'):
        for file in sorted((ROOT / folder).rglob('*.py')):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.JoinedStr):
                    yield ''.join(part.value if isinstance(part, ast.Constant) else '...' for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
    yield (ROOT / 'toolkit' / 'web' / 'page.js').read_text()


def test_symptoms_are_messages_of_the_code():
    rows = re.findall(r'^\| (?!what you see|---)([^|]+) \|', PAGE, re.M)
    quoted = [re.match(r'(?:warning )?`([^`]+)`', row)[1] for row in rows if re.match(r'(?:warning )?`', row)]
    texts = list(said())
    unknown = [quote for quote in quoted if not any(
        re.search('.*'.join(map(re.escape, quote.split('...'))), text, re.S) for text in texts)]
    assert len(rows) > 25 and len(quoted) > 18 and not unknown


def test_the_way_to_mediapipe_and_around_it_is_said_alike():
    readme = (ROOT / 'plugins' / 'mediapipe_human' / 'README.md').read_text()
    install, = re.findall(r'```bash\n(pip .*?)\n```', readme, re.S)
    assert ' && '.join(install.splitlines()) in WEIGHTLESS_HINT
    around = 'me.mp4 --out data/mine --pose RTMLibPose download=True'
    assert around in WEIGHTLESS_HINT and f'hvt prepare {around}' in PAGE and '#without-mediapipe' in (ROOT / 'README.md').read_text()
