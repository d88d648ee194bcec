"""Reading SSH's wire format (RFC 4251, section 5) from bytes a device chose."""

from __future__ import annotations

from verifier.errors import BadReply


class Reader:
    """Takes one value after the other from the front of a message.

    Every method raises BadReply when the message ends before the value does.
    """

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        start, end = self._at, self._at + count
        if end > len(self._data):
            raise BadReply(f"a message of {len(self._data)} bytes ends {end - len(self._data)} bytes before its last value")
        self._at = end
        return self._data[start:end]

    def u8(self) -> int:
        return self.take(1)[0]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def string(self) -> bytes:
        """A length of 32 bits, and that many bytes."""
        return self.take(self.u32())

    def strings(self) -> tuple[bytes, ...]:
        """A string that is itself a row of strings."""
        inner = Reader(self.string())
        found = []
        while inner.left:
            found.append(inner.string())
        return tuple(found)

    @property
    def left(self) -> int:
        """How many bytes have not been taken yet."""
        return len(self._data) - self._at
