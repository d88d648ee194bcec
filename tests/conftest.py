"""What holds for all tests: on Debian as root nothing may be skipped, since everything can be installed there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# sshd, useradd and mkfs stand in folders that are not in everybody's path
os.environ["PATH"] += ":/usr/sbin:/sbin"

EVERYTHING_CAN_BE_INSTALLED = os.geteuid() == 0 and Path("/etc/debian_version").exists()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not EVERYTHING_CAN_BE_INSTALLED:
        return
    if reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line("tests were skipped on a machine where everything they need can be installed: that is a failure")
