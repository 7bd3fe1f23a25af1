"""Messages of the toolkit in the words of the page, which has no command line.

A message says what is wrong, and then what to do. That often names options, tools and keys of configs, which nobody has who sits before
a browser. Where the page has something for it, that is named; else the advice is left out.
"""

import re

WORDS = (
    (r'(clip [^:]+): (\d+) frames of .* are in use, too few for .*',
     r'\1: the video is too short to learn from, \2 frames are left to train on; choose a longer one'),
    (r'choose a stretch with the person in view \(--start, --end\).*',
     'choose a video that shows the person all the time, or another second to begin at'),
    (r'prepare each part by itself \(--start, --end\)', 'upload a part without a cut, or choose another second to begin at'),
    (r', which needs a package more: .*, or convert', ', which this server cannot read; convert'),
    (r'Lower the learning rate, add clip_grad.*', 'Fine-tune anew, with fewer iterations'),
    (r'Go on with the same command and --resume', 'Press "Go on" to continue'),
    (r'go on with --resume', 'press "Go on" to continue'),
    (r'the disk is full\. What is done so far is kept: .*',
     'the disk of the server is full; remove what you do not need in the gallery, or come back later'),
)
"""What a message says, as a regular expression -> what the page says."""
FOREIGN = re.compile(r'''(?<![\w-])--[a-z] | \btools/\w | \bhvt[ ]\w | \bpip[ ]install\b | \bcfg[_-]options\b | \bcustom_imports\b
                         | \bsame[ ]command\b
                         | \b[a-z_]+(\.[a-z_]+)+=\S | \b[a-z_]+=(?:dict|None|True|False|\() | \breferences\.[a-z]''', re.X)
"""What is not in the page."""
NAMED = re.compile(r'[^:]*\.(mp4|mov|m4v|mkv|webm|avi|gif|jpe?g?|png|webp|hei[cf]|avif|tiff?|bmp|mpo): ', re.I)
"""The name of somebody's own file before what is said of it, whatever it is."""
NOT_HERE = 'this cannot be done in the page; the log of the server says why'


def for_page(text: str) -> str:
    """What a message of the toolkit says in the page.

    Args:
        text: the message.

    Returns:
        The same without options, commands and keys of configs.
    """
    for said, ours in WORDS:
        text = re.sub(said, ours, text)
    first, *rest = re.split(r'(; |(?<=[?!])(?= )|\. |, or )', text)
    if FOREIGN.search(NAMED.sub('', first, count=1)):
        return NOT_HERE
    kept, dropped = first, None
    for separator, piece in zip(rest[::2], rest[1::2]):
        if FOREIGN.search(piece):
            dropped = dropped if dropped is not None else separator
        else:
            kept, dropped = kept + (separator if dropped is None else dropped) + piece, None
    return kept
