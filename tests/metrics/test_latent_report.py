"""The table of probes."""

import json

from toolkit.metrics.latent_report import PROBES, Column, latent_json, latent_table


def columns():
    return [Column('one', 'up', dict(r2_mu=0.9, r2_other=0.5, moved_other=9.0)),
            Column('two', 'down', dict(r2_mu=0.1, moved_other=9.0)),
            Column('untrained', 'up', dict(r2_mu=0.2), control=True),
            Column('both', 'both', dict(sharpness=float('nan')), dict(pck='no estimator'))]


def test_limits_are_for_what_they_are_said_to_be():
    one, two, untrained, both = columns()
    assert (one.verdict('r2_mu'), one.verdict('r2_other'), one.verdict('moved_other')) == ('ok', 'missed', 'missed')
    assert two.verdict('r2_mu') == 'missed' and two.verdict('moved_other') == '', 'that limit is for the upper code alone'
    assert untrained.verdict('r2_mu') == both.verdict('sharpness') == ''


def test_table():
    lines = {line.split()[0]: line for line in latent_table(columns()).splitlines() if line.strip()}
    assert lines['probe'].split() == ['probe', 'limit', 'one', 'two', 'untrained', 'both']
    assert latent_table(columns()).splitlines()[2].split() == ['r2_mu', '↑', '>=', '0.8', '0.900', '0.100!', '0.200', '-']
    assert '<= 4 (up)' in latent_table(columns()) and 'dcor' not in lines
    assert lines['pck:'] == 'pck: no estimator' and 'n/a' in latent_table(columns())


def test_json_is_json():
    content = json.loads(json.dumps(latent_json(columns()), allow_nan=False))
    assert content['columns'][0]['verdicts'] == dict(r2_mu='ok', r2_other='missed', moved_other='missed')
    assert content['columns'][3]['values']['sharpness'] == 'n/a' and content['columns'][3]['reasons'] == {'pck': 'no estimator'}
    assert set(content['definitions']) == {'r2_mu', 'r2_other', 'moved_other', 'sharpness', 'pck'} <= set(PROBES)
