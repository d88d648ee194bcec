"""`python -m bench [NAME ...]`: every benchmark is a module here with `run()`, which yields the lines it measured."""

from __future__ import annotations

import importlib
import os
import platform
import sys

BENCHMARKS = ("startup", "archive_reading", "ssh_reading", "modbus_reading", "local_hashing", "record_append", "log_size")


def main() -> None:
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians of alternating pairs")
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"\n{name}")
        for line in importlib.import_module(f"bench.{name}").run():
            print(f"  {line}", flush=True)


main()
