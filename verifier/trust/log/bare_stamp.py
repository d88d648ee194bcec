"""A time stamp response without what it brings along (DER; RFC 3161, section 2.4.2, and RFC 5652, section 5.1).

The certificates and revocation lists of a token are under no signature, and we believe none of them: certificates are pinned by
the policy. Authorities write them in any order, though the list is a SET, which strict readers refuse. So they are left out
before anybody reads the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

SEQUENCE = 0x30
EXPLICIT = 0xA0
BROUGHT_ALONG = (0xA0, 0xA1)
"""Tags, in the signed data of a token, of its certificates and its revocation lists."""


def without_certificates(response: bytes) -> bytes:
    """The same response, all else byte for byte; one without a token as it is.

    Raises:
        ValueError: it is not built as a response is.
    """
    status, *tokens = _parts(response, SEQUENCE)
    if not tokens:
        return response
    (token,) = tokens
    kind, wrapped = _parts(token, SEQUENCE)
    (signed,) = _parts(wrapped, EXPLICIT)
    kept = (part for part in _parts(signed, SEQUENCE) if part[0] not in BROUGHT_ALONG)
    return _joined(SEQUENCE, status, _joined(SEQUENCE, kind, _joined(EXPLICIT, _joined(SEQUENCE, *kept))))


def _parts(element: bytes, tag: int) -> list[bytes]:
    """What an element of this tag is made of. Raises ValueError if it is another, or not alone."""
    content, end = _content(element, 0)
    if element[0] != tag or end != len(element):
        raise ValueError("not the element that belongs here")
    return list(_split(element[content:end]))


def _split(data: bytes) -> Iterator[bytes]:
    begin = 0
    while begin < len(data):
        _, end = _content(data, begin)
        yield data[begin:end]
        begin = end


def _content(data: bytes, begin: int) -> tuple[int, int]:
    """Where the content of the element that begins here begins and ends."""
    head = data[begin : begin + 2]
    if len(head) < 2 or head[1] == 0x80:  # 0x80: no length is given, which DER does not allow
        raise ValueError("an element without a length")
    content, size = begin + 2, head[1]
    if size > 0x80:
        more = size - 0x80
        size = int.from_bytes(data[content : content + more])
        content += more
    if content + size > len(data):
        raise ValueError("an element longer than what holds it")
    return content, content + size


def _joined(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 + len(length))) + length + content
