"""What a device's own programs can do for us, found out once by running the very commands that will be used."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from verifier.errors import BadReply, Truncated
from verifier.model.words import FileType
from verifier.transport.shell import commands
from verifier.transport.shell.execution import Execute
from verifier.transport.shell.listing import Form, records

OUTPUT_LIMIT = 1 << 16
"""Bytes of one probe's answer that are looked at."""


class ArchiveTool(StrEnum):
    GNU = "GNU tar"
    BUSYBOX = "busybox tar"
    NONE = "no tar"


@dataclass(frozen=True, slots=True)
class Userland:
    archive: ArchiveTool
    archive_version: str
    listing: Form
    hash: bool
    cat: bool

    @property
    def words(self) -> tuple[str, ...]:
        """For `probe`, a line each: `GNU tar 1.34`, `find with -printf`, `sha256sum`, `cat`."""
        listing = {Form.PRINTF: "find with -printf", Form.STAT: "find with stat", Form.NONE: "no usable find"}[self.listing]
        return (
            f"{self.archive} {self.archive_version}".strip(),
            listing,
            "sha256sum" if self.hash else "no sha256sum",
            "cat" if self.cat else "no cat",
        )


def probe_userland(execute: Execute) -> Userland:
    """Four or five commands that read nothing but names of the kernel's. A device without a shell has none: an answer too.

    Raises:
        DeviceError: the line itself broke.
    """
    archive, version = _archive(execute)
    empty = hashlib.sha256().hexdigest().encode()
    status, output, _ = _run(execute, commands.sha256(b"/dev/null"))
    hashes = status == 0 and output.split() == [empty, b"/dev/null"]
    status, output, _ = _run(execute, commands.cat(b"/dev/null"))
    cat = status == 0 and output == b""
    listing = next((form for form in (Form.PRINTF, Form.STAT) if _lists(execute, form)), Form.NONE)
    return Userland(archive, version, listing, hashes, cat)


def _archive(execute: Execute) -> tuple[ArchiveTool, str]:
    """Old busybox knows no `--version` and says its name with its complaint."""
    _, output, errors = _run(execute, commands.tar_version())
    if found := re.search(rb"\(GNU tar\) ([0-9][0-9.]*)", output):
        return ArchiveTool.GNU, found[1].decode("ascii")
    if found := re.search(rb"tar \(busybox\) ([0-9][0-9.]*)|BusyBox v([0-9][0-9.]*)", output + errors):
        return ArchiveTool.BUSYBOX, (found[1] or found[2]).decode("ascii")
    return ArchiveTool.NONE, ""


def _lists(execute: Execute, form: Form) -> bool:
    """/proc/self is a link on every Linux, so that a form which cannot show link targets is found out here."""
    command = commands.list_tree((b"/proc/self",), 0, (), printf=form is Form.PRINTF)
    status, output, _ = _run(execute, command)
    if status != 0:
        return False
    try:
        found = list(records(form, (output,)))
    except (BadReply, Truncated):
        return False
    return len(found) == 1 and found[0][0] == b"/proc/self" and form.parsed(found[0][1]).type is FileType.SYMLINK


def _run(execute: Execute, command: tuple[bytes, ...]) -> tuple[int, bytes, bytes]:
    """Status, output and errors of a short command."""
    execution = execute(command)
    try:
        output = b""
        for chunk in execution.chunks():
            output += chunk
            if len(output) > OUTPUT_LIMIT:
                raise BadReply(f"{command[0].decode()} answered more than {OUTPUT_LIMIT} bytes to a short question")
        return execution.status, output, execution.errors
    finally:
        execution.close()
