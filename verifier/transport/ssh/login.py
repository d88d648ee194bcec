"""Logging in: the configured credentials, in their order, each tried once, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import assert_never

from verifier.errors import LoginRefused
from verifier.model.device import Agent, Credential, Interactive, KeyFile, Password
from verifier.model.member import shown


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a device said to one attempt. `allowed` are the methods it names for the next one; empty: it named none."""

    accepted: bool = False
    partial: bool = False
    """Right, but the device wants one more."""
    allowed: tuple[str, ...] = ()


Offer = Callable[[Credential], Iterator[Outcome]]
"""Tries a credential: once, or once per key of an agent."""


def method(credential: Credential) -> str:
    """The protocol's name for it (RFC 4252, RFC 4256)."""
    match credential:
        case KeyFile() | Agent():
            return "publickey"
        case Password():
            return "password"
        case Interactive():
            return "keyboard-interactive"
        case _:
            assert_never(credential)


def label(credential: Credential) -> str:
    """How people know it. Holds no secret."""
    match credential:
        case KeyFile(path, _, certificate):
            return f"key file {path}" + (" with its certificate" if certificate else "")
        case Agent(fingerprint):
            return f"ssh-agent key {fingerprint}" if fingerprint else "ssh-agent"
        case Password():
            return "password"
        case Interactive():
            return "keyboard-interactive answers"
        case _:
            assert_never(credential)


def log_in(user: str, host: str, credentials: tuple[Credential, ...], offer: Offer) -> str:
    """Log in. Comes back with the methods that did it, joined by `+`.

    A method the device has already ruled out is not tried: a password sent in vain is a password given away.

    Raises:
        LoginRefused: none of them, or not all that the device wants.
        DeviceError: the line broke.
    """
    done: list[str] = []
    tried: list[str] = []
    allowed: tuple[str, ...] = ()
    for credential in credentials:
        if allowed and method(credential) not in allowed:
            tried.append(f"{label(credential)} (not sent: the device does not allow {method(credential)})")
            continue
        for outcome in offer(credential):
            allowed = outcome.allowed or allowed
            if outcome.accepted or outcome.partial:
                done.append(method(credential))
            if outcome.accepted:
                return "+".join(done)
            if outcome.partial:
                break
        else:
            tried.append(label(credential))
    ways = ", ".join(shown(name.encode("utf-8", "replace")) for name in allowed) or "nothing it names"
    if done:
        message = f"{host} accepted {'+'.join(done)} of {user} and asks for one more of: {ways}"
        hint = "add it under credentials, after the ones that were accepted"
    else:
        message = f"{host} does not let {user} in"
        hint = "check the user name, and that the device knows this key or password"
    if tried:
        message += f"; tried: {'; '.join(tried)}"
    if not done:
        message += f"; the device allows: {ways}"
    raise LoginRefused(message, hint)


class Answers:
    """Answers a device's prompts in their order, each answer once; called as RFC 4256's client side is."""

    def __init__(self, answers: list[str]) -> None:
        self._left = answers

    def __call__(self, title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:  # noqa: ARG002 - for people to read
        """Raises LoginRefused when the device asks for more than there are answers."""
        if len(prompts) > len(self._left):
            asked = shown(prompts[len(self._left)][0].encode("utf-8", "replace"))[:100]
            raise LoginRefused(f"the device asks for more than there are answers: {asked!r}", "add the answer under interactive")
        given, self._left = self._left[: len(prompts)], self._left[len(prompts) :]
        return given
