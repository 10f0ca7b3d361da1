"""deploy/kubernetes: every manifest is what Kubernetes takes, and what one names another one has."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ha_rag.assembly.configuration import load_settings

ROOT = Path(__file__).parents[2] / "deploy" / "kubernetes"
BASE, PRODUCTION = ROOT / "base", ROOT / "overlays" / "production"
FOREIGN = {"ServiceMonitor"}
"""Kinds of an operator's own, whose form Kubernetes does not know."""


def kustomization(folder: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((folder / "kustomization.yaml").read_text()))


def manifests(folder: Path) -> Iterator[dict[str, Any]]:
    """Every resource that a kustomization names, in its bases too."""
    for resource in kustomization(folder)["resources"]:
        path = (folder / resource).resolve()
        if path.is_dir():
            yield from manifests(path)
        else:
            yield from (one for one in yaml.safe_load_all(path.read_text()) if one)


EVERY = list(manifests(PRODUCTION))
BY_KIND: dict[str, dict[str, dict[str, Any]]] = {}
for _one in EVERY:
    BY_KIND.setdefault(_one["kind"], {})[_one["metadata"]["name"]] = _one


def templates() -> list[dict[str, Any]]:
    """What pods are made from: those that run, and the job's."""
    jobs = [job["spec"]["jobTemplate"] for job in BY_KIND["CronJob"].values()]
    return [owner["spec"]["template"] for owner in (*BY_KIND["Deployment"].values(), *jobs)]


def pods() -> list[dict[str, Any]]:
    return [template["spec"] for template in templates()]


JOB = BY_KIND["CronJob"]["index"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def containers() -> list[dict[str, Any]]:
    return [one for pod in pods() for one in (*pod.get("initContainers", ()), *pod["containers"])]


@pytest.mark.parametrize("manifest", EVERY, ids=lambda one: f"{one['kind']}/{one['metadata']['name']}")
@pytest.mark.parametrize("version", ["1.29", "1.33"])
def test_kubernetes_takes_it(manifest: dict[str, Any], version: str) -> None:
    if manifest["kind"] in FOREIGN:
        assert manifest["apiVersion"] == "monitoring.coreos.com/v1"
        return
    kubernetes_validate.validate(manifest, version, strict=True)


def test_every_file_is_named_by_its_kustomization() -> None:
    for folder in (BASE, PRODUCTION):
        told = kustomization(folder)
        named = {*told["resources"], *(f for g in told.get("configMapGenerator", ()) for f in g["files"])}
        there = {path.name for path in folder.iterdir() if path.name != "kustomization.yaml"}
        assert there == {name for name in named if not (folder / name).is_dir()}


def test_what_selects_pods_finds_some() -> None:
    labels = [template["metadata"]["labels"] for template in templates()]
    wanted = [service["spec"]["selector"] for service in BY_KIND["Service"].values()]
    wanted += [d["spec"]["selector"]["matchLabels"] for d in BY_KIND["Deployment"].values()]
    wanted += [b["spec"]["selector"]["matchLabels"] for b in BY_KIND["PodDisruptionBudget"].values()]
    assert all(any(label.items() >= want.items() for label in labels) for want in wanted)
    assert BY_KIND["HorizontalPodAutoscaler"]["rag"]["spec"]["scaleTargetRef"]["name"] in BY_KIND["Deployment"]
    monitored = BY_KIND["ServiceMonitor"]["rag"]["spec"]["selector"]["matchLabels"]
    assert any(service["metadata"]["labels"].items() >= monitored.items() for service in BY_KIND["Service"].values())


def test_the_ingress_leads_to_services_and_ports_that_are_there() -> None:
    ports = {(name, port["name"]) for name, service in BY_KIND["Service"].items() for port in service["spec"]["ports"]}
    paths = BY_KIND["Ingress"]["ha-rag"]["spec"]["rules"][0]["http"]["paths"]
    backends = [path["backend"]["service"] for path in paths]
    assert {(backend["name"], backend["port"]["name"]) for backend in backends} <= ports
    assert {path["path"]: path["backend"]["service"]["name"] for path in paths}["/"] == "dashboard"


def test_the_secret_that_is_made_by_hand_holds_every_key_that_is_read() -> None:
    said = (BASE / "kustomization.yaml").read_text()
    made = set(re.findall(r"--from-literal=([a-z-]+)=", said))
    read = {
        variable["valueFrom"]["secretKeyRef"]["key"]
        for container in containers()
        for variable in container.get("env", ())
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    assert read == made


def test_no_container_may_do_more_than_it_must() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        assert not pod["automountServiceAccountToken"]
    for container in containers():
        locked = container["securityContext"]
        assert locked["readOnlyRootFilesystem"]
        assert not locked["allowPrivilegeEscalation"]
        assert locked["capabilities"] == {"drop": ["ALL"]}
        assert "memory" in container["resources"]["limits"]


def test_volumes_that_are_mounted_are_there() -> None:
    for pod in pods():
        named = {volume["name"] for volume in pod["volumes"]}
        mounted = {m["name"] for c in (*pod.get("initContainers", ()), *pod["containers"]) for m in c["volumeMounts"]}
        assert mounted == named
        for volume in pod["volumes"]:
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or claim["claimName"] in BY_KIND["PersistentVolumeClaim"]
            made = volume.get("configMap")
            assert made is None or made["name"] in {g["name"] for g in kustomization(BASE)["configMapGenerator"]}


def test_the_configuration_is_one_that_replicas_take() -> None:
    settings = load_settings(BASE / "ha_rag.toml", variables={"OPENAI_API_KEY": "sk-x"})
    assert settings.warnings == ()


def test_a_pod_gets_time_for_the_longest_question_before_it_is_killed() -> None:
    pod = BY_KIND["Deployment"]["rag"]["spec"]["template"]["spec"]
    waits_s = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    longest_s = load_settings(BASE / "ha_rag.toml", variables={}).server.request_timeout_s
    assert pod["terminationGracePeriodSeconds"] >= waits_s + longest_s + 5


def test_scripts_that_are_run_lie_where_they_are_looked_for() -> None:
    scripts = next(g["files"] for g in kustomization(BASE)["configMapGenerator"] if g["name"] == "index-scripts")
    for container in containers():
        folders = {m["mountPath"] for m in container["volumeMounts"] if m["name"] == "scripts"}
        run = [Path(word) for word in container.get("command", ()) if word.endswith(".sh")]
        assert {(str(path.parent), path.name) for path in run} <= {(f, s) for f in folders for s in scripts}
        assert bool(run) == bool(folders)


def test_replicas_only_read_what_only_the_job_writes() -> None:
    claimed = {
        (owner, claim["claimName"], claim.get("readOnly", False))
        for owner, pod in (("rag", BY_KIND["Deployment"]["rag"]["spec"]["template"]["spec"]), ("index", JOB))
        for claim in (volume["persistentVolumeClaim"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume)
    }
    assert claimed == {("rag", "index", True), ("index", "index", False), ("index", "documents", True)}
    assert BY_KIND["CronJob"]["index"]["spec"]["concurrencyPolicy"] == "Forbid"


def test_the_autoscaler_alone_says_how_many_replicas_there_are() -> None:
    changed = {
        patch["target"]["name"]: yaml.safe_load(patch["patch"]) for patch in kustomization(PRODUCTION)["patches"]
    }
    assert changed == {"rag": [{"op": "remove", "path": "/spec/replicas"}]}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl (for its kustomize)")
@pytest.mark.parametrize("folder", [BASE, PRODUCTION], ids=lambda folder: folder.name)
def test_kustomize_itself_makes_manifests_of_it_that_kubernetes_takes(folder: Path) -> None:
    made = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    resolved = [one for one in yaml.safe_load_all(made.stdout) if one]
    assert {(one["kind"], one["metadata"]["name"]) for one in resolved} >= {
        (one["kind"], one["metadata"]["name"]) for one in manifests(folder)
    }
    assert {one["metadata"]["namespace"] for one in resolved} == {"ha-rag"}
    rag = next(one for one in resolved if (one["kind"], one["metadata"]["name"]) == ("Deployment", "rag"))
    assert ("replicas" in rag["spec"]) == (folder == BASE)
    for one in resolved:
        if one["kind"] not in FOREIGN:
            kubernetes_validate.validate(one, "1.33", strict=True)


def test_readiness_asks_whether_it_can_answer_and_liveness_only_whether_it_lives() -> None:
    container = BY_KIND["Deployment"]["rag"]["spec"]["template"]["spec"]["containers"][0]
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
