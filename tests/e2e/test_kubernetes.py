"""The manifests of deploy/kubernetes: built by kustomize, and checked against the schemas of what they are."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from tests.e2e.conftest import ROOT, unavailable

VERSIONS = ("1.30", "1.34")
"""Of Kubernetes: the oldest and the newest that the manifests are meant for."""
LOCK = Path(__file__).parent / "kubernetes" / "requirements.lock"
CHECK = """
import json, sys
import kubernetes_validate
for manifest in json.load(sys.stdin):
    kubernetes_validate.validate(manifest, sys.argv[1], strict=True)
"""


@pytest.fixture(scope="module")
def manifests(program):
    """What `kubectl apply -k` would send."""
    command = [program("kustomize"), "build", ROOT / "deploy" / "kubernetes"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return list(YAML(typ="safe").load_all(built.stdout))


@pytest.fixture(scope="module")
def schemas():
    """The interpreter of an environment with the schemas of Kubernetes."""
    folder, uv = ROOT / ".venvs" / "kubernetes", Path(sys.executable).with_name("uv")
    inside = folder / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder],
        [uv, "pip", "install", "--quiet", "--python", inside, "--no-deps", "--require-hashes", "-r", LOCK],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            unavailable(f"the schemas of Kubernetes cannot be installed: {done.stderr}")
    return inside


def strict(schema):
    """A schema in which no field may stand that it does not name; as the API server says, null is no value."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(part) for key, part in schema.items()}
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
        made["additionalProperties"] = False
    if made.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    return made


def schema_of(folder, manifest):
    """The schema of a kind that the operator defines."""
    for path in Path(folder).glob("*.yaml"):
        definition = YAML(typ="safe").load(path)["spec"]
        if definition["names"]["kind"] == manifest["kind"]:
            group, _, version = manifest["apiVersion"].partition("/")
            assert definition["group"] == group
            (found,) = (one for one in definition["versions"] if one["name"] == version)
            schema = strict(found["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            return schema
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_kinds_of_kubernetes_fit_their_schemas(manifests, schemas, version):
    """No field is wrong or unknown, in the oldest and in the newest version."""
    own = [manifest for manifest in manifests if "monitoring.coreos.com" not in manifest["apiVersion"]]
    assert {manifest["kind"] for manifest in own} == {"Service", "StatefulSet", "NetworkPolicy"}

    def check(kinds):
        command = [schemas, "-c", CHECK, version]
        return subprocess.run(command, input=json.dumps(kinds), capture_output=True, text=True, check=False)

    checked = check(own)
    assert checked.returncode == 0, checked.stderr
    for manifest in own:
        broken = check([{**manifest, "spec": {**manifest["spec"], "unknown": True}}])
        assert "unknown" in broken.stderr
        assert broken.returncode != 0


def test_kinds_of_the_operator_fit_their_schemas(manifests, program):
    """The rules and the scrape are what the definitions of the Prometheus operator ask for, and name no field else."""
    theirs = [manifest for manifest in manifests if "monitoring.coreos.com" in manifest["apiVersion"]]
    assert {manifest["kind"] for manifest in theirs} == {"PrometheusRule", "ServiceMonitor"}
    for manifest in theirs:
        schema = schema_of(program("crds"), manifest)
        jsonschema.Draft202012Validator(schema).validate(manifest)
        broken = {**manifest, "spec": {**manifest["spec"], "unknown": True}}
        with pytest.raises(jsonschema.ValidationError, match="unknown"):
            jsonschema.Draft202012Validator(schema).validate(broken)


def test_what_belongs_together_finds_each_other(manifests):
    """Selectors match the pods, ports have the names that others use, and every use of the secret is of one."""
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    pod = by_kind["StatefulSet"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert by_kind["Service"]["spec"]["selector"] == labels == by_kind["Service"]["metadata"]["labels"]
    for selector in (
        by_kind["StatefulSet"]["spec"]["selector"],
        by_kind["NetworkPolicy"]["spec"]["podSelector"],
        by_kind["ServiceMonitor"]["spec"]["selector"],
    ):
        assert selector == {"matchLabels": labels}
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"]: port["port"] for port in by_kind["Service"]["spec"]["ports"]} == ports
    (way_in,) = by_kind["NetworkPolicy"]["spec"]["ingress"]
    assert {port["port"] for port in way_in["ports"]} == ports.keys()
    (endpoint,) = by_kind["ServiceMonitor"]["spec"]["endpoints"]
    assert endpoint["port"] in ports
    secret = endpoint["authorization"]["credentials"]
    (volume,) = (volume for volume in pod["spec"]["volumes"] if "secret" in volume)
    assert volume["secret"]["secretName"] == secret["name"]
    (mount,) = (mount for mount in container["volumeMounts"] if mount["name"] == volume["name"])
    assert f"--token-file={mount['mountPath']}/{secret['key']}" in container["args"]
    assert not container["image"].endswith(":latest")


def test_the_pod_may_do_nothing_it_need_not(manifests):
    """Not root, no capabilities, a read-only file system, no token of the cluster."""
    (pod,) = (manifest["spec"]["template"]["spec"] for manifest in manifests if manifest["kind"] == "StatefulSet")
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
