"""What runs beside the service: by which command, where it is reached, and what it needs."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from helm import yaml_text

from observability import rules

OBSERVABILITY = Path(__file__).parents[1]
DASHBOARDS = OBSERVABILITY.parent / "helm" / "inventory-api" / "files" / "dashboards"
GRAFANA_IMAGE = "grafana/grafana:11.6.0"
HOST = "127.0.0.1"
NAMESPACE, RELEASE = "local", "inventory-api"


NUMBERS = {
    "api": 8000,
    "management": 9000,
    "worker": 9001,
    "prometheus": 9090,
    "alertmanager": 9093,
    "collector": 4318,
    "jaeger": 16686,
    "jaeger_otlp": 14318,
    "loki": 3100,
    "loki_other": 3101,
    "grafana": 3000,
}


@dataclass(frozen=True, slots=True)
class Ports:
    """All of them, moved by as much, where others have those."""

    offset: int = 0

    def number(self, name: str) -> int:
        return NUMBERS[name] + self.offset

    def address(self, name: str) -> str:
        return f"{HOST}:{self.number(name)}"

    def url(self, name: str) -> str:
        return f"http://{self.address(name)}"


@dataclass(frozen=True, slots=True)
class Program:
    """`ready` is asked until it answers with that status; `url` is what is told."""

    name: str
    command: tuple[str, ...]
    ready: str
    url: str
    about: str
    environment: dict[str, str] = field(default_factory=dict)
    ready_status: int = 200


@dataclass(frozen=True, slots=True)
class Missing:
    """What cannot be started, and what to do about it."""

    name: str
    why: str


def found(data: Path, ports: Ports, log: Path) -> Iterator[Program | Missing]:
    """Each of them, in the order in which they are started; their configurations are written to `data`."""
    yield _prometheus(data, ports)
    yield _alertmanager(data, ports)
    yield _jaeger(ports)
    yield _loki(data, ports)
    yield _collector(ports, log)
    yield _grafana(data, ports)


def _prometheus(data: Path, ports: Ports) -> Program | Missing:
    binary = shutil.which("prometheus")
    if binary is None:
        return Missing("Prometheus", "`prometheus` is not on PATH: `make prometheus` builds it by Go")
    (data / "rules.yaml").write_text(rules.render(rules.Options(NAMESPACE, RELEASE, grafana=ports.url("grafana"))))
    targets = [{"targets": [ports.address("management")], "labels": {"namespace": NAMESPACE, "pod": "api"}}]
    targets += [{"targets": [ports.address("worker")], "labels": {"namespace": NAMESPACE, "pod": "worker"}}]
    configuration = {
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "rule_files": [str(data / "rules.yaml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [ports.address("alertmanager")]}]}]},
        "scrape_configs": [
            {"job_name": "inventory-api", "static_configs": targets},
            # Which tells how rules are evaluated.
            {"job_name": "prometheus", "static_configs": [{"targets": [ports.address("prometheus")]}]},
        ],
    }
    (data / "prometheus.yaml").write_text(yaml_text.dump(configuration))
    url = ports.url("prometheus")
    command = (
        binary,
        f"--config.file={data / 'prometheus.yaml'}",
        f"--storage.tsdb.path={data / 'prometheus'}",
        f"--web.listen-address={ports.address('prometheus')}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    )
    return Program("Prometheus", command, f"{url}/-/ready", url, "metrics, rules and alerts")


def _alertmanager(data: Path, ports: Ports) -> Program | Missing:
    binary = shutil.which("alertmanager")
    if binary is None:
        return Missing("Alertmanager", "`alertmanager` is not on PATH: `make alertmanager` builds it by Go")
    url = ports.url("alertmanager")
    command = (
        binary,
        f"--config.file={OBSERVABILITY / 'alertmanager.yml'}",
        f"--storage.path={data / 'alertmanager'}",
        f"--web.listen-address={ports.address('alertmanager')}",
        "--cluster.listen-address=",
        "--log.level=error",
    )
    return Program("Alertmanager", command, f"{url}/-/ready", url, "what is firing; its receivers are examples")


def _jaeger(ports: Ports) -> Program | Missing:
    binary = shutil.which("jaeger")
    if binary is None:
        return Missing("Jaeger", "`jaeger` is not on PATH: traces are not kept")
    command = (binary, f"--config={OBSERVABILITY / 'stack' / 'jaeger.yaml'}")
    environment = {"JAEGER_QUERY": ports.address("jaeger"), "JAEGER_OTLP": ports.address("jaeger_otlp")}
    return Program("Jaeger", command, ports.url("jaeger"), ports.url("jaeger"), "traces", environment)


def _loki(data: Path, ports: Ports) -> Program | Missing:
    binary = shutil.which("loki")
    if binary is None:
        return Missing("Loki", "`loki` is not on PATH: log lines are in a file only")
    command = (
        binary,
        f"-config.file={OBSERVABILITY / 'stack' / 'loki.yaml'}",
        "-config.expand-env=true",
        f"-server.http-listen-address={HOST}",
        f"-server.http-listen-port={ports.number('loki')}",
        f"-server.grpc-listen-address={HOST}",
        f"-server.grpc-listen-port={ports.number('loki_other')}",
        "-log.level=error",
    )
    url = ports.url("loki")
    return Program("Loki", command, f"{url}/ready", url, "log lines", {"LOKI_DATA": str(data / "loki")})


def _collector(ports: Ports, log: Path) -> Program | Missing:
    binary = shutil.which("otelcol") or shutil.which("otelcol-contrib")
    if binary is None:
        return Missing("OpenTelemetry Collector", "`otelcol` is not on PATH: no traces, and no log lines in Loki")
    files = [OBSERVABILITY / "collector" / name for name in ("collector.yaml", "local.yaml")]
    url = ports.url("collector")
    environment = {
        "OTLP_LISTEN": ports.address("collector"),
        "TRACES_ENDPOINT": ports.url("jaeger_otlp"),
        "LOGS_ENDPOINT": ports.url("loki"),
        "LOG_FILES": str(log),
        # On one machine there is room for all of them.
        "KEPT_PERCENTAGE": "100",
        "DECISION_WAIT": "2s",
    }
    command = (binary, *(f"--config={file}" for file in files))
    about = "takes spans and log lines"
    # Spans are posted there.
    return Program("OpenTelemetry Collector", command, f"{url}/v1/traces", url, about, environment, ready_status=405)


def _grafana(data: Path, ports: Ports) -> Program | Missing:
    environment = {
        "GF_PATHS_PROVISIONING": str(OBSERVABILITY / "grafana" / "provisioning"),
        "GF_PATHS_DATA": str(data / "grafana"),
        "GF_SERVER_HTTP_ADDR": HOST,
        "GF_SERVER_HTTP_PORT": str(ports.number("grafana")),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Admin",
        "DASHBOARDS": str(DASHBOARDS),
        "TRACES_UID": "jaeger",
        "TEMPO_URL": ports.url("jaeger"),
        **{f"{name.upper()}_URL": ports.url(name) for name in ("prometheus", "alertmanager", "loki", "jaeger")},
    }
    url = ports.url("grafana")
    about = "dashboards"
    if home := shutil.which("grafana"):
        command: tuple[str, ...] = (home, "server", f"--homepath={_home(Path(home))}")
        return Program("Grafana", command, f"{url}/api/health", url, about, environment)
    if engine := shutil.which("podman") or shutil.which("docker"):
        volumes = [argument for folder in (OBSERVABILITY, DASHBOARDS) for argument in ("-v", f"{folder}:{folder}:ro")]
        inside = {**environment, "GF_PATHS_DATA": "/tmp/grafana"}  # noqa: S108 -- of the container
        given = [argument for name, value in inside.items() for argument in ("-e", f"{name}={value}")]
        command = (engine, "run", "--rm", "--network=host", *volumes, *given, GRAFANA_IMAGE)
        return Program("Grafana", command, f"{url}/api/health", url, about)
    return Missing("Grafana", "neither `grafana` nor a container engine (podman, docker) is on PATH")


def _home(binary: Path) -> Path:
    """Where its pages and defaults are: beside the binary, or where packages put them."""
    beside = binary.resolve().parents[1]
    return beside if (beside / "conf").is_dir() else Path("/usr/share/grafana")
