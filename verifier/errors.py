"""Every error the tool raises on purpose, drawn as one tree.

    CraneVerifyError            exit 1   our own fault, or the disk's
    +-- UsageError              exit 2   a wrong command, name or file
    |   +-- SettingsError       exit 2   ... with file and line
    +-- DeviceError             exit 4   one device could not be asked; becomes a reading of kind `unread`
    |   +-- Unreachable                  no name, no route, no answer at connect
    |   +-- IdentityChanged              host key or certificate is not the pinned one (drift, exit 3)
    |   +-- IdentityUnknown              nothing is pinned yet
    |   +-- LoginRefused                 the device did not accept us
    |   +-- TimedOut                     silence
    |   +-- Truncated                    the answer ended before its end
    |   +-- BadReply                     the answer does not belong to the question
    |   +-- Refused                      the device said no to this one question
    |   +-- OverBound                    more bytes, names or seconds than the profile allows
    |   +-- Unsupported                  this route cannot ask this
    |   +-- OutsideWindow                not at this hour; nothing was sent
    +-- ForbiddenRequest        exit 1   our read-only guard stopped a request before a byte left
    +-- TrustError              exit 5   a signature, quorum, serial or digest does not hold
    +-- RecordError             exit 1   the disk refused: full, read-only, locked
        +-- InUse                        another run holds it

The message says what happened, in lower case; the hint says what to do next.
"""

from __future__ import annotations


class CraneVerifyError(Exception):
    """Root of the tree. `str(error)` is the message; `error.hint` is what to do next."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(CraneVerifyError):
    """The person asked for something that does not exist or does not fit."""

    exit_code = 2


class SettingsError(UsageError):
    """A file a user owns is wrong. `line` and `column` count from 1; 0 means the whole file."""

    def __init__(self, path: str, line: int, message: str, hint: str = "", column: int = 0) -> None:
        place = f"{path}:{line}" if line else path
        super().__init__(f"{place}: {message}", hint)
        self.path, self.line, self.column = path, line, column


class DeviceError(CraneVerifyError):
    """A device could not be asked, or not answered properly."""

    exit_code = 4


class Unreachable(DeviceError):
    pass


class IdentityChanged(DeviceError):
    """The key or certificate is not the pinned one. No credential has been sent."""

    exit_code = 3

    def __init__(self, message: str, hint: str, presented: str) -> None:
        super().__init__(message, hint)
        self.presented = presented


class IdentityUnknown(DeviceError):
    """No key is pinned. No credential has been sent. `presented` is what the device showed."""

    def __init__(self, message: str, hint: str, presented: str) -> None:
        super().__init__(message, hint)
        self.presented = presented


class LoginRefused(DeviceError):
    pass


class TimedOut(DeviceError):
    pass


class Truncated(DeviceError):
    pass


class BadReply(DeviceError):
    pass


class Refused(DeviceError):
    """The device answered, and its answer is no: a Modbus exception, a permission."""


class OverBound(DeviceError):
    pass


class Unsupported(DeviceError):
    pass


class OutsideWindow(DeviceError):
    pass


class ForbiddenRequest(CraneVerifyError):
    """Nothing was sent. A profile or our own code asked for something that is not a pure read."""


class TrustError(CraneVerifyError):
    exit_code = 5


class RecordError(CraneVerifyError):
    pass


class InUse(RecordError):
    """Another run holds what is asked for, and held it for as long as was waited."""
