"""The same workload as of the recording ``mlflow``, with the names of the GenAI conventions switched on."""

import os
import runpy
from pathlib import Path

os.environ["MLFLOW_ENABLE_OTEL_GENAI_SEMCONV"] = "true"
runpy.run_path(str(Path(__file__).parent.parent / "mlflow" / "record.py"))
