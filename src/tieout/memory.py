"""The allocators of this process: told to give back what is free, and asked to."""

import ctypes
import sys

_ARENAS_MAX = 2  # glibc makes eight a core, each with free blocks of its own
_ARENAS_PARAMETER = -8  # M_ARENA_MAX of <malloc.h>
# Polars' allocator: two arenas, and free pages given back after half a second. At once
# (dirty_decay_ms:0) saves 5 MB more and costs two fifths more CPU (bench/README.md).
_POLARS_ALLOCATOR = b"_RJEM_MALLOC_CONF", b"narenas:2,dirty_decay_ms:500,muzzy_decay_ms:0"
_library = ctypes.CDLL(None) if sys.platform == "linux" else None


def spare() -> None:
    """Set what nobody has set, before Polars reads it; elsewhere than on Linux nothing is done."""
    if _library is None:
        return
    if hasattr(_library, "mallopt"):  # not in musl
        _library.mallopt(_ARENAS_PARAMETER, _ARENAS_MAX)
    # setenv leaves a value that is there as it is; os.environ is for settings.py alone.
    _library.setenv(*_POLARS_ALLOCATOR, 0)


def give_back() -> None:
    """Give free memory back to the machine: glibc keeps it, 50 MB after many pages were read."""
    if _library is not None and hasattr(_library, "malloc_trim"):  # not in musl
        _library.malloc_trim(0)
