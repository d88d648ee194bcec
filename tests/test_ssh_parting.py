"""Channels one after the other: the one that was cut short is gone on the device before the next is opened."""

from __future__ import annotations

import os

import pytest

from tests.servers.dropbear import running_dropbear
from tests.servers.sshd import no_secrets
from verifier.transport.ssh.session import connect


@pytest.mark.skipif(os.geteuid() != 0, reason="dropbear's user has to be made")
def test_after_an_answer_that_was_cut_short_dropbear_answers_the_next_question() -> None:
    with running_dropbear() as device:
        found = connect(device.address(), no_secrets, lambda line: None)
        try:
            for _ in range(40):
                cut = found.channel()
                cut.start(b"echo begun; sleep 0.006")  # ends just when the next one is opened
                assert cut.receive()
                cut.close()
                whole = found.channel()
                whole.start(b"echo here")
                assert b"".join(iter(whole.receive, b"")) == b"here\n"
                whole.close()
        finally:
            found.close()
