"""OTLP traces, set by the standard `OTEL_*` names; without an endpoint nothing is recorded and nothing is sent."""

import os
from collections.abc import Mapping

from fastapi.telemetry import TelemetryConfig
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import Counter

from inventory_api.telemetry.sampling import TraceIds

# FastAPI's own spans would stand beside those of the instrumentation.
NO_NATIVE_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False}


def exports(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether spans have somewhere to go."""
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    disabled = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not disabled and any(environ.get(name) for name in endpoints)


def create_provider(version: str, dropped: Counter) -> TracerProvider:
    """A provider of this process alone; its export thread starts here, so call it after the fork.

    The sampler is that of `OTEL_TRACES_SAMPLER` (default: parent-based, all). The semantic conventions are the stable
    ones, which the instrumentation takes from the environment alone. `dropped` counts the spans that are not sent.
    """
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    given = OTELResourceDetector().detect().attributes
    resource = Resource.create({"service.name": "inventory-api", "service.version": version, **given})
    sampler = None if exports() else ALWAYS_OFF
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False, id_generator=TraceIds())
    if exports():
        # 30 MB of memory and a requests session, only where they are used.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        from inventory_api.telemetry.export import CountedSpanProcessor  # noqa: PLC0415

        provider.add_span_processor(CountedSpanProcessor(OTLPSpanExporter(), dropped))
    return provider
