"""A real process that follows an approved batch to its end: python plan_program.py HOME BATCH.

It dies at TIEOUT_KILL_AT and acts as the holder of TIEOUT_TOKEN, as every command does.
"""

from __future__ import annotations

import json
import sys

from tieout.app import Instance
from tieout.settings import environment
from tieout.verbs import planning


def main(home: str, batch: str) -> None:
    """Print how the batch stands when its runs have ended."""
    instance = Instance(environment(home))
    try:
        told = planning.follow(instance, batch)
    finally:
        instance.close()
    print(json.dumps({"sentence": told["sentence"], "exit_code": told["exit_code"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
