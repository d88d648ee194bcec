"""The names of paramiko's own that we lean on, so that a release which moves them is noticed here and not on a crane."""

from __future__ import annotations

import inspect

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.buffered_pipe import BufferedPipe

from verifier.transport.ssh import algorithms
from verifier.transport.ssh.inbox import Stream
from verifier.transport.ssh.session import PACKET, WINDOW, _Transport


def test_the_version_is_one_we_know() -> None:
    assert paramiko.__version__.startswith("5."), "read the change log, then run tests/test_ssh_*.py, then widen this"


def test_the_methods_we_extend_are_called_as_we_think() -> None:
    run = inspect.getsource(paramiko.Transport)
    assert "parsed = self._really_parse_kex_init(m)\n" in run
    assert "def _verify_key(self, host_key, sig):" in run
    assert "self._key_info[self.host_key_type]" in run
    assert "self._kex_info[agreed_kex[0]](self)" in run
    assert 'getattr(self, "_preferred_{}".format(type_))' in run
    assert "available_server_keys = self.preferred_keys" in run
    assert "self.agreed_on_strict_kex = (" in run
    assert "def _send_user_message(self, data):" in run
    handler = inspect.getsource(AuthHandler)
    assert "MSG_USERAUTH_FAILURE: self._parse_userauth_failure" in handler
    assert "self.transport._agreed_pubkey_algorithm = pubkey_algo" in handler
    assert 'for x in self.transport.preferred_pubkeys if "rsa" in x' in handler


def test_a_channel_feeds_and_closes_the_two_buffers_we_put_in() -> None:
    channel = inspect.getsource(paramiko.Channel)
    for line in (
        "self.in_buffer.feed(s)",
        "self.in_stderr_buffer.feed(s)",
        "self.in_buffer.close()",
        "self.in_stderr_buffer.close()",
        "self.in_buffer.read(nbytes, self.timeout)",
        "self.eof_received = True",
        "self.status_event.set()",
        "self.exit_status = -1",
    ):
        assert line in channel, line
    assert "self.transport._unlink_channel(self.chanid)" in inspect.getsource(vars(paramiko.Channel)["_handle_close"])
    assert "self._channels.delete(chanid)" in inspect.getsource(vars(paramiko.Transport)["_unlink_channel"])
    used = {name for name in vars(BufferedPipe) if not name.startswith("_") and f"buffer.{name}(" in channel}
    assert used <= set(vars(Stream)), used - set(vars(Stream))


def test_every_algorithm_we_name_is_one_paramiko_or_we_can_do() -> None:
    class Nothing:
        def settimeout(self, seconds: float) -> None:
            pass

    mine = algorithms.ours(algorithms.LEGACY)
    transport = _Transport(Nothing(), mine, lambda key: None, WINDOW)  # type: ignore[arg-type]  # nothing is sent
    assert set(mine.key_exchanges) == set(transport._kex_info)
    assert set(mine.ciphers) <= set(paramiko.Transport._cipher_info)  # type: ignore[attr-defined]  # private
    assert set(mine.macs) <= set(paramiko.Transport._mac_info)  # type: ignore[attr-defined]  # private
    assert set(mine.host_keys) <= set(transport._key_info)
    assert tuple(transport.preferred_kex) == mine.key_exchanges
    assert tuple(transport.preferred_keys) == mine.host_keys
    assert PACKET < WINDOW
