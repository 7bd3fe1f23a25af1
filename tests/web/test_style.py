"""What the page looks like, as far as its style sheet says it."""

import re
from pathlib import Path

import pytest

import toolkit

STYLE = (Path(toolkit.__file__).parent / 'web' / 'page.css').read_text()
LIGHT, DARK = (255, 255, 255), (39, 39, 42)
"""Behind the text."""


def rules():
    """selector -> its declarations, later ones last."""
    found = {}
    for selectors, body in re.findall(r'([^{}]+){([^{}]*)}', STYLE):
        for selector in selectors.split(','):
            found.setdefault(selector.strip(), {}).update(dict(re.findall(r'([\w-]+):\s*([^;]+)', body)))
    return found


def luminance(color):
    linear = [c / 12.92 if c <= .04045 else ((c + .055) / 1.055) ** 2.4 for c in (value / 255 for value in color)]
    return .2126 * linear[0] + .7152 * linear[1] + .0722 * linear[2]


@pytest.mark.parametrize('name', ['done', 'failed', 'error', 'stopped', 'warning'])
@pytest.mark.parametrize('dark, behind', [('', LIGHT), ('.dark ', DARK)])
def test_colored_text_can_be_read(name, dark, behind):
    low, high = sorted(map(luminance, (bytes.fromhex(rules()[f'{dark}.hvt-{name}']['color'][1:]), behind)))
    assert (high + .05) / (low + .05) >= 4.5


def test_a_rule_for_the_dark_has_one_selector():
    assert not re.search(r'\.dark [^{}]*,[^{}]*{|,[^{}]*\.dark [^{}]*{', STYLE), 'Gradio rewrites the first selector alone'


def test_two_videos_lie_over_each_other_also_where_the_page_is_narrower_than_they_are():
    narrowed, over = rules()['.hvt-under'], rules()['.hvt-over']
    assert narrowed['max-width'] == '100%' and over['object-fit'] == narrowed.get('object-fit', 'contain')
