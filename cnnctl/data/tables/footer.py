"""What the footer of a Parquet file says of its size, before anything is unpacked.

Thrift's compact protocol: https://github.com/apache/thrift/blob/master/doc/specs/
thrift-compact-protocol.md; the fields: https://github.com/apache/parquet-format, parquet.thrift.
"""

from __future__ import annotations

from collections.abc import Iterator

MAGIC = b"PAR1"
SIZES = (4, 1, 3, 6)
"""FileMetaData.row_groups, RowGroup.columns, ColumnChunk.meta_data, total_uncompressed_size."""
MAX_DEPTH = 32
STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
INTEGERS = (4, 5, 6)


def uncompressed_bytes(content: bytes) -> int:
    """The bytes of all columns of a file once they are decompressed.

    Raises:
        ValueError: the content is not that of a Parquet file.
    """
    if len(content) < 12 or content[:4] != MAGIC or content[-4:] != MAGIC:
        raise ValueError("it does not begin and end with PAR1")
    length = int.from_bytes(content[-8:-4], "little")
    if length > len(content) - 12:
        raise ValueError("its footer is longer than the file")
    try:
        return sum(_Values(content[-8 - length : -8]).found(STRUCT, SIZES))
    except IndexError:
        raise ValueError("its footer is cut off") from None


class _Values:
    """Values in the compact protocol, read one after another."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def found(self, kind: int, path: tuple[int, ...], depth: int = 0) -> Iterator[int]:
        """The integers at this path of fields in the next value, which is passed."""
        if depth > MAX_DEPTH:
            raise ValueError("its footer is nested too deep")
        if kind == STRUCT:
            for field, inner in self._fields():
                below = path[1:] if path[:1] == (field,) else (-1,)
                yield from self.found(inner, below, depth + 1)
        elif kind in (LIST, SET):
            count, inner = self._list_header()
            for _ in range(count):
                yield from self.found(BYTE if inner in (TRUE, FALSE) else inner, path, depth + 1)
        elif kind in INTEGERS:
            number = self._varint()
            if not path:
                yield number >> 1 ^ -(number & 1)
        else:
            self._pass(kind, depth)

    def _fields(self) -> Iterator[tuple[int, int]]:
        """The number and the kind of each field of a struct; the reader passes its value."""
        number = 0
        while (header := self._byte()) != STOP:
            step, kind = header >> 4, header & 15
            encoded = 0 if step else self._varint()
            number = number + step if step else encoded >> 1 ^ -(encoded & 1)
            yield number, kind

    def _list_header(self) -> tuple[int, int]:
        header = self._byte()
        count = header >> 4
        return self._checked(self._varint() if count == 15 else count), header & 15

    def _pass(self, kind: int, depth: int) -> None:
        """Pass a value of one of the other kinds."""
        if kind == BYTE:
            self._at += 1
        elif kind == DOUBLE:
            self._at += 8
        elif kind == BINARY:
            length = self._varint()
            self._at += length
        elif kind == MAP:
            self._pass_map(depth)
        elif kind not in (TRUE, FALSE):  # whose value is the kind
            raise ValueError(f"its footer has a value of the unknown type {kind}")

    def _pass_map(self, depth: int) -> None:
        count = self._checked(self._varint())
        kinds = self._byte() if count else 0
        for _ in range(count):
            for kind in (kinds >> 4, kinds & 15):
                for _ in self.found(BYTE if kind in (TRUE, FALSE) else kind, (-1,), depth + 1):
                    pass

    def _checked(self, count: int) -> int:
        """A number of values, each of which takes a byte at least."""
        if count > len(self._content) - self._at:
            raise ValueError("its footer is cut off")
        return count

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _varint(self) -> int:
        number = shift = 0
        while shift < 70:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
        raise ValueError("its footer has an integer of more than 10 bytes")
