"""Write the rules of deploy/prometheus/ as the operator's PrometheusRule, or ``--check`` whether that is current."""

import io
import sys
from pathlib import Path

from ruamel.yaml import YAML

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
WRITTEN = DEPLOY / "kubernetes" / "prometheus-rule.yaml"
REMARK = "# Written from deploy/prometheus/*.rules.yml by `make docs`.\n"


def prometheus_rule() -> str:
    """The groups of all files of rules, in order of their names, in one object."""
    groups = []
    for path in sorted((DEPLOY / "prometheus").glob("*.rules.yml")):
        groups += YAML(typ="safe").load(path)["groups"]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "agentnet-otel", "labels": {"app.kubernetes.io/name": "agentnet-otel-bridge"}},
        "spec": {"groups": groups},
    }
    yaml, text = YAML(), io.StringIO()
    yaml.width = 120
    yaml.dump(rule, text)
    return REMARK + text.getvalue()


def main() -> int:
    """Write or check."""
    current = WRITTEN.read_text(encoding="utf-8") if WRITTEN.exists() else ""
    wanted = prometheus_rule()
    if "--check" not in sys.argv[1:]:
        WRITTEN.write_text(wanted, encoding="utf-8")
    elif current != wanted:
        print(f"not current: {WRITTEN.relative_to(DEPLOY.parent)}. Run `make docs` and commit it.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
