"""The checklist of a visit: what no network can see, answered by the person at the crane."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import Field

from verifier.errors import SettingsError
from verifier.model.visit import Check
from verifier.settings.fault import refusal
from verifier.settings.fields import Line
from verifier.settings.shape import Shape, checked
from verifier.settings.yaml import read_node

LARGEST_PHOTO = 256 << 20
"""Bytes."""


class CheckShape(Shape):
    question: Line
    answer: Line
    note: Line | None = None
    photos: Annotated[tuple[Line, ...], Field(max_length=100)] = ()
    """Files, beside this one. Their SHA-256 is signed; keep the files."""


class ChecklistShape(Shape):
    checks: Annotated[tuple[CheckShape, ...], Field(min_length=1, max_length=500)]


def load_checklist(path: Path) -> tuple[Check, ...]:
    """The answers in a file, with the digest of each photo.

    Raises:
        SettingsError: it cannot be read, is not a checklist, or a photo is not there.
    """
    found = checked(ChecklistShape, read_node(path), "the checklist")
    if isinstance(found, tuple):
        raise refusal(str(path), found)
    return tuple(
        Check(each.question, each.answer, each.note or "", tuple(_digest(path, photo) for photo in each.photos))
        for each in found.checks
    )


def _digest(path: Path, photo: str) -> str:
    file = path.parent / photo
    try:
        if not file.is_file() or file.stat().st_size > LARGEST_PHOTO:
            raise SettingsError(str(path), 0, f"the photo {photo} is no file of at most {LARGEST_PHOTO >> 20} MiB", "name a file")
        with file.open("rb") as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(str(path), 0, f"the photo {photo} cannot be read: {reason}", "check the name") from error
