"""Hashing a local folder and the ext4 image of the same tree, beside AIDE's `--check` with sha256.

Target: at least twice AIDE's files per second. AIDE compares mode, owner, group, link count and sha256; we answer type, mode,
owner, group, size, time, link target and sha256. AIDE is timed as a whole process, we with and without Python's start.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.pairs import Pairs, pairs
from verifier.model.device import ImageAddress
from verifier.model.profile import Bounds, Proof
from verifier.transport.answer import FileEntry
from verifier.transport.offline.route import ImageRoute
from verifier.transport.request import ReadTree

FILES, SIZE = 5_000, 4096
LARGE, LARGE_SIZE = 4, 32 << 20
RUNS = 3

_PROCESS = "import sys; from bench.local_hashing import read; print(read(sys.argv[1]))"


def run(files: int = FILES, size: int = SIZE, large: int = LARGE, large_size: int = LARGE_SIZE) -> Iterator[str]:
    """Small files alone, which is what a root file system is made of; then large ones alone."""
    if not shutil.which("aide"):
        yield "skipped: aide is not installed"
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield from _beside_aide(Path(folder), "small", files, size, images=True)
        yield from _beside_aide(Path(folder), "large", large, large_size, images=False)


def _beside_aide(folder: Path, what: str, files: int, size: int, images: bool) -> Iterator[str]:
    tree = folder / what
    _build(tree, files, size)
    check = _aide(folder, tree)
    count = read(str(tree))
    assert count >= files, count
    title = f"{files} files of {size >> 10} KiB"

    def line(name: str, timed: Pairs, target: str = "at most 0.50x") -> str:
        rates = sorted(1 / ratio for ratio in timed.ratios)
        return f"{timed.line(f'{title}, {name}', target)}; {rates[len(rates) // 2]:.1f} times AIDE's files/s"

    yield line("folder", pairs(lambda: read(str(tree)), check, RUNS))
    if not images:
        return
    yield line("folder, whole process", pairs(lambda: _process(tree), check, RUNS), "none: Python's start is in it")
    for name, make in (("ext4 image", _ext4), ("squashfs image (gzip)", _squashfs), ("tar archive", _tar)):
        image = make(folder / "image", tree)
        yield line(name, pairs(lambda image=image: read(str(image)), check, RUNS))  # type: ignore[misc]  # bound at once
        image.unlink()


def read(path: str) -> int:
    """Everything in a folder or image; how many members were read."""
    with ImageRoute.open(ImageAddress(path)) as route:
        count = 0
        for answer in route.ask(ReadTree((b"/",), ("/lost+found",), Proof.CONTENT, (), 0, Bounds())):
            assert isinstance(answer, FileEntry), answer
            count += 1
        return count


def _process(path: Path) -> None:
    subprocess.run([sys.executable, "-c", _PROCESS, str(path)], check=True, stdout=subprocess.DEVNULL)


def _build(tree: Path, files: int, size: int) -> None:
    for number in range(files):
        folder = tree / f"folder-{number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file-{number}").write_bytes(os.urandom(size))


def _aide(folder: Path, tree: Path) -> Callable[[], None]:
    settings = folder / "aide.conf"
    settings.write_text(
        f"database_in=file:{folder}/aide.db\ndatabase_out=file:{folder}/aide.db\ngzip_dbout=no\n"
        f"report_url=file:/dev/null\nCheck = sha256+p+u+g+n\n{tree}(/|$) Check\n"
    )

    def call(command: str) -> None:
        subprocess.run(["aide", f"--config={settings}", command], check=True, capture_output=True)

    call("--init")
    return lambda: call("--check")


def _ext4(image: Path, tree: Path) -> Path:
    megabytes = sum(each.stat().st_size for each in tree.rglob("*")) // (1 << 20) + 64
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", tree, image, f"{megabytes}M"], check=True, capture_output=True)
    return image


def _squashfs(image: Path, tree: Path) -> Path:
    subprocess.run(["mksquashfs", tree, image, "-quiet", "-no-progress", "-noappend"], check=True, stdout=subprocess.DEVNULL)
    return image


def _tar(image: Path, tree: Path) -> Path:
    subprocess.run(["tar", "-C", tree, "-cf", image, "."], check=True)
    return image
