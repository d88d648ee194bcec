"""One digest over everything an item answered. It stands in reports, and names the item as a subject of a signed statement."""

from __future__ import annotations

import hashlib

from verifier.model.codec import dumps
from verifier.model.snapshot import ItemSnapshot


def manifest_sha256(item: ItemSnapshot) -> str:
    """SHA-256 of the item's readings as the codec writes them, 64 hex digits.

    The item's name is not part of it, nor is the profile's mask: both stand beside it wherever it is used.
    """
    return hashlib.sha256(dumps(item.readings)).hexdigest()
