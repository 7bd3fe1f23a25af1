"""Which source frame a file or an entry of another program belongs to: by the number in its name, never by the order of letters."""

import re
from pathlib import PurePosixPath

from toolkit.poses.keypoint_json import short
from toolkit.structures import InputError

MAX_DIGITS, MAX_NAME = 18, 255
ENDINGS = re.compile(r'(_keypoints(_2d)?|_pose|_poses)$')


def name_stem(name: str) -> str:
    """``frames/a_10_keypoints.json`` -> ``a_10``: folders, the suffix and OpenPose's ending are taken off."""
    last = PurePosixPath(name.replace('\\', '/')).name
    stem, dot, suffix = last.rpartition('.')
    return ENDINGS.sub('', stem if dot and stem and not suffix.isdigit() else last)


def numbers_of_names(names: list[str], where: str) -> list[int]:
    """The frame number in each name of a sequence.

    It is the last group of digits that is not the same in all names, so ``cam2_frame10`` says 10, however it is padded.

    Args:
        names: file names, different from each other.
        where: what holds the names, for messages.

    Returns:
        One number a name, all different.

    Raises:
        InputError: a name without a number, or two names with one number.
    """
    groups = [re.findall(r'[0-9]+', name_stem(name)[:MAX_NAME]) for name in names]
    for name, digits in zip(names, groups):
        if not digits or max(map(len, digits)) > MAX_DIGITS:
            raise InputError(
                f'{where}: {short(name)!r} says no frame number; expected names as other programs write them, for example '
                'dance_000000000010_keypoints.json or 10.jpg')
    from_end = [[group[-1 - i] if i < len(group) else None for group in groups] for i in range(max(map(len, groups), default=0))]
    varying = next((column for column in from_end if len(set(column)) > 1), [group[-1] for group in groups])
    numbers, seen = [], {}
    for name, digits in zip(names, varying):
        number = int(digits) if digits is not None else None
        if number is None or number in seen:
            other = short(seen.get(number, names[0]))
            raise InputError(
                f'{where}: {other!r} and {short(name)!r} say the same frame number; give the results of one clip only')
        seen[number] = name
        numbers.append(number)
    return numbers


def first_number(numbers: list[int], total: int, where: str) -> int:
    """The number that the first source frame has, decided from all numbers there are and the number of source frames.

    * The smallest is 0, or the largest is ``total - 1`` and the smallest is above 1: frames are counted from 0.
    * The largest is ``total``: they are counted from 1.
    * There are ``total`` numbers without a gap: they are counted from the smallest.

    Everything else is an error that says how to choose.

    Args:
        numbers: at least one.
        total: source frames.
        where: what holds the numbers, for messages.

    Raises:
        InputError: the numbers do not fit the video, or it cannot be known where they begin.
    """
    low, high = min(numbers), max(numbers)
    span = f'{where}: results of {len(set(numbers))} frames with numbers {low}..{high}, the video has {total} frames'
    if low == 0 and high < total or high == total - 1 and low > 1:
        return 0
    if high == total and low >= 1:
        return 1
    if high - low + 1 == total:
        return low
    if high - low + 1 > total:
        raise InputError(f'{span}: too many; give the results of this video (made of all its frames, not of a copy at another rate)')
    if high > total:
        raise InputError(f'{span}: they do not say where the video begins; say the number of its first frame with first=NUMBER')
    raise InputError(
        f'{span}: they may be counted from 0 or from 1; say which number the first frame of the video has, first=0 or first=1')
