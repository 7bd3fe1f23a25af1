"""Who is filmed: size, build, skin, hair and clothes of each actor."""

from dataclasses import dataclass

import numpy as np

SKINS = ((224, 182, 150), (205, 155, 120), (170, 120, 88), (232, 196, 168), (146, 98, 70), (214, 170, 140), (190, 140, 105))
HAIRS = ((44, 34, 30), (96, 62, 40), (150, 108, 62), (26, 22, 22), (170, 134, 92), (60, 52, 48))
SHIRTS = (
    (40, 120, 200), (190, 50, 50), (60, 140, 70), (222, 222, 218), (66, 62, 62), (220, 170, 60), (120, 70, 150), (60, 170, 175),
    (100, 92, 92), (225, 112, 64), (190, 120, 170), (58, 60, 126), (150, 196, 206))
TROUSERS = ((58, 76, 112), (58, 58, 62), (116, 104, 92), (82, 78, 74), (66, 92, 134), (72, 86, 66), (98, 70, 74))
SHOES = ((44, 40, 40), (226, 224, 222), (120, 60, 52), (70, 74, 110))
PATTERNS = ('plain', 'stripes', 'check', 'print')
SLEEVES = (0.55, 1.9, 0.62, 1.94, 0.5)
MEN_HAIR = ('short', 'swept', 'crop', 'curly', 'short', 'swept', 'crop')
WOMEN_HAIR = ('long', 'bun', 'bob', 'long', 'ponytail', 'bob')
DARKEST_SHIRT = 58
BRIGHTEST_HAIR = 0.8


@dataclass(frozen=True)
class Actor:
    """One actor. Colors are RGB in 0..255, lengths in meters.

    Attributes:
        height: body height.
        girth: factor on the thickness of the body, about 0.92..1.14.
        sleeve: where the sleeve ends, 0 shoulder, 1 elbow, 2 wrist.
        neckline: 'crew', 'v' or 'collar' (a buttoned shirt).
        key: numbers that seed everything random about the actor.
        limbs: factor on the thickness of arms, legs and pelvis, which do not follow the height by themselves.
        legs, arms, shoulders: factors on their length, and on the width of the shoulders.
    """

    index: int
    height: float
    girth: float
    female: bool
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    shirt: tuple[int, int, int]
    second: tuple[int, int, int]
    trousers: tuple[int, int, int]
    shoes: tuple[int, int, int]
    pattern: str
    sleeve: float
    shorts: bool
    neckline: str
    hair_style: str
    stubble: bool
    key: tuple[int, int]
    limbs: float = 1.0
    legs: float = 1.0
    arms: float = 1.0
    shoulders: float = 1.0

    @property
    def stature(self) -> float:
        """Height relative to 1.75 m."""
        return self.height / 1.75

    def generator(self, salt: int) -> np.random.Generator:
        """Random numbers of one purpose; the same ones at every call."""
        return np.random.default_rng((*self.key, salt))

    def truth(self) -> dict:
        """What a manifest keeps about the actor: plain numbers, strings and lists."""
        return dict(
            shirt=list(self.shirt), second=list(self.second), trousers=list(self.trousers), skin=list(self.skin),
            hair=list(self.hair), shoes=list(self.shoes), pattern=self.pattern, sleeve='short' if self.sleeve < 1 else 'long',
            shorts=self.shorts, neckline=self.neckline, hair_style=self.hair_style, body_height=round(self.height, 4),
            girth=round(self.girth, 4))


def make_actor(index: int, seed: int = 0) -> Actor:
    """Describe an actor.

    The traits walk through the tables with different strides, so that neighbors differ in all of them. Two rules keep pose networks
    trained on photographs at work: hair is never lighter than the skin, and no shirt is nearly black.

    Args:
        index: number of the actor, from 0.
        seed: another seed deals the same traits out differently.
    """
    deal = np.random.default_rng((seed, 77)).integers(0, 1000, 8).tolist() if seed else [0] * 8
    female = index % 2 == 1
    skin = SKINS[(index + deal[0]) % len(SKINS)]
    hair = HAIRS[(index + deal[1]) % len(HAIRS)]
    if sum(hair) > BRIGHTEST_HAIR * sum(skin):
        hair = HAIRS[3 * (index % 2)]
    shirt = SHIRTS[(index + deal[2]) % len(SHIRTS)]
    second = SHIRTS[((index + deal[2]) * 4 + 3) % len(SHIRTS)]
    if sum(abs(a - b) for a, b in zip(shirt, second)) < 120:
        second = SHIRTS[3] if sum(shirt) < 400 else SHIRTS[11]
    pattern = PATTERNS[(index + deal[3]) % len(PATTERNS)]
    sleeve = SLEEVES[(index + deal[4]) % len(SLEEVES)]
    neckline = 'crew'
    if sleeve > 1 and pattern in ('plain', 'check'):
        neckline = 'collar'
    elif pattern != 'print' and index % 3 == 1:
        neckline = 'v'
    styles = WOMEN_HAIR if female else MEN_HAIR
    tall = (index * 5 + deal[5]) % 13 / 12
    return Actor(
        index=index, height=(1.60 if female else 1.66) + 0.17 * tall, girth=0.92 + 0.22 * ((index * 7 + deal[6]) % 13) / 12,
        female=female, skin=skin, hair=hair, shirt=tuple(max(c, DARKEST_SHIRT) for c in shirt), second=second,
        trousers=TROUSERS[(index + deal[7]) % len(TROUSERS)], shoes=SHOES[index % len(SHOES)], pattern=pattern, sleeve=sleeve,
        shorts=index % 6 == 4, neckline=neckline, hair_style=styles[index // 2 % len(styles)], stubble=not female and index % 4 == 2,
        key=(seed, index))
