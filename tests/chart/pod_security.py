"""The parts of Pod Security `restricted` that a pod of this chart could break, and our own hardening on top."""

from typing import Any

Manifest = dict[str, Any]

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
HOST = ("hostNetwork", "hostPID", "hostIPC")


def restricted(pod: Manifest) -> list[str]:
    """What in a pod spec the namespace label `enforce=restricted` would refuse."""
    wrong = [f"{field} is on" for field in HOST if pod.get(field)]
    wrong += [
        f"volume {volume['name']} is of a kind that is not allowed"
        for volume in pod.get("volumes", [])
        if not VOLUMES & volume.keys()
    ]
    for container in _containers(pod):
        wrong += [f"container {container['name']}: {reason}" for reason in _refused(pod, container)]
    return wrong


def hardened(pod: Manifest) -> list[str]:
    """What in a pod spec falls short of this project's own rules, which go further."""
    wrong = []
    if pod.get("automountServiceAccountToken") is not False:
        wrong.append("a service-account token is mounted")
    if pod.get("enableServiceLinks") is not False:
        wrong.append("Services are injected as environment variables")
    for container in _containers(pod):
        context = container.get("securityContext", {})
        if context.get("readOnlyRootFilesystem") is not True:
            wrong.append(f"container {container['name']}: the root file system is writable")
        if "memory" not in container.get("resources", {}).get("limits", {}):
            wrong.append(f"container {container['name']}: memory is unlimited")
    return wrong


def _containers(pod: Manifest) -> list[Manifest]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def _refused(pod: Manifest, container: Manifest) -> list[str]:
    own = container.get("securityContext", {})
    effective = {**pod.get("securityContext", {}), **own}
    capabilities = own.get("capabilities", {})
    rules = {
        "privileged": not own.get("privileged"),
        "privilege escalation is allowed": own.get("allowPrivilegeEscalation") is False,
        "not every capability is dropped": "ALL" in capabilities.get("drop", []),
        "capabilities are added": set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "may run as root": effective.get("runAsNonRoot") is True and effective.get("runAsUser") != 0,
        "no seccomp profile": effective.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
        "host ports": not any(port.get("hostPort") for port in container.get("ports", [])),
    }
    return [reason for reason, kept in rules.items() if not kept]
