"""Imports run one way: a lower layer never imports a higher one (design, section 2), and a library lives in one file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import verifier

LAYERS = (
    ("errors", "model"),
    ("settings",),
    ("transport",),
    ("collect",),
    ("compare",),
    ("trust",),
    ("record",),
    ("report",),
    ("procedures",),
    ("simulator",),
    ("cli",),
)
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}
ONE_PLACE = {
    "paramiko": {"transport/ssh/session.py", "transport/ssh/agent.py", "simulator/controller.py"},
    "pkcs11": {"trust/signers/token.py"},
    "pymodbus": {"transport/modbus/route.py"},
    "pytsk3": {"transport/offline/disk.py"},
    "PySquashfsImage": {"transport/offline/squashfs.py"},
    "rfc3161_client": {"trust/log/timestamp.py"},
    "rich": {"cli"},
    "click": {"cli"},
    "jinja2": {"report"},
    "yaml": {"settings/yaml.py"},
    "tuf": {"trust/roots"},
    "securesystemslib": {"trust/roots"},
    "socket": {"transport", "simulator"},
    "sqlite3": {"record/index.py"},
}
PACKAGE = Path(verifier.__file__).parent


def imports() -> Iterator[tuple[str, str]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            yield from ((path.relative_to(PACKAGE).as_posix(), name) for name in names)


def layer_of(place: str) -> int:
    return HEIGHT[place.split("/")[0].removesuffix(".py")]


def test_a_lower_layer_never_imports_a_higher_one() -> None:
    seen = 0
    for place, name in imports():
        if name.startswith("verifier.") and "/" in place and not name.startswith("verifier.profiles"):
            seen += 1
            assert layer_of(place) >= HEIGHT[name.split(".")[1]], f"{place} imports {name}"
    assert seen > 50


def test_a_library_is_touched_in_its_one_place() -> None:
    for place, name in imports():
        allowed = ONE_PLACE.get(name.split(".")[0])
        assert allowed is None or any(place == a or place.startswith(a + "/") for a in allowed), f"{place} imports {name}"
