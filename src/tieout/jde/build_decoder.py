"""Builds the optional C decoder next to its source; run by `make setup` where gcc is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("_decode.c")
BUILD_SECONDS_MAX = 120


def build() -> Path:
    """Compile `_decode.c` for this interpreter; the path of the result.

    The file is replaced in one step, so that a process that has it loaded keeps the old one.
    """
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    target = SOURCE.with_name(f"_decode{suffix}")
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    command = [
        "gcc", "-std=c11", "-O3", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC",
        f"-I{sysconfig.get_paths()['include']}", str(SOURCE), "-o", str(fresh),
    ]  # fmt: skip
    subprocess.run(command, check=True, timeout=BUILD_SECONDS_MAX)  # noqa: S603 - our own file
    fresh.replace(target)
    return target


if __name__ == "__main__":
    sys.stderr.write(f"built {build()}\n")
