"""The Merkle tree: RFC 6962's well-known answers, and every proof of every small tree against a tree made by the definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import TrustError
from verifier.trust.log.merkle import (
    EMPTY_ROOT,
    Reader,
    check_consistency,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    root_of_inclusion,
    whole,
)
from verifier.trust.log.tiles import Growth, Tile, bundle, part_of, tile_path, unbundled, width_at

# the test inputs and roots of certificate-transparency, for trees of 1 to 8 leaves
KNOWN_LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
KNOWN_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(b"entry %d" % number) for number in range(600)]
SIZES = st.integers(0, 600)


def by_definition(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\1" + by_definition(hashes[:split]) + by_definition(hashes[split:])).digest()


def reader(leaves: list[bytes]) -> Reader:
    def read(level: int, index: int) -> bytes:
        part = leaves[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "only subtrees that are all there are asked for"
        return whole(part)

    return read


READ = reader(LEAVES)


def test_the_well_known_roots() -> None:
    for size, known in enumerate(KNOWN_ROOTS):
        leaves = [leaf_hash(data) for data in KNOWN_LEAVES[:size]]
        assert root(size, reader(leaves)).hex() == known
        growth = Growth()
        assert list(growth.grow(KNOWN_LEAVES[:size])) == []
        assert growth.root().hex() == known
    assert EMPTY_ROOT.hex() == KNOWN_ROOTS[0]


def test_a_well_known_proof() -> None:
    """Leaf 5 of 8: its neighbour, the pair before, and the first half."""
    leaves = [leaf_hash(data) for data in KNOWN_LEAVES]
    proof = inclusion_proof(5, 8, reader(leaves))
    assert [each.hex() for each in proof] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_every_proof_of_every_tree_up_to_40() -> None:
    roots = [by_definition(LEAVES[:size]) for size in range(41)]
    for size in range(41):
        assert root(size, READ) == roots[size]
        for index in range(size):
            proof = inclusion_proof(index, size, READ)
            assert root_of_inclusion(LEAVES[index], index, size, proof) == roots[size]
        for old in range(size + 1):
            check_consistency(old, roots[old], size, roots[size], consistency_proof(old, size, READ))


@given(SIZES, st.data())
@settings(max_examples=200, deadline=None)
def test_proofs_of_any_tree_up_to_600(size: int, data: st.DataObject) -> None:
    top = by_definition(LEAVES[:size])
    assert root(size, READ) == top
    old = data.draw(st.integers(0, size))
    check_consistency(old, by_definition(LEAVES[:old]), size, top, consistency_proof(old, size, READ))
    if size:
        index = data.draw(st.integers(0, size - 1))
        proof = inclusion_proof(index, size, READ)
        assert len(proof) <= size.bit_length()
        assert root_of_inclusion(LEAVES[index], index, size, proof) == top


def doctored(proof: tuple[bytes, ...], data: st.DataObject) -> tuple[bytes, ...]:
    """The proof with one hash changed, dropped, doubled or added."""
    place = data.draw(st.integers(0, len(proof)))
    other = data.draw(st.sampled_from([LEAVES[0], bytes(32), *proof]))
    match data.draw(st.sampled_from(["change", "drop", "add"])):
        case "change":
            return (*proof[:place], other, *proof[place + 1 :])
        case "drop":
            return (*proof[:place], *proof[place + 1 :])
        case _:
            return (*proof[:place], other, *proof[place:])


def includes(index: int, size: int, proof: tuple[bytes, ...], leaf: bytes, top: bytes) -> bool:
    try:
        return root_of_inclusion(leaf, index, size, proof) == top
    except TrustError:
        return False


def follows(old: int, old_root: bytes, new: int, new_root: bytes, proof: tuple[bytes, ...]) -> bool:
    try:
        check_consistency(old, old_root, new, new_root, proof)
    except TrustError:
        return False
    return True


@given(st.integers(1, 600), st.data())
@settings(max_examples=200, deadline=None)
def test_a_doctored_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof, top = inclusion_proof(index, size, READ), by_definition(LEAVES[:size])
    other = doctored(proof, data)
    assert includes(index, size, other, LEAVES[index], top) == (other == proof)
    elsewhere = data.draw(st.integers(-1, size + 1))
    assert includes(elsewhere, size, proof, LEAVES[index], top) == (elsewhere == index)
    assert not includes(index, size, proof, LEAVES[index - 1] if size > 1 else bytes(32), top)


@given(st.integers(1, 600), st.data())
@settings(max_examples=200, deadline=None)
def test_a_doctored_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    old_root, new_root = by_definition(LEAVES[:old]), by_definition(LEAVES[:new])
    proof = consistency_proof(old, new, READ)
    other = doctored(proof, data)
    assert follows(old, old_root, new, new_root, other) == (other == proof)
    rewritten = [*LEAVES]
    rewritten[data.draw(st.integers(0, old - 1))] = bytes(32)
    forked = by_definition(rewritten[:new])
    assert not follows(old, old_root, new, forked, consistency_proof(old, new, reader(rewritten)))
    assert not follows(old, by_definition(rewritten[:old]), new, new_root, proof)


def test_what_is_outside_a_tree_is_refused() -> None:
    for index, size in ((0, 0), (3, 3), (-1, 3)):
        with pytest.raises(TrustError, match="has no entry"):
            inclusion_proof(index, size, READ)
    with pytest.raises(TrustError, match="does not begin with"):
        consistency_proof(4, 3, READ)
    assert not follows(4, bytes(32), 3, bytes(32), ())
    assert not follows(3, bytes(32), 3, LEAVES[0], ())
    assert not follows(0, LEAVES[0], 3, LEAVES[0], ())
    assert not follows(3, LEAVES[0], 5, LEAVES[0], ())
    assert follows(0, EMPTY_ROOT, 0, EMPTY_ROOT, ())


def test_names_of_tiles() -> None:
    assert tile_path(0, 0) == "tile/0/000"
    assert tile_path(1, 1234067) == "tile/1/x001/x234/067"
    assert tile_path("entries", 1000, 7) == "tile/entries/x001/000.p/7"
    # the example of tlog-tiles: a tree of 70,000
    widths = [[width_at(level, index, 70_000) for index in (0, 1, 272, 273, 274)] for level in range(3)]
    assert widths == [[256, 256, 256, 112, 0], [256, 17, 0, 0, 0], [1, 0, 0, 0, 0]]


@given(st.lists(st.integers(0, 300), max_size=4))
@settings(max_examples=30, deadline=None)
def test_a_tree_that_grows_in_steps_is_the_same(steps: list[int]) -> None:
    growth = Growth()
    entries: list[bytes] = []
    full: list[Tile] = []
    for step in steps:
        more = [b"entry %d" % number for number in range(len(entries), len(entries) + step)]
        full += growth.grow(more)
        entries += more
    leaves = [leaf_hash(entry) for entry in entries]
    assert growth.root() == by_definition(leaves)
    assert [(tile.index, tile.data) for tile in full if tile.level == 0] == [
        (index, b"".join(leaves[index * 256 : (index + 1) * 256])) for index in range(len(leaves) // 256)
    ]
    edge = {tile.level: (tile.index, tile.width) for tile in growth.open_tiles()}
    assert edge.get(0, (len(leaves) // 256, 0)) == divmod(len(leaves), 256)
    assert edge.get(1, (0, 0)) == (0, len(leaves) // 256)


def test_a_tree_of_more_than_65536_has_a_level_more() -> None:
    growth = Growth(65535, [bytearray(bytes(32) * 255), bytearray(bytes(32) * 255)])
    tiles = list(growth.grow([b"x"]))
    assert [(tile.level, tile.index, tile.width) for tile in tiles] == [(0, 255, 256), (1, 0, 256)]
    assert growth.edge[2] == part_of(tiles[1].data, 0, 256) == growth.root()
    assert next(growth.open_tiles()).level == 2


@given(st.lists(st.binary(max_size=300), max_size=5), st.data())
def test_bundles(entries: list[bytes], data: st.DataObject) -> None:
    written = bundle(entries)
    assert unbundled(written, len(entries)) == entries
    with pytest.raises(TrustError):
        unbundled(written, len(entries) + 1)
    with pytest.raises(TrustError):
        unbundled(written + b"\0", len(entries))
    if entries:
        with pytest.raises(TrustError):
            unbundled(written[:-1], len(entries))


def test_a_node_is_no_leaf() -> None:
    assert node_hash(LEAVES[0], LEAVES[1]) != leaf_hash(LEAVES[0] + LEAVES[1])
