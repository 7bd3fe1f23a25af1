import json

import pytest

from toolkit.files import write_json
from toolkit.metrics.base import Summary
from toolkit.metrics.report import format_count, format_counts, format_value, table, to_json
from toolkit.structures import InputError


def summary(value=0.5, ci=(0.4, 0.6), **changes):
    fields = {'n_clips': 2, 'n_frames': 8, 'n_samples': 8, 'unit': 'frames', 'better': 'higher', 'definition': 'share of good things',
              'reason': '', 'per_clip': {'a': 0.4, 'b': 0.6}}
    return Summary(value, ci, **{**fields, **changes})


def missing(reason='no weights'):
    return summary(None, None, n_clips=0, n_frames=0, n_samples=0, reason=reason, per_clip={'a': None, 'b': None})


def test_values_and_counts():
    assert format_value(summary()) == '0.5 [0.4, 0.6]'
    assert format_value(summary(ci=None)) == '0.5'
    assert format_value(missing()) == 'n/a'
    assert format_count(summary()) == '2 clips, 8 frames'
    assert format_count(summary(n_clips=1, unit='joints', n_samples=96)) == '1 clip, 8 frames, 96 joints'


def test_models_that_are_measured_on_different_clips_have_counts_of_their_own():
    few = summary(n_clips=1, n_frames=4, n_samples=4, reason='left out 1 of 2 clips: no torso in any frame')
    assert format_counts([summary(), summary()]) == '2 clips, 8 frames' == format_counts([missing(), summary()])
    assert format_counts([summary(), few, missing()]) == '2 clips, 8 frames / 1 clip, 4 frames / -'
    assert format_counts([missing(), missing()]) == '-'
    assert '2 clips, 8 frames / 1 clip, 4 frames' in table({'model': {'x/a': summary()}, 'Other': {'x/a': few}}, 180)


def test_table_is_aligned_and_says_why():
    both = [{'x/a': summary(value), 'lpips/full': missing()} for value in (0.5, 12.3456)]
    text = table({'model': both[0], 'Other': both[1]}, 180)
    lines = text.splitlines()
    assert lines[0].split() == ['metric', 'model', 'Other', 'n', 'definition']
    column = lines[0].index('Other')
    assert lines[2][column:].startswith('12.35 [0.4, 0.6]') and lines[3][column:].startswith('n/a')
    assert lines[2].startswith('x/a ↑') and 'share of good things' in lines[2]
    assert lines[-1] == 'lpips/full n/a: no weights'


def test_long_definitions_are_wrapped_below_their_column():
    text = table({'model': {'x/a': summary(definition='word ' * 40)}}, 120)
    lines = text.splitlines()
    column = lines[0].index('definition')
    assert max(map(len, lines)) <= 120
    assert all(line[:column].strip() == '' and line[column:].startswith('word') for line in lines[3:-1])
    assert sum(line.count('word') for line in lines) == 40


def test_in_a_narrow_terminal_definitions_stand_below():
    lines = table({'model': {'x/a': summary()}}, 80).splitlines()
    assert lines[0].split() == ['metric', 'model', 'n'] and 'share' not in lines[2]
    assert 'x/a  share of good things' in lines


def test_json_round_trip(tmp_path):
    path = tmp_path / 'deep' / 'out.json'
    write_json(path, to_json({'x/a': summary(), 'x/b': missing()}))
    content = json.loads(path.read_text())
    assert content['x/a']['value'] == 0.5 and content['x/a']['ci'] == [0.4, 0.6] and content['x/a']['per_clip'] == {'a': 0.4, 'b': 0.6}
    assert content['x/b']['value'] == 'n/a' and content['x/b']['reason'] == 'no weights'
    assert [f.name for f in path.parent.iterdir()] == ['out.json']


def test_json_refuses_what_is_not_json(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / 'out.json', {'x': float('nan')})
    assert not (tmp_path / 'out.json').exists()


def test_results_that_cannot_be_written_are_one_error(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='r.json: cannot be written'):
        write_json(tmp_path / 'file' / 'r.json', {})
