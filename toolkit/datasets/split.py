"""Division of clips into training and test by (person, action), never by frame."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from toolkit.clips.clip import Clip
from toolkit.doors import read_json
from toolkit.structures import InputError


def split_clips(
        clips: Sequence[Clip], train_actions_per_person: int = 10, train_fraction: float = 10 / 16, seed: int = 0,
        test_actions: Sequence[str] | None = None) -> dict[str, list[Clip]]:
    """Divide clips so that every person is in both halves, with different actions.

    Of each person's n actions ``min(train_actions_per_person, round(n * train_fraction))`` are for training, at least one, and at
    least one for testing where n > 1. With 16 actions that is 10 and 6, as in paper A (section 4.1). Which ones is decided by a hash
    of (seed, person, action), so that more clips, another order or another machine do not move a clip to the other half unless the
    number of that person's actions changes.

    Args:
        clips: prepared clips; all takes of one (person, action) stay together.
        train_actions_per_person: most actions of one person for training.
        train_fraction: share of a person's actions for training.
        seed: another seed gives another division.
        test_actions: actions that are for testing for all persons, instead of the hash.

    Returns:
        Clips under 'train' and 'test', in the order given.

    Raises:
        InputError: no clip has one of the ``test_actions``.
    """
    actions: dict[str, set[str]] = {}
    for clip in clips:
        actions.setdefault(clip.person, set()).add(clip.action)
    if test_actions is not None:
        unknown = sorted(set(test_actions) - set().union(*actions.values()))
        if unknown:
            raise InputError(f'test_actions {unknown} are in no clip; there are {sorted(set().union(*actions.values()))}')
    train = set()
    for person, names in actions.items():
        ordered = sorted(names, key=lambda action: hashlib.sha256(f'{seed}/{person}/{action}'.encode()).digest())
        count = min(train_actions_per_person, round(len(ordered) * train_fraction))
        count = max(1, min(count, len(ordered) - 1))
        chosen = ordered[:count] if test_actions is None else [a for a in ordered if a not in set(test_actions)]
        train.update((person, action) for action in chosen)
    halves = {'train': [], 'test': []}
    for clip in clips:
        halves['train' if (clip.person, clip.action) in train else 'test'].append(clip)
    return halves


def split_by_file(clips: Sequence[Clip], path: str | Path) -> dict[str, list[Clip]]:
    """Divide clips by a JSON file ``{"train": [names], "test": [names]}``; clips it does not name are in neither half.

    A clip may be named by its folder below the root too, which tells clips of one name apart.

    Raises:
        InputError: not such a file, a name without a clip or of two clips, or a (person, action) in both halves.
    """
    content, by_name = read_json(path), {}
    for clip in clips:
        by_name.setdefault(clip.name, []).append(clip)
    by_name |= {clip.key: [clip] for clip in clips}
    if not isinstance(content, dict) or set(content) != {'train', 'test'}:
        raise InputError(f'{path}: expected {{"train": [clip names], "test": [clip names]}}')
    missing = sorted(set(content['train'] + content['test']) - set(by_name))
    if missing:
        raise InputError(f'{path}: no clips named {", ".join(missing[:8])}; there are {", ".join(sorted(by_name)[:8])} ...')
    for name in content['train'] + content['test']:
        if len(by_name[name]) > 1:
            keys = ', '.join(clip.key for clip in by_name[name])
            raise InputError(f'{path}: several clips are called {name}; name each by its folder: {keys}')
    halves = {half: [by_name[name][0] for name in content[half]] for half in ('train', 'test')}
    keys = [{(clip.person, clip.action) for clip in halves[half]} for half in ('train', 'test')]
    if keys[0] & keys[1]:
        raise InputError(f'{path}: {sorted(keys[0] & keys[1])} (person, action) are in both halves; test clips show unseen actions')
    return halves
