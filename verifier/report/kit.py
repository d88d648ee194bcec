"""A restore kit as tables, JSON and a page in plain words. Names that a device chose stand in tables only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from verifier.model.codec import time_text, to_json
from verifier.model.kit import Kit, KitFile
from verifier.model.member import raw
from verifier.report.machine import json_text
from verifier.report.spreadsheet import cell

FORMAT = "crane-verify restore kit 1"
LONGEST = 32_000
"""Characters of a cell; a spreadsheet holds 32,767."""
FILES_HEAD = ("standing", "path", "type", "mode", "owner", "group", "size", "link_target", "sha256", "copy", "item", "compared")
VALUES_HEAD = ("item", "member", "value", "registers", "address", "compared", "how")


def csv_files(kit: Kit) -> str:
    """What goes where, what is lacking first (RFC 4180)."""
    rows = sorted(map(_file_row, kit.files), key=lambda row: row[0] in ("kept", "no content"))
    gaps = ((each.standing.value, each.member, *[""] * 8, each.item, "yes") for each in kit.gaps)
    return _table(FILES_HEAD, (*gaps, *rows))


def csv_values(kit: Kit) -> str:
    """What a person sets by hand, or sees that it is so."""
    rows = (
        (
            *(each.item, each.member, each.value, " ".join(map(str, each.raw)), each.address, _yes(each.compared)),
            "set by hand" if each.raw else "see that it is so",
        )
        for each in kit.values
    )
    return _table(VALUES_HEAD, rows)


def json_kit(kit: Kit) -> str:
    """The same for other programs. `path_hex` are the bytes of a path as the device named it."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "device": str(kit.device),
        "baseline": {"serial": kit.serial, "sha256": kit.baseline, "signers": list(kit.signers)},
        "made": time_text(kit.made),
        "tool": kit.tool,
        "lacking": len(kit.lacking),
        "files": [
            {
                "standing": each.standing.value,
                "path": each.path,
                "path_hex": _hex(each.path),
                "item": each.item,
                "compared": each.compared,
                "copy": _copy(each),
                "mode": f"{each.file.mode:04o}",
                "file": to_json(each.file),
            }
            for each in kit.files
        ],
        "values": [
            {
                "item": each.item,
                "member": each.member,
                "value": each.value,
                "registers": list(each.raw),
                "address": each.address,
                "compared": each.compared,
            }
            for each in kit.values
        ],
        "not_read": [{"item": each.item, "member": each.member, "why": each.why} for each in kit.gaps],
        "not_asked": [to_json(each) for each in kit.not_asked],
        "notes": list(kit.notes),
    }
    return json_text(document)


def kit_readme(kit: Kit) -> str:
    """What to do with it, for a technician at night."""
    lacking = len(kit.lacking)
    whole = (
        f"**THIS KIT IS NOT WHOLE: {lacking} of what the baseline names is not in it.**\nThose rows stand first in kit.csv. "
        "Get them from the maker, and compare their SHA-256 with the table before you use them."
        if lacking
        else "The kit is whole: every content that the baseline names is in it."
    )
    not_asked = "".join(f"* the baseline says nothing of {each.item}: {each.why}\n" for each in kit.not_asked)
    notes = "".join(f"* {each}\n" for each in kit.notes)
    return f"""# Restore kit of {kit.device}

{whole}

It is what baseline {kit.serial} approves, signed by {", ".join(kit.signers)}; made {time_text(kit.made)} with {kit.tool}.
SHA-256 of the signed baseline: `{kit.baseline}`

{kit.tool.split()[0]} never writes to a device, and nothing in this folder does: a person sets the device up, with the
maker's own tools. The kit may hold secrets of the device. Keep it as you keep a key.

| here | is |
|---|---|
| `files/` | exact copies, each named by its SHA-256 |
| `kit.csv`, `kit.json` | where each goes, with mode, owner, group and link target; what is lacking |
| `values.csv` | registers and parameters to set by hand, and what the device must say of itself |
| `baseline.dsse.json` | the signed baseline, byte for byte (DSSE 1.0.2, in-toto Statement v1) |
| `trust/` | who could sign it |
| `SHA256SUMS` | digests of all the rest |

1. Is the folder as it was written? `sha256sum --quiet -c SHA256SUMS` says nothing and ends with 0.
2. Is it of the baseline in force? `crane-verify baseline show {kit.device}` names the SHA-256 above.
3. For each row of kit.csv: put `files/SHA256` to `path`, then set owner, group and mode (octal, as `chmod` takes it);
   make folders and links as the rows say. A backslash in a path stands for a character that cannot be shown; kit.json
   has the bytes (`path_hex`).
4. Set the values of values.csv by hand. Addresses are protocol addresses from 0: what manuals call 40001 is holding 0.
5. Before it is fitted: `crane-verify baseline verify-spare {kit.device} --image PATH`, or `--as` the spare at the bench.
6. When it is fitted: `crane-verify check {kit.device}`.

{not_asked}{notes}"""


def _file_row(each: KitFile) -> tuple[str, ...]:
    of = each.file
    where = (each.standing.value, each.path, of.type.value, f"{of.mode:04o}", str(of.owner), str(of.group), str(of.size))
    return (*where, of.target, of.sha256, _copy(each), each.item, _yes(each.compared))


def _copy(each: KitFile) -> str:
    return f"files/{each.file.sha256}" if each.standing == "kept" else ""


def _hex(path: str) -> str:
    try:
        return raw(path).hex()
    except ValueError:  # what was signed is shown as it is
        return ""


def _yes(compared: bool) -> str:
    return "yes" if compared else "no, it moves by itself"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([cell(text, LONGEST) for text in row] for row in rows)
    return out.getvalue()
