"""What deploy/ promises without starting anything: what is secret, what is reachable, what it is pinned to."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request

import pytest
from ruamel.yaml import YAML

from tests.e2e.conftest import eventually, free_port, get


@pytest.fixture
def deploy(repository):
    """The folder."""
    return repository / "deploy"


def read(path):
    """A YAML file."""
    return YAML(typ="safe").load(path)


@pytest.fixture
def services(deploy):
    """The services of the compose file by name."""
    return read(deploy / "compose.yaml")["services"]


def test_no_container_has_rights_it_does_not_need(services):
    """Each runs as somebody who is not root, on a read-only file system, without rights, with a bound of memory."""
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].startswith("${RUN_AS:?"), name
        assert service["mem_limit"], name
        assert not {"privileged", "network_mode", "pid", "cap_add"} & service.keys(), name
        assert all(volume.endswith(":ro") or volume.startswith("./data/") for volume in service.get("volumes", ())), (
            name
        )


def test_nothing_is_reachable_from_another_machine(services, deploy):
    """Ports are published on loopback; the network of the servers has no way out, and all of them are in it."""
    assert read(deploy / "compose.yaml")["networks"]["inside"] == {"internal": True}
    for name, service in services.items():
        assert "inside" in service["networks"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert ("published" in service["networks"]) == ("ports" in service), name


def test_versions_are_pinned_and_those_that_are_tested(services, repository):
    """Each image has a version, and where the tests build the server it is the same one."""
    tags = {name: service["image"].split(":")[1] for name, service in services.items()}
    assert not {"latest", "main", "nightly"} & set(tags.values())
    modules = repository / "tests" / "e2e" / "servers"
    manifest = read(modules / "collector" / "manifest.yaml")
    assert tags["agent"] == tags["gateway"] == manifest["dist"]["version"]

    def required(module, path):
        return re.search(rf"{re.escape(path)} v(\S+)", (modules / module / "go.mod").read_text())[1]

    assert tags["jaeger"] == required("jaeger", "github.com/jaegertracing/jaeger")
    assert tags["alertmanager"] == "v" + required("alertmanager", "github.com/prometheus/alertmanager")
    major, minor, patch = tags["prometheus"].removeprefix("v").split(".")
    assert f"0.{major}{int(minor):02}.{patch}" == required("prometheus", "github.com/prometheus/prometheus")


def test_what_is_mounted_is_there(services, deploy):
    """Each folder that a container reads exists, each that it writes is made by the script, each secret too."""
    script = (deploy / "start.sh").read_text()
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./data/"):
                assert source.removeprefix("./data/") in re.search(r"for server in ([\w ]+);", script)[1].split()
            elif source != "../dashboards":  # generated
                assert (deploy / source).is_dir(), source
    for service in services.values():
        assert len({volume.split(":")[1] for volume in service.get("volumes", ())}) == len(service.get("volumes", ()))
        assert all(isinstance(secret, str) for secret in service.get("secrets", ()))  # at their own place, /run/secrets
    for secret in read(deploy / "compose.yaml")["secrets"].values():
        assert f"> {secret['file'].removeprefix('./')}" in script


def test_secrets_are_made_once_and_kept_from_others(deploy, tmp_path):
    """No password is a default: each start has its own, readable by its user alone; a second start changes none."""
    copy = shutil.copytree(deploy, tmp_path / "deploy", ignore=shutil.ignore_patterns("data", "secrets", ".env"))
    made = []
    for _ in range(2):
        subprocess.run([copy / "start.sh", "--prepare"], check=True, capture_output=True)
        made.append({path: path.read_text() for path in copy.glob("**/secrets/*")})
    assert made[0] == made[1]
    token, password = (made[0][copy / "secrets" / name] for name in ("bridge_token", "grafana_password"))
    assert re.fullmatch(r"[0-9a-f]{48}", token)
    assert re.fullmatch(r"[0-9a-f]{48}", password)
    assert token != password
    assert made[0][copy / "prometheus" / "secrets" / "bridge_token"] == token
    assert made[0][copy / "alertmanager" / "secrets" / "notification_url"].startswith("http://notifications:")
    assert {stat.S_IMODE(path.stat().st_mode) for path in made[0]} == {0o600}
    assert not re.match(r"RUN_AS=0\b", (copy / ".env").read_text())


def test_without_docker_it_says_what_to_install(deploy, tmp_path):
    """One sentence, no traceback of a shell, and nothing half started."""
    copy = shutil.copytree(deploy, tmp_path / "deploy", ignore=shutil.ignore_patterns("data", "secrets", ".env"))
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([copy / "start.sh"], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "Install Docker" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_no_secret_stands_in_a_file(deploy):
    """Nothing that looks like a password or a token is written down in a configuration."""
    given = re.compile(
        r"(?i)(?:password|token|secret)s?['\"]?[ \t]*[:=][ \t]*['\"]?(?!\$|/|\[|\{|true|false|\./)[\w-]{6,}"
    )
    for path in deploy.rglob("*.y*ml"):
        if not {"data", "secrets"} & set(path.relative_to(deploy).parts):
            found = [match[0] for match in given.finditer(path.read_text())]
            assert not [text for text in found if not text.endswith(("_token", "_password", "secrets/bridge"))], path


def test_grafana_finds_what_the_other_servers_are(deploy, services):
    """Each data source is a service of the compose file; an exemplar leads to one of them."""
    sources = read(deploy / "grafana/provisioning/datasources/agentnet.yaml")["datasources"]
    by_uid = {source["uid"]: source for source in sources}
    assert by_uid.keys() == {"prometheus", "jaeger", "alertmanager"}
    for source in sources:
        host, port = source["url"].removeprefix("http://").split(":")
        assert any(mapping.endswith(f":{port}") for mapping in services[host]["ports"])
    (way,) = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert way == {"name": "trace_id", "datasourceUid": "jaeger"}
    (provider,) = read(deploy / "grafana/provisioning/dashboards/agentnet.yaml")["providers"]
    assert f"../dashboards:{provider['options']['path']}:ro" in services["grafana"]["volumes"]


def test_targets_are_services(deploy, services):
    """What Prometheus looks for are services, at ports that their configuration opens."""
    for path in sorted((deploy / "prometheus" / "targets").glob("*.yml")):
        for group in read(path):
            for target in group["targets"]:
                assert target.split(":")[0] in {*services, "localhost"}, path


def test_the_receiver_of_notifications(deploy, tmp_path):
    """It prints each alert as a line, refuses what is none, and goes on."""
    port = free_port()
    command = [sys.executable, deploy / "notifications" / "print_notifications.py", f"127.0.0.1:{port}"]
    url = f"http://127.0.0.1:{port}/"
    alert = {"status": "firing", "labels": {"alertname": "A"}, "annotations": {}, "startsAt": "now"}
    with (tmp_path / "printed").open("wb") as printed, subprocess.Popen(command, stdout=printed) as process:
        try:
            eventually(lambda: get(url)[0] == 200, "it listens")
            for body, status in ((b"{", 400), (b"[]", 400), (b'{"alerts": [1]}', 400)):
                with pytest.raises(urllib.error.HTTPError) as raised:
                    urllib.request.urlopen(url, body, timeout=10)
                raised.value.close()
                assert raised.value.code == status
            body = json.dumps({"alerts": [alert, alert]}).encode()
            with urllib.request.urlopen(url, body, timeout=10) as answer:
                assert answer.status == 200
        finally:
            process.terminate()
    lines = (tmp_path / "printed").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [alert, alert]


def test_the_operator_gets_the_rules_that_prometheus_has(repository):
    """The PrometheusRule is what the files of rules make: `make docs` writes it."""
    tool = repository / "tools" / "make_prometheus_rule.py"
    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_each_critical_alert_inhibits_its_warning(deploy):
    """Alertmanager knows each pair of alerts that the rules have, and nothing that they have not."""
    groups = [group for path in (deploy / "prometheus").glob("*.rules.yml") for group in read(path)["groups"]]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    names = {alert.removesuffix("Critical") for alert in alerts if alert.endswith("Critical")}
    pairs = {(f"{name}Critical", f"{name}Warning") for name in names if f"{name}Warning" in alerts}
    assert len(pairs) >= 4

    def alert_of(matchers):
        (matcher,) = matchers
        return matcher.removeprefix("alertname = ")

    configured = read(deploy / "alertmanager" / "alertmanager.yml")["inhibit_rules"]
    assert {(alert_of(rule["source_matchers"]), alert_of(rule["target_matchers"])) for rule in configured} == pairs
    assert all(set(rule["equal"]) >= {"service_name", "gen_ai_agent_name"} for rule in configured)


def test_the_image_is_made_from_what_is_copied(deploy):
    """What the Dockerfile copies is what Docker is given, and what the package is built with is among it."""
    dockerfile = (deploy / "bridge" / "Dockerfile").read_text()
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
    copied = {name for line in lines for name in line.split()[:-1]}
    given = set(re.findall(r"^!(.+)$", (deploy / "bridge" / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    assert copied == given
    targets = tomllib.loads((deploy.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"]["hooks"]["custom"]["path"] in copied
