"""Renders the chart to objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import pytest
import yaml
from helm import yaml_text
from helm.command import CHART, HelmError, run

RELEASE = "shop"
FULLNAME = "shop-inventory-api"

Manifest = dict[str, Any]
Values = dict[str, Any]

EXTERNAL: Values = {
    "database": {"existingSecret": "my-database", "bundled": {"enabled": False}},
    "redis": {"existingSecret": "my-redis", "bundled": {"enabled": False}},
    "apiKeys": {"existingSecret": "my-keys"},
    "credentials": {"generate": False},
}

HARDENED_CONTAINER: Values = {
    "image": "inventory-api:0.1.0",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
    "resources": {"limits": {"memory": "64Mi"}},
}

# Together they turn on every branch of every template.
CASES: dict[str, Values] = {
    "no values": {},
    "external services": EXTERNAL,
    "a pooler before the database": {"database": {"existingSecret": "my-database", "directUrl": True}},
    "a database of an operator": {
        "database": {"existingSecret": "database-app", "urlKey": "uri", "bundled": {"enabled": False}}
    },
    "bundled servers with own secrets": {
        "database": {"existingSecret": "my-database"},
        "redis": {"existingSecret": "my-redis"},
        "apiKeys": {"existingSecret": "my-keys"},
        "credentials": {"generate": False},
    },
    "data that end with the pod": {"database": {"bundled": {"persistence": {"enabled": False}}}},
    "data that end with the release": {
        "database": {
            "bundled": {"persistence": {"storageClassName": "fast", "retentionPolicy": {"whenDeleted": "Delete"}}}
        }
    },
    "servers of other authorities": {
        **EXTERNAL,
        "database": {**EXTERNAL["database"], "caSecret": "my-database-ca"},
        "redis": {**EXTERNAL["redis"], "caSecret": "my-redis-ca"},
    },
    "by a load balancer": {
        "service": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "loadBalancerClass": "internal",
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
        }
    },
    "migrations by someone else": {"migrations": {"mode": "external"}},
    "migrations before everything": {**EXTERNAL, "migrations": {"mode": "hook", "existingSecret": "my-owner"}},
    "scaled and observed": {
        "autoscaling": {"enabled": True, "maxReplicas": 3, "requestRate": {"metricName": "http_requests_per_second"}},
        "podDisruptionBudget": {"minAvailable": "50%"},
        "metrics": {
            "serviceMonitor": {"enabled": True, "labels": {"prometheus": "main"}},
            "prometheusRule": {"enabled": True},
            "dashboards": {"enabled": True},
        },
        "resources": {"requests": {"cpu": "500m"}},
    },
    "reached from outside": {
        "service": {"type": "NodePort", "nodePort": 30080, "annotations": {"cloud": "internal"}},
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "annotations": {"issuer": "main"},
            "path": "/stock",
            "pathType": "Exact",
            "hosts": ["stock.example"],
            "tls": [{"secretName": "stock-tls", "hosts": ["stock.example"]}],
        },
        "gateway": {
            "enabled": True,
            "parentRefs": [{"name": "public", "namespace": "gateways"}],
            "hostnames": ["stock.example"],
            "annotations": {"owner": "edge"},
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["X-Debug"]}}],
        },
        "metrics": {"podMonitor": {"enabled": True}},
    },
    "closed network": {
        "networkPolicy": {
            "enabled": True,
            "apiFrom": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}],
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "watch"}}}],
            "otlp": {"to": [{"podSelector": {"matchLabels": {"app": "collector"}}}], "port": 14318},
            "dns": {
                "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
                "port": 5353,
            },
            "extraEgress": [{"ports": [{"port": 443}]}],
            "webhooks": {"to": [{"ipBlock": {"cidr": "10.9.0.0/24"}}]},
        },
        "otlp": {"endpoint": "http://collector:4318"},
        "metrics": {"annotations": {"enabled": True}},
    },
    "closed network to external services": {
        **EXTERNAL,
        "database": {**EXTERNAL["database"], "directUrl": True},
        "networkPolicy": {
            "enabled": True,
            "database": {"to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}], "port": 6432},
            "migrations": {"to": [{"ipBlock": {"cidr": "10.3.0.0/16"}}], "port": 5433},
            "redis": {"to": [{"ipBlock": {"cidr": "10.2.0.0/16"}}], "port": 6380},
            "webhooks": {"enabled": False},
        },
    },
    "attachments in an S3 of one's own": {
        "storage": {
            "url": "s3://inventory/attachments",
            "endpoint": "http://s3.example:9000",
            "region": "eu-central-1",
            "existingSecret": "my-s3",
            "uploadMaxBytes": 20_000_000,
            "uploadsAtOnce": 2,
            "uploadBytesPerSecond": 50_000_000,
            "downloadsAtOnce": 8,
            "uploadDeadline": 10,
            "uploadUrlTtl": 600,
            "downloadRedirect": True,
        },
        "requiredChecks": ["database", "storage"],
        "worker": {"retention": {"attachmentDays": 5}},
        "networkPolicy": {
            "enabled": True,
            "storage": {"to": [{"podSelector": {"matchLabels": {"app": "s3"}}}], "port": 19000},
        },
    },
    "attachments at Amazon's": {
        "storage": {"url": "s3://inventory", "caSecret": "my-s3-ca"},
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/inventory"}},
        "networkPolicy": {"enabled": True, "storage": {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}},
    },
    "attachments in an S3 of another authority": {"storage": {"url": "s3://inventory", "caConfigMap": "my-authority"}},
    "attachments in a directory that is shared": {
        "storage": {"url": "file:///mnt/attachments"},
        "extraVolumes": [{"name": "shared", "persistentVolumeClaim": {"claimName": "attachments"}}],
        "extraVolumeMounts": [{"name": "shared", "mountPath": "/mnt"}],
        "networkPolicy": {"enabled": True},
    },
    "everything around the pods": {
        "commonLabels": {"cost-centre": "7"},
        "commonAnnotations": {"owner": "stock"},
        "podLabels": {"mesh": "on"},
        "nodeSelector": {"pool": "web"},
        "tolerations": [{"key": "web", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [
            {"topologyKey": "topology.kubernetes.io/zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
        ],
        "priorityClassName": "high",
        "serviceAccount": {"create": False, "name": "mine"},
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "initContainers": [HARDENED_CONTAINER | {"name": "before"}],
        "extraContainers": [HARDENED_CONTAINER | {"name": "beside"}],
        "extraObjects": [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}, "data": {}}
        ],
    },
    "queue workers by KEDA": {
        "worker": {
            "keda": {
                "enabled": True,
                "minReplicas": 2,
                "maxReplicas": 3,
                "jobsPerReplica": 10,
                "pollingIntervalSeconds": 5,
                "existingSecret": "keda-reads",
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
            },
        },
        "networkPolicy": {
            "enabled": True,
            "kedaFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "keda"}}}],
        },
    },
    "no queue worker": {"worker": {"enabled": False}, "metrics": {"serviceMonitor": {"enabled": True}}},
    "every number another": {
        "worker": {
            "replicaCount": 2,
            "concurrency": 6,
            "heartbeatSeconds": 20,
            "retention": {"auditDays": 100, "reservationDays": 9, "jobLogDays": 3, "webhookDays": 14},
            "webhookConcurrency": 16,
            "podAnnotations": {"team": "queue"},
            "resources": {"limits": {"memory": "512Mi"}},
        },
        "replicaCount": 2,
        "serverWorkers": 2,
        "resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "requestDeadline": 4,
        "drain": {"delay": 4, "timeout": 8},
        "probes": {"startupSeconds": 90, "livenessSeconds": 45, "readinessPeriodSeconds": 5},
        "podDisruptionBudget": {"maxUnavailable": 2},
        "database": {
            "pool": {"max": 10},
            "maxConnections": 166,
            "reservedConnections": 2,
            "bundled": {"resources": {"limits": {"memory": "1Gi"}}, "persistence": {"size": "1Gi"}},
        },
        "redis": {"bundled": {"maxMemory": "32mb", "resources": {"limits": {"memory": "64Mi"}}}},
        "migrations": {
            "timeoutSeconds": 60,
            "backoffLimit": 2,
            "activeDeadlineSeconds": 600,
            "resources": {"limits": {"memory": "512Mi"}},
        },
        "metrics": {
            "serviceMonitor": {"enabled": True, "interval": "15s", "scrapeTimeout": "5s"},
            "prometheusRule": {
                "enabled": True,
                "labels": {"prometheus": "main"},
                "runbooksUrl": "https://git.example/runbooks",
                "grafanaUrl": "https://grafana.example",
            },
            "dashboards": {
                "enabled": True,
                "labels": {"grafana": "main"},
                "annotations": {"grafana_folder": "Inventory"},
            },
            "objectives": {"availability": 99.5, "latency": 95, "minimumRequestsPerSecond": 1},
        },
        "autoscaling": {
            "enabled": True,
            "minReplicas": 1,
            "maxReplicas": 2,
            "targetCPUUtilizationPercentage": 50,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
            "requestRate": {"metricName": "http_requests_per_second", "target": 50},
        },
    },
    "other names, addresses and users": {
        "nameOverride": "stock",
        "bindAddress": "::",
        "runAsUser": 20001,
        "logLevel": "DEBUG",
        "image": {"repository": "registry/app", "tag": "1.2", "pullPolicy": "Always"},
        "service": {"port": 8080, "ipFamilyPolicy": "PreferDualStack"},
        "serviceAccount": {"annotations": {"role": "stock"}},
        "podDisruptionBudget": {"enabled": False},
        "database": {
            "bundled": {
                "image": {"repository": "registry/postgres", "tag": "17", "pullPolicy": "Always"},
                "persistence": {"retentionPolicy": {"whenScaled": "Delete"}},
            }
        },
        "redis": {"bundled": {"image": {"repository": "registry/valkey", "tag": "8", "pullPolicy": "Always"}}},
        "metrics": {"podMonitor": {"enabled": True, "labels": {"p": "x"}, "interval": "15s", "scrapeTimeout": "5s"}},
        "migrations": {
            "podAnnotations": {"sidecar.istio.io/inject": "false"},
            "initContainers": [HARDENED_CONTAINER | {"name": "proxy", "restartPolicy": "Always"}],
        },
    },
    "users that the platform assigns": {
        "fullnameOverride": "stock",
        "runAsUser": 0,
        "database": {"bundled": {"image": {"digest": "sha256:" + "1" * 64}}},
        "redis": {"bundled": {"image": {"digest": "sha256:" + "2" * 64}}},
    },
    "everything else": {
        "replicaCount": 2,
        "preStopSleepSeconds": 5,
        "terminationGracePeriodSeconds": 60,
        "image": {"digest": "sha256:" + "0" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "podAnnotations": {"team": "stock"},
        "extraEnv": [{"name": "INVENTORY_RATE_LIMIT", "value": "600/minute"}],
        "otlp": {
            "endpoint": "http://collector:4318",
            "samplingRatio": 0.25,
            "resourceAttributes": {"deployment.environment.name": "test"},
        },
        "global": {"anything": "goes"},
    },
}


class _UniqueLoader(yaml.CSafeLoader):
    """A name that is twice in a mapping is an error. The loader in C: the other takes longer than Helm."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [name.value for name, _ in node.value]
        assert len(set(names)) == len(names), f"a name is there twice: {sorted(names)}{node.start_mark}"
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class Rendering:
    """The objects of one rendering."""

    text: str

    @cached_property
    def objects(self) -> list[Manifest]:
        """All of them, hooks too."""
        return [document for document in yaml.load_all(self.text, _UniqueLoader) if document]

    def of(self, kind: str) -> list[Manifest]:
        """All objects of a kind."""
        return [manifest for manifest in self.objects if manifest["kind"] == kind]

    def one(self, kind: str, name: str) -> Manifest:
        """The object of that kind and name; there must be one."""
        (found,) = [manifest for manifest in self.of(kind) if manifest["metadata"]["name"] == name]
        return found

    def api(self) -> Manifest:
        """The Deployment of the API."""
        return self.one("Deployment", FULLNAME)

    def container(self) -> Manifest:
        """The only container of an API pod."""
        (container,) = self.api()["spec"]["template"]["spec"]["containers"]
        assert isinstance(container, dict)
        return container

    def worker(self) -> Manifest:
        """The Deployment of the queue worker."""
        return self.one("Deployment", f"{FULLNAME}-worker")

    def migration(self) -> Manifest:
        """The migration Job; there must be one."""
        (job,) = self.of("Job")
        return job

    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Name and spec of every pod that this rendering leads to."""
        for manifest in self.objects:
            label = f"{manifest['kind']}/{manifest['metadata']['name']}"
            if manifest["kind"] == "Pod":
                yield label, manifest["spec"]
            elif "template" in manifest.get("spec", {}):
                yield label, manifest["spec"]["template"]["spec"]


@dataclass(frozen=True)
class Helm:
    """One Helm binary."""

    binary: str

    def template(self, values: Values | None = None, *arguments: str, release: str = RELEASE) -> Rendering:
        """Render the chart; the same values once. Nobody changes what is shared so.

        Raises:
            HelmError: Helm refused.
        """
        return _rendered(self.binary, yaml_text.dump(values or {}), release, arguments)

    def lint(self, values: Values | None = None) -> str:
        """Lint the chart, warnings being errors."""
        return run(self.binary, "lint", str(CHART), "--strict", values=yaml_text.dump(values or {}))


@cache
def _rendered(binary: str, values: str, release: str, arguments: tuple[str, ...]) -> Rendering:
    return Rendering(run(binary, "template", release, str(CHART), *arguments, values=values))


def refusal(helm: Helm, values: Values) -> str:
    """What Helm says when it refuses."""
    with pytest.raises(HelmError) as refused:
        helm.template(values)
    return str(refused.value)


def credentials(pod: Manifest) -> list[Manifest]:
    """The sources of a pod's volume with the credentials."""
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "credentials"]
    sources = volume["projected"]["sources"]
    assert isinstance(sources, list)
    return sources


def environment(workload: Manifest) -> dict[str, Any]:
    """The variables of a workload's only container: the value of each, or where it is from."""
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def values_of(key: str, node: Any) -> Iterator[Any]:
    """Every value under that key, at any depth."""
    if isinstance(node, dict):
        yield from ([node[key]] if key in node else [])
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from values_of(key, child)
