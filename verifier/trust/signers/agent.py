"""Keys that an ssh-agent holds: it signs, and the secret stays with it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from verifier.errors import TrustError, UsageError
from verifier.transport.ssh.agent import HeldKey, held_keys
from verifier.trust.keys import Algorithm, PublicKey, read_public_key

ADD_ONE = "ssh-add your signing key (Ed25519 or ECDSA P-256); `ssh-add -l` shows what the agent holds"


@dataclass(frozen=True, slots=True)
class AgentSigner:
    public: PublicKey
    ask: Callable[[bytes], bytes] = field(repr=False)
    """Bytes to sign, to a signature in SSH's own writing."""

    @property
    def key_id(self) -> str:
        return self.public.key_id

    def sign(self, data: bytes) -> bytes:
        signature = _bare(self.ask(data), self.public.algorithm)
        # an agent is another program: what it made is looked at before it goes anywhere
        if not self.public.holds(signature, data):
            raise TrustError("the ssh-agent made a signature that does not hold", "ssh-add the key again, from its file")
        return signature


def agent_signer(wanted: str = "") -> AgentSigner:
    """The key of the ssh-agent with this fingerprint (`SHA256:...`) or comment; empty: the only one that can sign here.

    Raises:
        UsageError: there is no agent, it does not hold that key, or more than one would do.
        TrustError: the key is of an algorithm that does not count.
    """
    held = tuple((key, _public(key)) for key in held_keys())
    usable = [(key, public) for key, public in held if isinstance(public, PublicKey)]
    if wanted.startswith("SHA256:"):
        found = [pair for pair in usable if pair[1].fingerprint == wanted.rstrip("=")]
    elif wanted:
        for key, public in held:
            if key.comment == wanted and isinstance(public, TrustError):
                raise TrustError(f"the key {wanted!r} of the ssh-agent cannot sign here: {public}", public.hint) from public
        found = [pair for pair in usable if pair[0].comment == wanted]
    else:
        found = usable
    if len(found) == 1:
        return AgentSigner(found[0][1], found[0][0].sign)
    listed = "; ".join(f"{public.fingerprint} {key.comment!r}" for key, public in found or usable) or "none that can sign here"
    if found:
        raise UsageError(
            f"the ssh-agent holds {len(found)} keys that could be meant: {listed}", "name one: --key agent:SHA256:..."
        )
    if wanted:
        raise UsageError(f"the ssh-agent holds no key {wanted!r}; it holds {listed}", ADD_ONE)
    raise UsageError("the ssh-agent holds no key that can sign here", ADD_ONE)


def _public(key: HeldKey) -> PublicKey | TrustError:
    """The key in our writing, or why it does not count."""
    name, _ = _string(key.blob)
    try:
        return read_public_key(name + b" " + base64.b64encode(key.blob))
    except TrustError as error:
        return error


def _bare(signature: bytes, algorithm: Algorithm) -> bytes:
    """A signature out of SSH's writing (RFC 8709, section 6; RFC 5656, section 3.1.2). What is none comes back empty."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    _, rest = _string(signature)
    inner, _ = _string(rest)
    if algorithm is not Algorithm.P256:
        return inner
    first, rest = _string(inner)
    second, _ = _string(rest)
    return encode_dss_signature(int.from_bytes(first, "big"), int.from_bytes(second, "big"))


def _string(data: bytes) -> tuple[bytes, bytes]:
    """The first string of SSH's writing, and what follows it."""
    end = 4 + int.from_bytes(data[:4], "big")
    return data[4:end], data[end:]
