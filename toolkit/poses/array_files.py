"""Arrays in ``.npy`` and ``.npz`` files of others: what they hold is known from their headers before any data are read."""

import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.doors import check_zip, open_regular, parsing
from toolkit.structures import InputError

MAX_HEADER = 10_000
MOST_ARRAYS = 1000


@dataclass(frozen=True)
class Header:
    """What an array's header says."""

    shape: tuple[int, ...]
    dtype: np.dtype


class ArrayFile:
    """A ``.npy`` or ``.npz`` file. Only headers are read until :meth:`read` is called, and no pickled objects ever.

    Args:
        path: the file.

    Attributes:
        headers: name -> header of each array; the array of a ``.npy`` file is called ``poses``.

    Raises:
        InputError: not a regular file, or damaged.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.zipped, self.headers = self.path.suffix == '.npz', {}
        with open_regular(self.path) as file, self._parsing():
            if not self.zipped:
                self.headers['poses'] = _header(file)
                return
            with zipfile.ZipFile(file) as archive:
                names = [name for name in archive.namelist() if name.endswith('.npy')]
                if len(names) > MOST_ARRAYS:
                    raise ValueError(f'it holds {len(names)} arrays')
                for name in names:
                    with archive.open(name) as stream:
                        self.headers[name.removesuffix('.npy')] = _header(stream)

    def read(self, name: str) -> np.ndarray:
        """Read one array. Check its header before: this takes as much memory as that says.

        Raises:
            InputError: the data are damaged, or are not as long as the header says.
        """
        with open_regular(self.path) as file, self._parsing(), ExitStack() as stack:
            stream = stack.enter_context(stack.enter_context(zipfile.ZipFile(file)).open(f'{name}.npy')) if self.zipped else file
            array = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=MAX_HEADER)
            if stream.read(1):
                raise ValueError(f'array {name} is longer than its header says')
            return array

    def _parsing(self):
        return parsing(self.path, 'damaged, or no numpy file of numbers')


def read_stored(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of a file that ``numpy.savez`` wrote, uncompressed, so that they take no more memory than the file.

    Raises:
        InputError: damaged, compressed, or an array is missing.
    """
    check_zip(path, 'numpy file', stored=True)
    file = ArrayFile(path)
    if missing := [name for name in names if name not in file.headers]:
        raise InputError(f'{path}: damaged, the array {missing[0]!r} is missing')
    return {name: file.read(name) for name in names}


def _header(stream) -> Header:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream, max_header_size=MAX_HEADER)
    if dtype.hasobject:
        raise ValueError('it holds Python objects')
    return Header(shape, dtype)
