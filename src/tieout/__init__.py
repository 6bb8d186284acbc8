"""Tieout; importing it tells the allocators of this process to give unused memory back.

Polars and the decoders free large blocks from several threads, and the allocators keep them: 20 to
60 MB of a first load of a million lines. Both are told here because this is the one place that is
sure to run before Polars is loaded, which reads its setting once.
"""

import ctypes
import sys

_ARENAS_MAX = 2  # glibc makes eight a core, each with free blocks of its own
_ARENAS_PARAMETER = -8  # M_ARENA_MAX of <malloc.h>
# Polars' allocator: two arenas, and free pages given back after half a second. At once
# (dirty_decay_ms:0) saves 5 MB more and costs two fifths more CPU (bench/README.md).
_POLARS_ALLOCATOR = b"_RJEM_MALLOC_CONF", b"narenas:2,dirty_decay_ms:500,muzzy_decay_ms:0"


def _spare_memory() -> None:
    """Set what nobody has set; elsewhere than on Linux nothing is done."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):  # not in musl
        library.mallopt(_ARENAS_PARAMETER, _ARENAS_MAX)
    # setenv leaves a value that is there as it is; os.environ is for settings.py alone.
    library.setenv(*_POLARS_ALLOCATOR, 0)


if sys.platform == "linux":
    _spare_memory()
