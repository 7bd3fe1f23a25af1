"""Arrays in ``.npy`` and ``.npz`` files of others: what they hold is known from their headers before any data are read."""

import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.structures import InputError

MAX_HEADER = 10_000


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
        if not self.path.is_file():
            raise InputError(f'{self.path}: not a regular file')
        with self._naming_errors():
            self.zipped = self.path.suffix == '.npz'
            names = ['poses']
            if self.zipped:
                with zipfile.ZipFile(self.path) as archive:
                    names = [name.removesuffix('.npy') for name in archive.namelist() if name.endswith('.npy')]
            self.headers = {}
            for name in names:
                with self._stream(name) as stream:
                    self.headers[name] = _header(stream)

    def read(self, name: str) -> np.ndarray:
        """Read one array. Check its header before: this takes as much memory as that says.

        Raises:
            InputError: the data are damaged, or are not as long as the header says.
        """
        with self._naming_errors(), self._stream(name) as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False, max_header_size=MAX_HEADER)
            if stream.read(1):
                raise ValueError(f'array {name} is longer than its header says')
            return array

    @contextmanager
    def _stream(self, name: str):
        if self.zipped:
            with zipfile.ZipFile(self.path) as archive, archive.open(f'{name}.npy') as stream:
                yield stream
        else:
            with open(self.path, 'rb') as stream:
                yield stream

    @contextmanager
    def _naming_errors(self):
        try:
            yield
        except Exception as error:  # zipfile, zlib, tokenize and numpy have about a dozen kinds for damaged files
            reason = ' '.join(str(error).split())[:120] or type(error).__name__
            raise InputError(f'{self.path}: damaged, or no numpy file of numbers ({reason})') from error


def _header(stream) -> Header:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream, max_header_size=MAX_HEADER)
    if dtype.hasobject:
        raise ValueError('it holds Python objects')
    return Header(shape, dtype)
