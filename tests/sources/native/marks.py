"""What tests of the C need."""

import gc
import tracemalloc

import pytest

from agentnet_otel.sources.native import extension

needs_c = pytest.mark.skipif(
    extension is None, reason="it was not built, or is not wanted: `test_extension` says which"
)


def growth(work):
    """By how many bytes memory grows while something is done three thousand times, after what the first times need."""

    def rounds(count):
        for _ in range(count):
            work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = rounds(300)
        return rounds(3000) - before
    finally:
        tracemalloc.stop()
