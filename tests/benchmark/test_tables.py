"""Tables: means, intervals and paired differences against closed forms and SciPy."""

import json

import numpy as np
import pytest
import scipy.stats

from toolkit.benchmark.plan import units_of
from toolkit.benchmark.sheet import _titled, write_plot
from toolkit.benchmark.spec import Budget, ClipSpec, Row, Spec
from toolkit.benchmark.tables import Table, differences
from toolkit.metrics.latent_report import PROBES
from toolkit.metrics.statistics import bootstrap_ci


def test_the_interval_is_that_of_scipy():
    values = np.random.default_rng(0).gamma(2, 1, 30)
    theirs = scipy.stats.bootstrap((values,), np.mean, n_resamples=20_000, method='percentile', rng=np.random.default_rng(1))
    assert bootstrap_ci(values) == pytest.approx(tuple(theirs.confidence_interval), abs=0.03)


def test_the_paired_interval_of_two_clips_is_their_differences():
    """Of two clips a resample has the mean a, b or their middle, with chances of 1/4, 1/4 and 1/2: the 2.5 % ends are a and b."""
    mean, interval, count = differences(dict(x=3.0, y=5.0, only=9.0), dict(x=1.0, y=4.0))
    assert (mean, count) == (1.5, 2)
    assert interval == (1.0, 2.0)


def test_the_paired_interval_of_many_clips_is_the_normal_one():
    rng = np.random.default_rng(2)
    base = {str(i): value for i, value in enumerate(rng.normal(0, 100, 400))}
    other = {clip: value - rng.normal(0.5, 1) for clip, value in base.items()}
    mean, interval, _ = differences(base, other)
    deviation = np.std([base[c] - other[c] for c in base], ddof=1) / 20
    assert interval == pytest.approx((mean - 1.96 * deviation, mean + 1.96 * deviation), abs=0.02)
    assert interval[1] - interval[0] < 1, 'clips differ by 100, rows by .5: pairs take out what clips share'


def test_a_constant_difference_is_certain():
    assert differences(dict(a=2.0, b=7.0, c=1.0), dict(a=1.0, b=6.0, c=0.0)) == (1.0, (1.0, 1.0), 3)
    assert differences(dict(a=2.0), dict(b=1.0)) is None
    assert differences(dict(a=2.0), dict(a=1.0)) == (1.0, None, 1)


def made(budgets, values, seeds=(0, 1), untrained=True):
    """A table of two trained rows and an untrained one on clips 'one' and 'two'; values(row, budget, clip, seed)."""
    rows = [Row(name, 'own/video', budgets=budgets) for name in ('ours', 'theirs')]
    rows += [Row('pasted', 'own/video', untrained='PasteParts', budgets=[])] if untrained else []
    spec = Spec(rows=rows, clips=dict(one=ClipSpec(), two=ClipSpec()), seeds=seeds, columns=['psnr/*'])
    units, results = units_of(spec), {}
    for unit in units:
        points = []
        for label in unit.labels:
            value = values(label, unit.clip, unit.seed)
            points.append(dict(
                label=label, iteration=3, seconds=2.0, memory=2**20, cost=dict(parameters=2_000_000, gmacs=1.0, ms=5.0, memory=2**21),
                metrics={'psnr/full': dict(value=value, per_clip={'a': value, 'b': value + 1}, better='higher', definition='PSNR',
                                           reason='', unit='frames')}))
        results[unit.name] = dict(points=points, total_seconds=4.0, host='here', device='CPU', error='')
    return Table(spec, units, results), units, results, spec


def test_values_are_means_over_seeds_then_clips_and_differences_are_of_the_same_budget():
    both = [Budget(iterations=[1, 2]), Budget(minutes=1)]

    def values(label, clip, seed):
        return 10 * ('ours' in label) + 2.0 * seed + 4 * (clip == 'two') + ('2 iterations' in label) + 5 * ('min' in label)

    table, *_ = made(both, values)
    assert table.labels == ['ours, 1 iteration', 'ours, 2 iterations', 'ours, 1 min', 'theirs, 1 iteration', 'theirs, 2 iterations',
                            'theirs, 1 min', 'pasted']
    entry = table.entry('theirs, 2 iterations', 'psnr/full')
    assert entry['value'] == 1 + 1 + 2 + 0.5 and entry['clips'] == 4
    assert entry['per_clip'] == {'one/a': 2.0, 'one/b': 3.0, 'two/a': 6.0, 'two/b': 7.0}
    assert entry['seeds'] == {0: 3.5, 1: 5.5} and entry['seeds_deviation'] == pytest.approx(2**0.5)
    assert (entry['difference'], entry['difference_ci'], entry['reference']) == (-10.0, (-10.0, -10.0), 'ours, 2 iterations')
    assert table.entry('theirs, 1 min', 'psnr/full')['reference'] == 'ours, 1 min'
    assert table.reference['pasted'] == 'ours, 1 min' and 'difference' not in table.entry('ours, 1 min', 'psnr/full')


def test_differences_are_over_the_seeds_that_both_have():
    """Seeds differ by 100 here: a row with one of them says nothing beside the mean over all. Pasted parts have one result for all."""
    values = dict(ours=5.0, theirs=3.0, pasted=1.0)

    def value(label, clip, seed):
        return values[label.split(',')[0]] + 100 * seed * (label != 'pasted')

    table, units, results, spec = made([Budget(iterations=2)], value, seeds=(0, 1, 2))
    for unit in units:
        if unit.row == 'theirs' and (unit.seed != 1 or unit.clip == 'two'):
            del results[unit.name]
    table = Table(spec, units, results)
    entry = table.entry('theirs, 2 iterations', 'psnr/full')
    assert (entry['difference'], entry['difference_clips'], entry['seeds']) == (-2.0, 2, {1: 103.5})
    assert table.entry('pasted', 'psnr/full')['difference'] == 1.0 - 105.0
    for unit in units:
        if unit.row == 'ours' and unit.seed == 1:
            del results[unit.name]
    assert 'difference' not in Table(spec, units, results).entry('theirs, 2 iterations', 'psnr/full')


def test_what_is_written_says_all(tmp_path):
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: float('ours' in label))
    failed = units[0]
    results[failed.name] = dict(error='CUDA out of memory | really', time=0, host='here', device='CPU')
    del results[units[1].name]
    table = Table(spec, units, results)
    table.write(tmp_path)
    text, content = (tmp_path / 'table.md').read_text(), json.loads((tmp_path / 'table.json').read_text())
    assert f'{failed.row} on {failed.clip}, seed {failed.seed}: CUDA out of memory' in text
    assert f'{len(units) - 2} of {len(units)} units are done and 1 failed, so this is not all' in text
    assert (content['about']['done'], content['about']['failed']) == (len(units) - 2, 1)
    assert content['errors'] == table.errors and content['about']['units'] == len(units)
    assert content['rows'][0]['costs'] == dict(
        iteration=3, seconds=2, parameters=2, gmacs=1, ms=5, cost_memory=2, total_seconds=4, memory=1)
    head, *lines = (tmp_path / 'table.csv').read_text().splitlines()
    assert len(lines) == 3 and all(line.count(',') >= head.count(',') for line in lines)
    assert '| pasted |' in text and '**0.500** [0.000, 1.000]' in text


def test_a_row_without_a_number_is_not_available():
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 1.0)
    for unit in units:
        if unit.row == 'theirs':
            metric = results[unit.name]['points'][0]['metrics']['psnr/full']
            metric.update(value='n/a', per_clip=dict.fromkeys(metric['per_clip']), reason='no pose was found')
    table = Table(spec, units, results)
    assert table.entry('theirs, 2 iterations', 'psnr/full') is None
    assert 'no pose was found' in table.as_markdown() and '| n/a |' in table.as_markdown()


def test_means_over_fewer_clips_are_never_the_best():
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 5.0 - ('ours' in label) - 3 * (clip == 'two'))
    for unit in units:
        if (unit.row, unit.clip) == ('theirs', 'two'):
            del results[unit.name]
    text = Table(spec, units, results).as_markdown()
    assert '| theirs, 2 iterations | 2 | 5.500 [' in text and '| pasted | 4 | **4.000** [' in text


def test_means_over_other_clips_are_never_the_best():
    """'theirs' has as many clips as the others, but one of them is another one, and an easy one."""
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 5.0 - ('ours' in label))
    for unit in units:
        if (unit.row, unit.clip) == ('theirs', 'two'):
            metric = results[unit.name]['points'][0]['metrics']['psnr/full']
            metric['per_clip'] = {'c': 99.0, 'd': 99.0}
    text = Table(spec, units, results).as_markdown()
    assert '| theirs, 2 iterations | 4 | 52.2 [' in text and '| pasted | 4 | **5.500** [' in text


def test_a_number_of_fewer_clips_than_its_row_says_so():
    """In one clip of 'theirs' nobody was found: its mean, and its difference to 'ours', are over three clips, and not those of four."""
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 5.0 - ('ours' in label))
    for unit in units:
        metrics = results[unit.name]['points'][0]['metrics']
        metrics['psnr/crop'] = dict(metrics['psnr/full'], per_clip=dict(metrics['psnr/full']['per_clip']))
        if (unit.row, unit.clip) == ('theirs', 'two'):
            metrics['psnr/crop']['per_clip']['b'] = None
    lines = Table(spec, units, results).as_markdown().splitlines()
    assert '| theirs, 2 iterations | 4 | **5.500** [5.000, 6.000] | 5.333 [5.000, 6.000] of 3 clips |' in lines
    assert '| theirs, 2 iterations | ours, 2 iterations | +1.0000 [+1.0000, +1.0000] | +1.0000 [+1.0000, +1.0000] |' in lines
    for unit in units:
        if (unit.row, unit.clip) == ('ours', 'one'):
            results[unit.name]['points'][0]['metrics']['psnr/crop']['per_clip']['a'] = None
    lines = Table(spec, units, results).as_markdown().splitlines()
    assert any(line.startswith('| theirs, 2 iterations | ours') and line.endswith('+1.0000 [+1.0000, +1.0000] of 2 clips |')
               for line in lines)


@pytest.mark.parametrize('other', [[12, 192, 128], [13, 384, 256]])
def test_rows_that_were_tested_on_other_frames_are_told(other):
    table, units, results, spec = made([Budget(iterations=[1, 2])], lambda label, clip, seed: 1.0)
    for unit in units:
        for point in results[unit.name]['points']:
            point['tested'] = dict(a=other if (unit.row, unit.clip) == ('pasted', 'two') else [13, 192, 128])
    assert Table(spec, units, results).errors == [
        'pasted on two: tested on {} frames of {}x{}, but ours on 13 frames of 192x128: their numbers do not compare'.format(*other)]


def test_seeds_are_compared_on_the_clips_that_all_have():
    """Clips differ by 100 here: seed 1, which has one of them alone, is not 50 away from seed 0."""
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 2.0 * seed + 100 * (clip == 'two'))
    for unit in units:
        if (unit.row, unit.clip, unit.seed) == ('theirs', 'two', 1):
            del results[unit.name]
    entry = Table(spec, units, results).entry('theirs, 2 iterations', 'psnr/full')
    assert entry['seeds'] == {0: 0.5, 1: 2.5} and entry['seeds_deviation'] == pytest.approx(2**0.5)
    for unit in units:
        if (unit.row, unit.clip, unit.seed) == ('theirs', 'one', 0):
            del results[unit.name]
    table = Table(spec, units, results)
    entry = table.entry('theirs, 2 iterations', 'psnr/full')
    assert entry['seeds'] == {} and entry['seeds_deviation'] is None and entry['clips'] == 4
    assert '| theirs, 2 iterations | n/a |' not in table.as_markdown(), 'no line of seeds that nothing is known of'


def test_probes_of_colors_have_the_meaning_of_their_report():
    _, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 1.0)
    for unit in units:
        ours = unit.row == 'ours'
        results[unit.name]['points'][0]['colors'] = {'resp/up': 0.9 if ours else 0.5, 'moved_other/up': 1.0 if ours else 3.0}
    spec.columns = ['colors/*']
    table = Table(spec, units, results)
    assert [table.about[f'colors/{key}']['better'] for key in ('resp/up', 'moved_other/up')] == ['higher', 'lower']
    assert '| ours, 2 iterations | 4 | **0.900** [0.900, 0.900] | **1.000** [1.000, 1.000] |' in table.as_markdown()
    assert f'- `colors/resp/up`: {PROBES["resp"].text}' in table.as_markdown()


def redefined(results, unit, definition, **more):
    results[unit.name]['points'][0]['metrics']['psnr/full'].update(definition=definition, **more)


def test_numbers_of_another_definition_have_a_column_of_their_own():
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 1.0)
    for unit in units:
        redefined(results, unit, f'joints found by {"Small (a1)" if unit.row == "theirs" else "Large (b2)"} in frames')
    table = Table(spec, units, results)
    assert table.columns() == ['psnr/full', 'psnr/full: Small (a1)']
    assert table.entry('theirs, 2 iterations', 'psnr/full') is None
    assert 'difference' not in table.entry('theirs, 2 iterations', 'psnr/full: Small (a1)')
    assert table.entry('pasted', 'psnr/full')['difference'] == 0
    assert '- `psnr/full: Small (a1)`: joints found by Small (a1) in frames' in table.as_markdown()


def test_a_definition_without_a_number_makes_no_column():
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 1.0)
    for unit in units:
        none = dict(value='n/a', per_clip={'a': None}, reason='no weights')
        redefined(results, unit, 'of Large' if unit.row != 'ours' else 'of an estimator', **(none if unit.row == 'ours' else {}))
    table = Table(spec, units, results)
    assert table.columns() == ['psnr/full'] and table.about['psnr/full']['definition'] == 'of Large'
    assert table.about['psnr/full']['reasons'] == ['no weights'] and table.entry('pasted', 'psnr/full')['value'] == 1.5


def test_a_number_of_all_clips_together_is_kept():
    """FID has a value, and none for a single clip."""
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 3.0 + ('ours' in label))
    for unit in units:
        metric = results[unit.name]['points'][0]['metrics']['psnr/full']
        metric['per_clip'] = dict.fromkeys(metric['per_clip'])
    entry = Table(spec, units, results).entry('theirs, 2 iterations', 'psnr/full')
    assert entry['per_clip'] == dict(one=3.0, two=3.0) and entry['difference'] == -1.0


def test_names_of_metrics_that_nobody_measures_are_told_when_all_is_there():
    table, units, results, spec = made([Budget(iterations=2)], lambda label, clip, seed: 1.0)
    assert table.errors == []
    spec.columns, spec.plot = ['psnr/ful', 'psnr/*'], ['lpps/*']
    errors = Table(spec, units, results).errors
    assert [error.partition(' names')[0] for error in errors] == [
        "columns: no metric was measured that 'psnr/ful'", "plot: no metric was measured that 'lpps/*'"]
    del results[units[0].name]
    assert Table(spec, units, results).errors == []


def test_a_row_whose_name_goes_on_after_that_of_another_one_does_not_share_its_errors():
    budgets = [Budget(iterations=2)]
    _, _, others, _ = made(budgets, lambda label, clip, seed: 1.0)
    spec = Spec(rows=[Row(name, 'own/video', budgets=budgets) for name in ('ours', 'ours, wide', 'theirs')],
                clips=dict(one=ClipSpec()), columns=['psnr/*'])
    units = {unit.row: unit for unit in units_of(spec)}
    point = dict(next(iter(others.values()))['points'][0], label='theirs, 2 iterations')
    results = {units['ours'].name: dict(error='out of memory'), units['theirs'].name: dict(points=[point], total_seconds=1.0)}
    text = Table(spec, list(units.values()), results).as_markdown()
    assert '| ours, 2 iterations | 0 | failed |' in text and '| ours, wide, 2 iterations | 0 | not run |' in text


@pytest.mark.parametrize('theirs, scale', [(49.0, 'linear'), (51.0, 'log'), (-0.5, 'linear')])
def test_a_plot_has_a_scale_on_which_good_rows_differ_and_a_legend_of_all(tmp_path, monkeypatch, theirs, scale):
    """Logarithmic where values differ by more than five times, which zeros cannot be."""
    pytest.importorskip('matplotlib')
    from matplotlib import pyplot
    table, *_ = made([Budget(minutes=1)], lambda label, clip, seed: theirs if label.startswith('theirs') else 9.5)
    table.spec.plot = ['psnr/full']
    del table.costs['pasted']['seconds']
    figures = []
    monkeypatch.setattr(pyplot, 'close', figures.append)
    write_plot(tmp_path, table)
    axis, = figures[0].axes
    assert axis.get_yscale() == scale and axis.get_xscale() == 'log'
    assert [text.get_text() for text in figures[0].legends[0].get_texts()] == ['ours', 'theirs']
    assert [text.get_text() for text in axis.texts] == ['pasted']


def test_a_title_that_is_wider_than_its_frames_is_whole():
    """Four frames of 64 pixels cut off \"skeleton consistency, paper's losses, 1,300 iterations\"."""
    title = "skeleton consistency, paper's losses, 1,300 iterations"
    narrow, wide = (_titled(title, np.zeros((count, 32, 64, 3), np.uint8)) for count in (4, 20))
    assert narrow.shape[1] > 4 * 66 and (narrow[22:, 4 * 66:] == 255).all()
    inked = (wide[:22] < 128).any((0, 2)).nonzero()[0]
    assert inked[-1] < narrow.shape[1] and (narrow[:22] == wide[:22, :narrow.shape[1]]).all()
