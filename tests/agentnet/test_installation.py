"""Our performance API in the place of the framework's: its providers record into ours."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FRAMEWORK = os.environ.get("AGENTNET_SRC") or str(Path(__file__).parent / "standin")

SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
import agentnet_otel.performance as ours
if sys.argv[1] == "install first":
    ours.install()
import agentnet.providers.base as base
from agentnet.providers.example import ExampleEngine
ours.install()
told = {"bound at import": base.get_latency_tracker is ours.latency.get_latency_tracker}
ExampleEngine({"model": "m"}).infer("hello")
from agentnet.performance.tokens import get_token_tracker
overview = get_token_tracker().get_system_token_overview()
told["recorded"] = overview["overview"]["total_turns"] == 1 and overview["overview"]["total_tokens"] > 0
ours.uninstall()
told["restored"] = base.get_latency_tracker.__module__ == "agentnet.performance.latency"
ExampleEngine({"model": "m"}).infer("hello")
told["no longer recorded"] = ours.tokens.get_token_tracker().get_system_token_overview() == overview
print("TOLD" + json.dumps(told))
"""


@pytest.mark.parametrize("first", ["install first", "import first"])
def test_providers_record_into_ours(tmp_path, first):
    """Whichever came first: ours gets each answer while it stands in, and none afterwards."""
    app = tmp_path / "app.py"
    app.write_text(SCRIPT)
    path = os.pathsep.join(filter(None, [FRAMEWORK, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, app, first],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.split("TOLD")[-1])
    assert told == dict.fromkeys(told, True)
