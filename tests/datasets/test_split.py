import json
import random
from types import SimpleNamespace

import pytest

from toolkit.datasets.split import split_by_file, split_clips
from toolkit.engine.launch import load_config
from toolkit.structures import InputError


def clips(persons=13, actions=16):
    return [SimpleNamespace(name=f'{p}_{a}', key=f'{p}_{a}', person=f'p{p}', action=f'a{a}')
            for p in range(persons) for a in range(actions)]


def names(half):
    return {clip.name for clip in half}


def test_paper_a_has_10_and_6_actions_of_each_person():
    halves = split_clips(clips())
    for half, count in (('train', 10), ('test', 6)):
        for person in range(13):
            assert sum(c.person == f'p{person}' for c in halves[half]) == count
    assert not names(halves['train']) & names(halves['test'])


@pytest.mark.parametrize('config', ['own/video_colors', 'own/video_colors_up', 'own/video_colors_down', 'own/transfer'])
@pytest.mark.parametrize('count, held_out', [(2, 1), (8, 2), (40, 10)])
def test_of_clips_of_ones_own_a_quarter_is_held_out_however_many_there_are(config, count, held_out):
    dataset = load_config(config).train_dataloader.dataset
    rule = (dataset.get('a') or dataset).split_rule
    halves = split_clips(clips(persons=1, actions=count), **rule)
    assert (len(halves['train']), len(halves['test'])) == (count - held_out, held_out)


def test_persons_get_different_actions_and_seeds_matter():
    halves = split_clips(clips())
    chosen = [frozenset(c.action for c in halves['train'] if c.person == f'p{p}') for p in range(13)]
    assert len(set(chosen)) > 8
    assert names(split_clips(clips(), seed=1)['train']) != names(halves['train'])


def test_it_does_not_depend_on_order_or_on_other_persons():
    halves = split_clips(clips())
    shuffled = clips()
    random.Random(0).shuffle(shuffled)
    assert names(split_clips(shuffled)['train']) == names(halves['train'])
    assert names(split_clips(clips(persons=2))['train']) == {n for n in names(halves['train']) if n.split('_')[0] in ('0', '1')}


def test_the_division_is_fixed_for_all_times():
    assert sorted(names(split_clips(clips(1, 16))['test'])) == ['0_0', '0_1', '0_2', '0_3', '0_6', '0_9']


@pytest.mark.parametrize('actions, train', [(1, 1), (2, 1), (3, 2), (8, 5), (11, 7), (16, 10), (30, 10)])
def test_fewer_and_more_actions(actions, train):
    halves = split_clips(clips(1, actions))
    assert (len(halves['train']), len(halves['test'])) == (train, actions - train)


def test_takes_of_one_action_stay_together():
    twice = clips(4, 8) + [SimpleNamespace(name=c.name + '_b', person=c.person, action=c.action) for c in clips(4, 8)]
    halves = split_clips(twice)
    assert {n + '_b' for n in names(halves['train']) if not n.endswith('b')} == {n for n in names(halves['train']) if n.endswith('b')}


def test_explicit_actions_and_lists(tmp_path):
    assert names(split_clips(clips(2, 3), test_actions=['a1'])['test']) == {'0_1', '1_1'}
    with pytest.raises(InputError, match=r"\['a9'\] are in no clip"):
        split_clips(clips(2, 3), test_actions=['a9'])
    file = tmp_path / 'split.json'
    file.write_text(json.dumps(dict(train=['0_0'], test=['1_2', '0_1'])))
    halves = split_by_file(clips(2, 3), file)
    assert [c.name for c in halves['test']] == ['1_2', '0_1'] and names(halves['train']) == {'0_0'}
    for content, message in ((dict(train=['0_0'], test=['7_7']), 'no clips named 7_7'), (dict(train=[]), 'expected'),
                             (dict(train=['0_0'], test=['0_0']), 'both halves'),
                             (dict(train=['0_0', '0_1', '0_0'], test=[]), 'train names 0_0 more than once'),
                             (dict(train='0_0', test=[]), "train must be a list of clip names in quotes, got '0_0'"),
                             (dict(train=[], test=None), 'test must be a list of clip names in quotes, got None'),
                             (dict(train=[], test=[1]), r'test must be a list of clip names in quotes, got \[1\]')):
        file.write_text(json.dumps(content))
        with pytest.raises(InputError, match=message):
            split_by_file(clips(2, 3), file)


def test_clips_of_one_name_are_told_apart_by_their_folders(tmp_path):
    twins = [SimpleNamespace(name='kick', key=f'{folder}/kick', person=folder, action='kick') for folder in ('ann', 'bob')]
    file = tmp_path / 'split.json'
    file.write_text(json.dumps(dict(train=['ann/kick'], test=['bob/kick'])))
    assert split_by_file(twins, file) == dict(train=twins[:1], test=twins[1:])
    file.write_text(json.dumps(dict(train=['kick'], test=[])))
    with pytest.raises(InputError, match='several clips are called kick; name each by its folder: ann/kick, bob/kick'):
        split_by_file(twins, file)


def test_a_clip_is_not_named_by_its_name_and_its_folder(tmp_path):
    one = [SimpleNamespace(name='kick', key='ann/kick', person='ann', action='kick')]
    file = tmp_path / 'split.json'
    file.write_text(json.dumps(dict(train=['kick', 'ann/kick'], test=[])))
    with pytest.raises(InputError, match='train names ann/kick more than once; name each clip once'):
        split_by_file(one, file)


@pytest.mark.parametrize('rule, message', [
    (dict(train_actions_per_person=0), 'train_actions_per_person=0: expected a whole number, at least 1'),
    (dict(train_actions_per_person=2.5), 'train_actions_per_person=2.5'),
    (dict(train_fraction=-3), 'train_fraction=-3: expected a number above 0 and at most 1'),
    (dict(train_fraction=float('nan')), 'train_fraction=nan'), (dict(train_fraction='half'), "train_fraction='half'"),
    (dict(seed=-1), 'split_rule.seed must be a whole number'),
    (dict(test_actions=['a1'], train_fraction=.5, seed=1), 'train_fraction, seed has no effect beside test_actions')])
def test_a_rule_that_cannot_be_or_has_no_effect_is_refused(rule, message):
    with pytest.raises(InputError, match=message):
        split_clips(clips(2, 3), **rule)


def test_what_is_none_in_a_rule_is_as_left_out():
    nothing = dict(train_actions_per_person=None, train_fraction=None, seed=None)
    assert split_clips(clips(2, 3), **nothing).keys() == {'train', 'test'}
    assert names(split_clips(clips(2, 3), **nothing, test_actions='a1')['test']) == {'0_1', '1_1'}
    assert names(split_clips(clips(), **nothing)['train']) == names(split_clips(clips())['train'])
