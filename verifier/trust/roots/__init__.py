"""Where the policy comes from, and who signed it: TUF metadata, read and written with python-tuf.

`trusted` says what holds and what grew out of what; `draft` makes the next version and takes signatures. Bytes and values in,
bytes and values out. The libraries are imported when there is signed metadata to read or to make, not before.
"""

from verifier.trust.roots.trusted import Trusted, grew_from, read_trust

__all__ = ["Trusted", "grew_from", "read_trust"]
