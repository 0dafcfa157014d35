"""What tests of the C need."""

import pytest

from agentnet_otel.sources.native import extension

needs_c = pytest.mark.skipif(
    extension is None, reason="it was not built, or is not wanted: `test_extension` says which"
)
