"""The same workload as of the recording ``otel_openai``, by a release of 2025 that writes the former names."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parent.parent / "otel_openai" / "record.py"))
