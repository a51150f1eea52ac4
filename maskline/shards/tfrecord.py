"""TFRecord framing and the tf.train.Example wire format without TensorFlow, so that workers start fast.

Records: https://www.tensorflow.org/tutorials/load_data/tfrecord.
Messages: tensorflow/core/example/example.proto and feature.proto.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import google_crc32c
import numpy as np

from maskline.errors import ArtifactError

HEADER = 12  # bytes before a record's data: its length and that length's checksum
FOOTER = 4  # bytes after a record's data: their checksum
_BYTES, _INTEGERS = 1, 3  # fields of a Feature
_VARINT_BITS = 70  # of ten bytes, the most that a number of 64 bits takes


class Record(NamedTuple):
    """The place of a record's data in a file; offset and length in bytes."""

    path: str
    offset: int
    length: int


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C of `data`, rotated and shifted as TFRecord stores it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """Return `data` as one record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, struct.pack("<I", masked_crc(length)), data, struct.pack("<I", masked_crc(data))))


def records(path: Path) -> Iterator[Record]:
    """Yield the place of each record in a file; only the headers are read and checked.

    Raises:
        ArtifactError: the file is empty or truncated, or a header's checksum is wrong.
    """
    return (Record(str(path), offset, length) for offset, length in _places(path))


def record_places(path: Path) -> np.ndarray:
    """Return the offset and length of each record's data in a file, as `records` does, in bytes; int64 [N, 2].

    Raises:
        ArtifactError: the file is empty or truncated, or a header's checksum is wrong.
    """
    return np.fromiter(_places(path), np.dtype((np.int64, 2)))


def _places(path: Path) -> Iterator[tuple[int, int]]:
    size = Path(path).stat().st_size
    if size == 0:
        raise _damaged(path, "it is empty")
    with open(path, "rb", buffering=0) as file:
        position = 0
        while position < size:
            header = os.pread(file.fileno(), HEADER, position)
            if len(header) < HEADER:
                raise _damaged(path, f"it ends inside a record at byte {position}")
            length, crc = struct.unpack("<QI", header)
            if crc != masked_crc(header[:8]):
                raise _damaged(path, f"the length at byte {position} fails its CRC")
            offset = position + HEADER
            position = offset + length + FOOTER
            if position > size:
                raise _damaged(path, f"it ends inside a record at byte {size}")
            yield offset, length


def read_record(file: BinaryIO, record: Record) -> bytes:
    """Return a record's data from its open file.

    Raises:
        ArtifactError: the file ends early, or the data fail their checksum.
    """
    file.seek(record.offset)
    return checked(file.read(record.length + FOOTER), record)


def checked(data: bytes, record: Record) -> bytes:
    """Return a record's data from its bytes in the file, which end with the footer.

    Raises:
        ArtifactError: the file ends early, or the data fail their checksum.
    """
    if len(data) < record.length + FOOTER:
        raise _damaged(record.path, f"it ends inside a record at byte {record.offset + len(data)}")
    if struct.unpack("<I", data[-FOOTER:])[0] != masked_crc(data[:-FOOTER]):
        raise _damaged(record.path, f"the record at byte {record.offset} fails its CRC")
    return data[:-FOOTER]


def _damaged(path: Path | str, reason: str) -> ArtifactError:
    return ArtifactError(path, f"is damaged: {reason}")


def encode_example(features: dict[str, bytes | int]) -> bytes:
    """Serialize a tf.train.Example with one value per feature, its keys in sorted order."""
    entries = []
    for key, value in sorted(features.items()):
        entries += _field(1, [*_field(1, [key.encode()]), *_field(2, _feature(value))])
    return b"".join(_field(1, entries))


def _feature(value: bytes | int) -> list[bytes]:
    if isinstance(value, bytes):
        return _field(1, _field(1, [value]))
    return _field(3, _field(1, [_varint(value)]))


def _field(number: int, payload: list[bytes]) -> list[bytes]:
    """Return the parts of a field. They are joined only once, because an image is large and nested in four messages."""
    return [bytes([number << 3 | 2]) + _varint(sum(map(len, payload))), *payload]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def bytes_features(data: bytes | memoryview) -> dict[str, slice]:
    """Return the place in a serialized Example of each feature that has exactly one bytes value.

    Raises:
        ValueError: the data are not a tf.train.Example.
    """
    return _features(data, _BYTES)


def integer_features(data: bytes | memoryview) -> dict[str, int]:
    """Return each feature of an Example that `encode_example` wrote which is an integer.

    Raises:
        ValueError: the data are not a tf.train.Example.
    """
    return {key: _read_varint(data, place.start)[0] for key, place in _features(data, _INTEGERS).items()}


def _features(data: bytes | memoryview, kind: int) -> dict[str, slice]:
    """Return the place of the value of each feature of a kind with exactly one length-delimited value."""
    found = {}
    for _, features in _fields(data, 0, len(data)):
        for _, entry in _fields(data, features.start, features.stop):
            parts = dict(_fields(data, entry.start, entry.stop))
            kinds = list(_fields(data, parts[2].start, parts[2].stop)) if 2 in parts else []
            if 1 in parts and len(kinds) == 1 and kinds[0][0] == kind:
                values = list(_fields(data, kinds[0][1].start, kinds[0][1].stop))
                if len(values) == 1:
                    found[bytes(data[parts[1]]).decode()] = values[0][1]
    return found


def _fields(data: bytes | memoryview, position: int, end: int) -> Iterator[tuple[int, slice]]:
    """Yield the number and the place of each length-delimited field of a message."""
    while position < end:
        key, position = _read_varint(data, position)
        if key & 7 != 2:
            raise ValueError(f"field {key >> 3} is not length-delimited")
        length, position = _read_varint(data, position)
        if position + length > end:
            raise ValueError("a field ends after its message")
        yield key >> 3, slice(position, position + length)
        position += length


def _read_varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < _VARINT_BITS:
        if position == len(data):
            raise ValueError("a number ends after its message")
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
    raise ValueError("a number has more than 64 bits")
