"""From an error to a reading: the one table that says which reason an error of the transport is."""

from __future__ import annotations

from verifier.collect.printable import escaped
from verifier.errors import (
    BadReply,
    DeviceError,
    IdentityChanged,
    IdentityUnknown,
    LoginRefused,
    OutsideWindow,
    OverBound,
    Refused,
    TimedOut,
    Truncated,
    Unreachable,
    Unsupported,
)
from verifier.model.snapshot import WHOLE_ITEM, Reading, Unread
from verifier.model.words import Evidence, Reason

REASONS: tuple[tuple[type[DeviceError], Reason], ...] = (
    (Unreachable, Reason.UNREACHABLE),
    (IdentityChanged, Reason.IDENTITY),
    (IdentityUnknown, Reason.IDENTITY),
    (LoginRefused, Reason.LOGIN),
    (TimedOut, Reason.TIMED_OUT),
    (Truncated, Reason.TRUNCATED),
    (BadReply, Reason.BAD_REPLY),
    (Refused, Reason.REFUSED),
    (OverBound, Reason.BOUND),
    (Unsupported, Reason.UNSUPPORTED),
    (OutsideWindow, Reason.WINDOW),
    (DeviceError, Reason.BAD_REPLY),
)
"""First match wins; the root stands last, so that no error of a device is without a reason."""

LINE_LOST = (Unreachable, TimedOut, Truncated, BadReply)
"""Errors after which the line itself is in doubt. So many of them in a row as the pace allows, and the device is left alone."""


def reason(error: DeviceError) -> Reason:
    """Why something was not read, as the error says."""
    return next(word for kind, word in REASONS if isinstance(error, kind))


def unread(error: DeviceError) -> Unread:
    """The value of what could not be read because of this error."""
    return Unread(reason(error), escaped(str(error)))


def whole(value: Unread) -> tuple[Reading, ...]:
    """The readings of an item of which nothing was read."""
    return (Reading(WHOLE_ITEM, value, Evidence.CLAIMED),)
