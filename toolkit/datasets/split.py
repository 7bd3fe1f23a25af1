"""Division of clips into training and test by (person, action), never by frame."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from toolkit.clips.checks import shortened
from toolkit.clips.clip import Clip
from toolkit.doors import read_json
from toolkit.structures import InputError, check_seed

MOST_ACTIONS, FRACTION = 10, 10 / 16
"""Of a person's actions for training, as in paper A."""
HALVES = 'train', 'test'


def checked_half(split: str | None, split_rule: dict | None, split_file: str | Path | None) -> str | None:
    """The half to take, None for all clips; arguments of :class:`toolkit.datasets.windows.ClipWindows`.

    Raises:
        InputError: a rule or a file where no half is asked for, or both.
    """
    given = [name for name, value in (('split_rule', split_rule), ('split_file', split_file)) if value]
    if split == '' and given:
        raise InputError(f"{' and '.join(given)} can only divide clips where a half is asked for: set split='train' or 'test', or "
                         f'split=None for all clips')
    if split and len(given) == 2:
        raise InputError(f'split_file={split_file!r} takes the place of a rule: set split_rule=None, or leave out split_file')
    return split or None


def split_clips(
        clips: Sequence[Clip], train_actions_per_person: int | None = None, train_fraction: float | None = None,
        seed: int | None = None, test_actions: str | Sequence[str] | None = None) -> dict[str, list[Clip]]:
    """Divide clips so that every person is in both halves, with different actions.

    Of each person's n actions ``min(train_actions_per_person, round(n * train_fraction))`` are for training, at least one, and at
    least one for testing where n > 1. With 16 actions that is 10 and 6, as in paper A (section 4.1). Which ones is decided by a hash
    of (seed, person, action), so that more clips, another order or another machine do not move a clip to the other half unless the
    number of that person's actions changes.

    Args:
        clips: prepared clips; all takes of one (person, action) stay together.
        train_actions_per_person: most actions of one person for training, at least 1; default 10.
        train_fraction: share of a person's actions for training, above 0 and at most 1; default 10/16.
        seed: another seed gives another division; default 0.
        test_actions: actions that are for testing for all persons, instead of the hash; a name or several. The other arguments must be
            None then.

    Returns:
        Clips under 'train' and 'test', in the order given.

    Raises:
        InputError: no clip has one of the ``test_actions``; a number out of range, or one beside ``test_actions``.
    """
    _check_rule(dict(train_actions_per_person=train_actions_per_person, train_fraction=train_fraction, seed=seed), test_actions)
    test_actions = [test_actions] if isinstance(test_actions, str) else test_actions
    most, share = train_actions_per_person or MOST_ACTIONS, train_fraction or FRACTION
    actions: dict[str, set[str]] = {}
    for clip in clips:
        actions.setdefault(clip.person, set()).add(clip.action)
    if test_actions is not None:
        unknown = sorted(set(test_actions) - set().union(*actions.values()))
        if unknown:
            raise InputError(f'test_actions {unknown} are in no clip; there are {sorted(set().union(*actions.values()))}')
    train = set()
    for person, names in actions.items():
        ordered = sorted(names, key=lambda action: hashlib.sha256(f'{seed or 0}/{person}/{action}'.encode()).digest())
        count = min(most, round(len(ordered) * share))
        count = max(1, min(count, len(ordered) - 1))
        chosen = ordered[:count] if test_actions is None else [a for a in ordered if a not in set(test_actions)]
        train.update((person, action) for action in chosen)
    halves = {'train': [], 'test': []}
    for clip in clips:
        halves['train' if (clip.person, clip.action) in train else 'test'].append(clip)
    return halves


def _check_rule(numbers: dict[str, float | None], test_actions: str | Sequence[str] | None) -> None:
    given = {name: value for name, value in numbers.items() if value is not None}
    if test_actions is not None and given:
        raise InputError(f'split_rule: {", ".join(given)} has no effect beside test_actions, which names the actions for testing; set '
                         f'{"=None, ".join(given)}=None, or leave out test_actions')
    most, share = given.get('train_actions_per_person', MOST_ACTIONS), given.get('train_fraction', FRACTION)
    if not isinstance(most, int) or most < 1:
        raise InputError(f'split_rule.train_actions_per_person={most!r}: expected a whole number, at least 1')
    if not isinstance(share, (int, float)) or not 0 < share <= 1:
        raise InputError(f'split_rule.train_fraction={share!r}: expected a number above 0 and at most 1')
    check_seed(given.get('seed', 0), 'split_rule.seed')


def split_by_file(clips: Sequence[Clip], path: str | Path) -> dict[str, list[Clip]]:
    """Divide clips by a JSON file ``{"train": [names], "test": [names]}``; clips it does not name are in neither half.

    A clip may be named by its folder below the root too, which tells clips of one name apart.

    Raises:
        InputError: not such a file, a name without a clip or of two clips, a clip that is named twice, or a (person, action) in both
            halves.
    """
    content, by_name = read_json(path), {}
    for clip in clips:
        by_name.setdefault(clip.name, []).append(clip)
    by_name |= {clip.key: [clip] for clip in clips}
    if not isinstance(content, dict) or set(content) != set(HALVES):
        raise InputError(f'{path}: expected {{"train": [clip names], "test": [clip names]}}')
    for half in HALVES:
        if not isinstance(content[half], list) or not all(isinstance(name, str) for name in content[half]):
            raise InputError(f'{path}: {half} must be a list of clip names in quotes, got {shortened(content[half])}')
    missing = sorted(set(content['train'] + content['test']) - set(by_name))
    if missing:
        raise InputError(f'{path}: no clips named {", ".join(missing[:8])}; there are {", ".join(sorted(by_name)[:8])} ...')
    for name in content['train'] + content['test']:
        if len(by_name[name]) > 1:
            keys = ', '.join(clip.key for clip in by_name[name])
            raise InputError(f'{path}: several clips are called {name}; name each by its folder: {keys}')
    halves = {half: [by_name[name][0] for name in content[half]] for half in HALVES}
    for half, chosen in halves.items():
        if twice := sorted(key for key, count in Counter(clip.key for clip in chosen).items() if count > 1):
            raise InputError(f'{path}: {half} names {", ".join(twice[:8])} more than once; name each clip once')
    keys = [{(clip.person, clip.action) for clip in halves[half]} for half in HALVES]
    if keys[0] & keys[1]:
        raise InputError(f'{path}: {sorted(keys[0] & keys[1])} (person, action) are in both halves; test clips show unseen actions')
    return halves
