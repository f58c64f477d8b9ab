"""Work in batches that shrink when the memory does not hold them."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...protocol.errors import EngineError
from ..failures import is_no_memory


class Batches:
    """Remembers the largest batch that fits. ``limit`` is where to start; 0 tries everything at once."""

    def __init__(self, limit: int = 0) -> None:
        self.limit = limit

    def run(self, total: int, work: Callable[[slice], None]) -> None:
        """Calls ``work`` on slices that cover 0..total; halves them on out-of-memory.

        ``work`` must be repeatable. Raises EngineError("out_of_memory") where not even one item fits.
        """
        done = 0
        while done < total:
            count = min(total - done, self.limit or total)
            try:
                work(slice(done, done + count))
            except (RuntimeError, MemoryError) as error:
                if not is_no_memory(error):
                    raise
                if count == 1:
                    raise EngineError(
                        "out_of_memory",
                        "The memory does not hold a single tile with this backbone.",
                        "Close other programs, choose the CPU as device, or use a smaller backbone.",
                        str(error),
                    ) from error
                failed = True
            else:
                failed, done = False, done + count
            if failed:
                # Outside the handler: the traceback would keep the failed batch's tensors alive.
                self.limit = max(1, count // 2)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
