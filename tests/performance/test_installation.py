"""Ours in the place of agentnet.performance: before and after AgentNet's import, and without AgentNet."""

import json
import os
import subprocess
import sys

import pytest

COMMON = """
import sys, json, importlib
import agentnet_otel.performance as ours
from agentnet_otel.performance import install, uninstall
told = {}
"""


def run(tmp_path, script, *, path):
    """What a script in a process of its own put into ``told``."""
    app = tmp_path / "app.py"
    app.write_text(COMMON + script + "\nprint('TOLD' + json.dumps(told))\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")]))}
    done = subprocess.run(
        [sys.executable, app], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.split("TOLD")[-1])


def fake_framework(tmp_path):
    """A framework with a performance package that modules take names from at their import, as AgentNet's do."""
    root = tmp_path / "framework"
    files = {
        "agentnet/__init__.py": "from .performance import LatencyTracker, PerformanceHarness\n",
        "agentnet/performance/__init__.py": "from .harness import PerformanceHarness\n"
        "from .latency import LatencyTracker\n",
        "agentnet/performance/harness.py": "class PerformanceHarness: pass\n",
        "agentnet/performance/latency.py": "class LatencyTracker: pass\ndef get_latency_tracker(): return 'original'\n",
        "agentnet/performance/tokens.py": "def get_token_tracker(): return 'original'\nclass TokenMetrics: pass\n",
        "agentnet/performance/reports.py": "class PerformanceReporter: pass\n",
        "agentnet/performance/extra.py": "HERE = True\n",
        "agentnet/providers.py": "from .performance.latency import get_latency_tracker\n"
        "from .performance import latency as module\nfrom .performance.tokens import TokenMetrics\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


AFTER = """
import agentnet, agentnet.providers as providers, agentnet.performance.latency
originals = (agentnet.LatencyTracker, providers.get_latency_tracker, agentnet.performance, providers.TokenMetrics)
before = {n for n in sys.modules if n.startswith("agentnet.")}
install(); install()
from agentnet_otel.performance import latency, tokens
told["held names"] = agentnet.LatencyTracker is latency.LatencyTracker
told["held functions"] = providers.get_latency_tracker is latency.get_latency_tracker
told["held modules"] = providers.module is latency
told["held classes"] = providers.TokenMetrics is tokens.TokenMetrics
told["attribute"] = agentnet.performance is ours
from agentnet.performance.reports import PerformanceReporter
told["imports"] = PerformanceReporter is ours.PerformanceReporter
uninstall(); uninstall()
told["restored"] = originals == (
    agentnet.LatencyTracker, providers.get_latency_tracker, agentnet.performance, providers.TokenMetrics)
told["modules"] = {n for n in sys.modules if n.startswith("agentnet.")} - before == set()
import agentnet.performance.extra
told["original works"] = agentnet.performance.extra.HERE
"""

BEFORE = """
install(); install()
import agentnet, agentnet.providers as providers
told["names at import"] = agentnet.LatencyTracker is ours.LatencyTracker
told["attribute"] = agentnet.performance is ours
told["functions"] = providers.get_latency_tracker() is ours.latency.get_latency_tracker()
from agentnet.performance import PerformanceHarness, TokenCategory
import agentnet.performance.tokens as tokens
told["imports"] = PerformanceHarness is ours.PerformanceHarness and tokens.TokenMetrics is ours.TokenMetrics
uninstall()
told["restored"] = agentnet.LatencyTracker.__module__ == "agentnet.performance.latency"
told["restored functions"] = providers.get_latency_tracker() == "original"
told["restored modules"] = providers.module is sys.modules["agentnet.performance.latency"]
told["restored attribute"] = agentnet.performance.__name__ == "agentnet.performance"
install(); uninstall()
told["again"] = agentnet.LatencyTracker.__module__ == "agentnet.performance.latency"
"""

WITHOUT = """
install()
from agentnet.performance import PerformanceHarness, BenchmarkConfig, BenchmarkType, LatencyTracker, ReportFormat
from agentnet.performance.latency import LatencyComponent
import agentnet.performance
told["imports"] = PerformanceHarness is ours.PerformanceHarness and agentnet.performance is ours
try:
    import agentnet.core
    told["nothing else"] = False
except ModuleNotFoundError:
    told["nothing else"] = True
uninstall()
try:
    import agentnet
    told["gone"] = False
except ModuleNotFoundError:
    told["gone"] = True
told["modules gone"] = not [n for n in sys.modules if n == "agentnet" or n.startswith("agentnet.")]
"""


@pytest.mark.parametrize("script", [AFTER, BEFORE], ids=["after", "before"])
def test_whichever_comes_first(tmp_path, script):
    """Ours stands in everywhere, and afterwards everything is the original's again."""
    told = run(tmp_path, script, path=fake_framework(tmp_path))
    assert told == dict.fromkeys(told, True)


def test_without_agentnet(tmp_path):
    """Documented imports work, and nothing else of AgentNet is pretended to be there."""
    told = run(tmp_path, WITHOUT, path="")
    assert told == dict.fromkeys(told, True)


@pytest.mark.parametrize(
    "first",
    [
        "from agentnet import LatencyTracker",
        "import agentnet.providers",
        "import agentnet; agentnet.LatencyTracker",
        "from agentnet.performance import LatencyTracker; import agentnet.providers as p; p.module",
    ],
)
def test_agentnet_comes_into_reach_after_install(tmp_path, first):
    """A program may add it to its path later: the name that stood for it gives way, and ours stay in its place."""
    told = run(
        tmp_path,
        f"""
install()
import agentnet.performance
told["nothing yet"] = not hasattr(agentnet, "LatencyTracker")
sys.path.insert(0, {fake_framework(tmp_path)!r})
{first}
import agentnet
import agentnet.providers as providers
told["whole"] = agentnet.__file__ is not None and agentnet.providers is providers
told["ours"] = agentnet.performance is ours and agentnet.LatencyTracker is ours.LatencyTracker
uninstall()
told["restored"] = agentnet.LatencyTracker is not ours.LatencyTracker and agentnet.performance is not ours
""",
        path="",
    )
    assert told == dict.fromkeys(("nothing yet", "whole", "ours", "restored"), True)
