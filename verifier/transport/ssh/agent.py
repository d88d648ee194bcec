"""The ssh-agent of the person at this machine, asked what it holds and to sign. Pure bytes: what they are worth, `trust` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import paramiko
from paramiko.agent import get_agent_connection

from verifier.errors import UsageError
from verifier.model.member import shown


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key whose secret half an ssh-agent holds."""

    blob: bytes
    """The public half in SSH's own writing (RFC 4253, section 6.6)."""
    comment: str
    """As `ssh-add -l` shows it; anything at all may stand there."""

    def sign(self, data: bytes) -> bytes:
        """The signature over exactly these bytes, in SSH's own writing: the algorithm's name, then its form.

        Raises:
            UsageError: the agent is gone, no longer holds the key, or its owner said no.
        """
        with _agent() as agent:
            for key in agent.get_keys():
                if key.blob == self.blob:
                    signature: bytes = key.sign_ssh_data(data)  # type: ignore[assignment]  # the stubs say Message; it is bytes
                    return signature
        raise UsageError("the ssh-agent no longer holds the key", "ssh-add the key again")


def held_keys() -> tuple[HeldKey, ...]:
    """What the ssh-agent holds, in its own order.

    Raises:
        UsageError: there is no agent, or it does not answer.
    """
    with _agent() as agent:
        return tuple(HeldKey(key.blob, key.comment) for key in agent.get_keys())


@contextmanager
def _agent() -> Iterator[paramiko.Agent]:
    # the library takes an agent that cannot be reached for one that holds nothing
    connection = get_agent_connection()
    if connection is None:
        raise UsageError("no ssh-agent can be reached", 'start one: eval "$(ssh-agent)"; then ssh-add the key')
    connection.close()
    agent = None
    try:
        agent = paramiko.Agent()
        yield agent
    except Exception as error:  # what a broken agent makes the library raise is no closed list
        said = shown(str(error).encode("utf-8", "replace"))[:200]
        raise UsageError(
            f"the ssh-agent does not do it: {said}",
            "look whether it asks for your consent, or is locked: ssh-add -X; or start it anew and ssh-add the key",
        ) from error
    finally:
        if agent:
            agent.close()
