"""Tieout; importing it tells the allocators of this process to give unused memory back.

Polars and the decoders free large blocks from several threads, and the allocators keep them: 20 to
60 MB of a first load of a million lines. They are told here because this is the one place that is
sure to run before Polars is loaded, which reads its setting once.
"""

from tieout import memory

memory.spare()
