"""The Merkle tree of RFC 6962 (section 2.1, unchanged in RFC 9162): hashes, roots, and proofs made and checked.

Proofs are made through a `Reader`, which gives the hash of any whole subtree, so that making one reads O(log n) hashes of a log
of any size. Checking needs no reader: the algorithms are those of RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

from verifier.errors import TrustError

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Reader = Callable[[int, int], bytes]
"""`(level, index)` to the root over the leaves `index * 2**level` up to `(index + 1) * 2**level`, all of them there."""


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def whole(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of neighbouring subtrees of one size."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


def root(size: int, read: Reader) -> bytes:
    """The root over the first `size` leaves."""
    return _range(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: Reader) -> tuple[bytes, ...]:
    """The hashes beside the way from a leaf (from 0) up to the root over `size` leaves, nearest the leaf first.

    Raises:
        TrustError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise TrustError(f"a tree of {size} entries has no entry {index}", "entries are numbered from 0")
    begin, end, path = 0, size, []
    while end - begin > 1:
        split = begin + _left_size(end - begin)
        if index < split:
            path.append(_range(split, end, read))
            end = split
        else:
            path.append(_range(begin, split, read))
            begin = split
    return tuple(reversed(path))


def consistency_proof(old: int, new: int, read: Reader) -> tuple[bytes, ...]:
    """What shows that the tree of `old` leaves is the beginning of that of `new` ones; empty where nothing needs showing.

    Raises:
        TrustError: the new tree is smaller than the old one.
    """
    if not 0 <= old <= new:
        raise TrustError(f"a tree of {new} entries does not begin with {old}", "the newer checkpoint must be the larger one")
    if old in (0, new):
        return ()
    begin, end, path = 0, new, []
    while end != old:
        split = begin + _left_size(end - begin)
        if old <= split:
            path.append(_range(split, end, read))
            end = split
        else:
            path.append(_range(begin, split, read))
            begin = split
    if begin:
        path.append(_range(begin, end, read))
    return tuple(reversed(path))


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a tree of `size` leaves must have, if `leaf` is the hash of its leaf `index` and the proof is right.

    Raises:
        TrustError: the proof does not have the form that such a place needs.
    """
    if not 0 <= index < size:
        raise TrustError(f"the proof is of entry {index} of {size}", MALFORMED)
    place, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            raise TrustError("the proof is too long", MALFORMED)
        if place & 1 or place == last:
            found = node_hash(each, found)
            place, last = _to_right_child(place, last)
        else:
            found = node_hash(found, each)
        place, last = place >> 1, last >> 1
    if last:
        raise TrustError("the proof is too short", MALFORMED)
    return found


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Whether the old tree is the beginning of the new one.

    Raises:
        TrustError: that is not shown; in plain words, history was rewritten, or the proof is wrong.
    """
    if not 0 <= old <= new:
        raise TrustError(f"a tree of {new} entries does not begin with {old}", MALFORMED)
    if old in (0, new):
        same = old_root == (EMPTY_ROOT if old == 0 else new_root)
        if proof or not same:
            raise TrustError(f"two trees of {old} entries are not the same one", MALFORMED)
        return
    path = proof if old & (old - 1) else (old_root, *proof)
    if not path:
        raise TrustError("the proof is empty", MALFORMED)
    first, *rest = path
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    found_old = found_new = first
    for each in rest:
        if last == 0:
            raise TrustError("the proof is too long", MALFORMED)
        if place & 1 or place == last:
            found_old, found_new = node_hash(each, found_old), node_hash(each, found_new)
            place, last = _to_right_child(place, last)
        else:
            found_new = node_hash(found_new, each)
        place, last = place >> 1, last >> 1
    if last or found_old != old_root or found_new != new_root:
        raise TrustError(f"the first {old} entries of the log of {new} are not the ones that were there", REWRITTEN)


MALFORMED = "make the proof again, from the log it is said to be of"
REWRITTEN = "keep both checkpoints: together they show that somebody rewrote the history"


def _to_right_child(place: int, last: int) -> tuple[int, int]:
    """Up to where the way leaves the right edge: there, a node alone on its level is its own parent."""
    while place and not place & 1:
        place, last = place >> 1, last >> 1
    return place, last


def _left_size(size: int) -> int:
    """The largest power of two below `size`: how many leaves are left of the root."""
    return 1 << (size - 1).bit_length() - 1


def _range(begin: int, end: int, read: Reader) -> bytes:
    """The root over leaves that form a subtree, its right edge perhaps not whole: whole subtrees, joined from the right."""
    parts = [read(level, index) for level, index in _whole_subtrees(begin, end)]
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


def _whole_subtrees(begin: int, end: int) -> Iterator[tuple[int, int]]:
    while begin < end:
        level = (end - begin).bit_length() - 1
        yield level, begin >> level
        begin += 1 << level
