"""As much of FlatBuffers as AEDAT 4 needs: fields of tables, strings and vectors, each read within bounds.

A buffer begins with its length (32 bits) and the place of the root table (32 bits). A table begins with the distance back to its list of
field places; a field that is left out has the place 0. All numbers are little endian.
"""

import struct


class BadBuffer(Exception):
    """The bytes are no such buffer; the text says which byte."""


class Table:
    """One table of a buffer: `Table.root(buffer)`, then its fields by number."""

    def __init__(self, buffer: bytes, place: int) -> None:
        self.buffer, self.place = buffer, place
        self.fields = place - self._number("<i", place)
        self.fields_size = self._number("<H", self.fields)

    @classmethod
    def root(cls, buffer: bytes, identifier: bytes) -> "Table":
        """The root table of a buffer with its length in front.

        Raises:
            BadBuffer: it is shorter than it says, or has another identifier.
        """
        if len(buffer) < 12:
            raise BadBuffer(f"{len(buffer)} bytes are no buffer")
        (length,) = struct.unpack_from("<I", buffer)
        if length + 4 > len(buffer):
            raise BadBuffer(f"a buffer of {length} bytes ends after {len(buffer) - 4}")
        if buffer[8:12] != identifier:
            raise BadBuffer(f"the buffer is {buffer[8:12]!r}, not {identifier!r}")
        return cls(buffer, 4 + struct.unpack_from("<I", buffer, 4)[0])

    def number(self, field: int, form: str, default: int) -> int:
        """A number by `struct` format."""
        place = self._field(field)
        return default if place is None else self._number(form, place)

    def text(self, field: int) -> str:
        """A string; "" where it is left out."""
        start, count = self.vector(field, 1)
        return self.buffer[start : start + count].decode("utf-8", "replace")

    def vector(self, field: int, size: int) -> tuple[int, int]:
        """First byte and number of the items of `size` bytes; (0, 0) where the vector is left out."""
        place = self._field(field)
        if place is None:
            return 0, 0
        start = place + self._number("<I", place)
        count = self._number("<I", start)
        if start + 4 + count * size > len(self.buffer):
            raise BadBuffer(f"{count} items of {size} bytes at byte {start} do not fit into {len(self.buffer)} bytes")
        return start + 4, count

    def tables(self, field: int) -> list["Table"]:
        """A vector of tables."""
        start, count = self.vector(field, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self.buffer, place + self._number("<I", place)) for place in places]

    def field_place(self, field: int) -> int | None:
        """Where a structure among the fields begins; None where it is left out."""
        return self._field(field)

    def _field(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry + 2 > self.fields_size:
            return None
        distance = self._number("<H", self.fields + entry)
        return self.place + distance if distance else None

    def _number(self, form: str, place: int) -> int:
        if place < 0 or place + struct.calcsize(form) > len(self.buffer):
            raise BadBuffer(f"byte {place} lies outside the buffer of {len(self.buffer)} bytes")
        return int(struct.unpack_from(form, self.buffer, place)[0])
