"""What the manifests of a repository say, read independently of the program:
plain YAML, defaults of the folders laid under each cluster, then the defaults
of the documentation under those. Maps merge by field, lists do not."""

import subprocess
from pathlib import Path

import yaml

DEFAULTS = yaml.safe_load(
    """
region: us-east-1
os: debian-12
suspend: false
network: {cidr: 10.0.0.0/16, zones: 2, adminCidrs: [], adminKeys: []}
hub: {instanceType: t3.medium, volumeGiB: 20, dataVolumeGiB: 20, roles: [swarm-leader, jupyterhub]}
workers:
  instanceTypes: [t3.large, t3a.large]
  purchase: {onDemandBase: 0, spotPercent: 100}
  min: 1
  max: 10
  volumeGiB: 50
  roles: [swarm-worker]
  scaling: {cpuPercent: 60, sessionsPerNode: 8, schedules: []}
storage: {type: efs, transitionToIADays: 30, backup: true, shared: []}
jupyter: {auth: {}}
alerts: {}
"""
)


def laid(under, over):
    """`over` laid on `under`, field by field."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    merged = dict(under)
    for key, value in over.items():
        merged[key] = laid(under[key], value) if key in under else value
    return merged


def defaults_of(folder, top):
    """The defaults that hold in a folder, outermost first."""
    chain = [DEFAULTS]
    for parent in reversed([folder, *folder.parents]):
        path = parent / "defaults.yaml"
        if top in (parent, *parent.parents) and path.exists():
            chain.append(yaml.safe_load(path.read_text()).get("spec") or {})
    return chain


def clusters(repository):
    """Every unsuspended cluster: name to (labels, spec)."""
    top = Path(repository) / "clusters"
    found = {}
    for path in sorted(top.rglob("cluster.yaml")):
        manifest = yaml.safe_load(path.read_text())
        spec = {}
        for layer in [*defaults_of(path.parent, top), manifest.get("spec") or {}]:
            spec = laid(spec, layer)
        if not spec["suspend"]:
            metadata = manifest["metadata"]
            found[metadata["name"]] = (metadata.get("labels", {}), spec)
    return found


def owner(repository):
    path = Path(repository) / "lyceum.yaml"
    if not path.exists():
        return "lyceum"
    return (yaml.safe_load(path.read_text()).get("spec") or {}).get("owner", "lyceum")


def source(repository):
    """What tells this repository from any other: its root commit."""
    asked = ["git", "-C", repository, "rev-list", "--first-parent", "--max-parents=0", "HEAD"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
