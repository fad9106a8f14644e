"""What drills claim again and again."""

import time
from collections import Counter

import psutil
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.otlp import Collector, attributes
from tests.support.process import Server
from tests.support.waiting import wait_until

from .drill import Drill, identities, metric
from .load import Load
from .outcomes import Outcomes
from .report import milliseconds

# What the contract says (DESIGN, section 3).
DEADLINE_SECONDS = 5.0
UNREADY_SECONDS = 10.0
READY_AGAIN_SECONDS = 5.0
RETRYABLE = {"DEPENDENCY_UNAVAILABLE", "OVERLOADED"}
# The kubelet's own time-out: a probe that takes longer is one that failed.
PROBE_SECONDS = 1.0
# For the way of an answer through a machine that has other things to do.
MARGIN_SECONDS = 1.5


def no_failures(drill: Drill, phase: str, outcomes: Outcomes) -> None:
    """Where the machine may have other things to do, it may also have no room for a request."""
    refused = outcomes.where(lambda outcome: outcome.no_room)
    failed = outcomes.failed.where(lambda outcome: not outcome.no_room)
    drill.report.claim(f"{phase}: every request is answered", bool(outcomes) and not failed)
    drill.report.measure(f"{phase}: there is room for all of them", not refused, len(refused))


def failures_keep_the_contract(drill: Drill, outcomes: Outcomes) -> None:
    """Each is a 503 or 504 in the one shape, soon enough, and says when to come again."""
    failed, report = outcomes.failed, drill.report
    unanswered = failed.where(lambda outcome: bool(outcome.problem)).labels()
    report.claim("every request is sent, and has an answer", not unanswered, dict(unanswered) or "")
    others = failed.where(lambda outcome: outcome.status not in {0, 503, 504}).labels()
    report.claim("every failure is a 503 or a 504", not others, dict(others) or "")
    shapeless = failed.where(lambda outcome: not outcome.one_shape and not outcome.problem)
    report.claim("every failure has the one shape, under the request's own id", not shapeless, len(shapeless) or "")
    silent = failed.where(lambda outcome: outcome.error in RETRYABLE and not outcome.retry_after)
    report.claim("Retry-After where a retry can help", not silent, len(silent) or "")
    slowest = outcomes.slowest
    bound = DEADLINE_SECONDS + MARGIN_SECONDS
    report.measure("none is held longer than its deadline", slowest <= bound, milliseconds(slowest))


def liveness_holds(drill: Drill, prober: Load) -> None:
    """No dependency counts for it, nor how many requests wait for one."""
    live = prober.outcomes().of("live")
    seen = f"{len(live)} probes, p99 {milliseconds(live.percentile(99))}, slowest {milliseconds(live.slowest)}"
    drill.report.claim("liveness never fails", bool(live) and not live.failed, seen)
    drill.report.measure(f"liveness answers within {PROBE_SECONDS:g} s", live.slowest < PROBE_SECONDS, seen)


def until_readiness_says(drill: Drill, prober: Load, states: set[str], *, since: float, within: float) -> None:
    """Wait for it, and claim the time that it took."""

    def seen() -> float | None:
        told = (probe for probe in prober.outcomes().of("ready") if probe.begun >= since and probe.state in states)
        return min((probe.ended for probe in told), default=None)

    # Patient, so that a claim that fails tells by how much.
    at = wait_until(seen, within * 3)
    took = (at or time.monotonic()) - since
    drill.report.measure(f"{' or '.join(sorted(states))} within {within:g} s", took <= within, milliseconds(took))


def no_worker_was_replaced(drill: Drill, server: Server, before: list[psutil.Process]) -> None:
    drill.report.claim("no server worker was replaced", identities(before) == identities(server.children()))


def no_connection_leaks(drill: Drill, server: Server, most: int) -> None:
    """After the load: all places of the pools are free, and PostgreSQL knows of no more sessions than there can be."""
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'inventory-api'"
    wait_until(lambda: metric(server, "db_client_connections", state="used") == 0)
    wait_until(lambda: drill.world.fetch(sessions)[0][0] <= most)
    drill.report.claim(f"no connection leaks: at most {most}", True, drill.world.fetch(sessions)[0][0])


def answered_changes_are_there(drill: Drill, load: Load) -> None:
    """Each change that was answered is in the audit once; a 503 says that nothing was changed, a 504 does not."""
    query = "SELECT request_id, count(*) FROM audit_entry WHERE starts_with(request_id, $1) GROUP BY request_id"
    rows = drill.world.fetch(query, load.prefix)
    audited = {row[0]: row[1] for row in rows}
    changes = load.outcomes().where(lambda outcome: outcome.kind in {"PATCH", "PUT"})
    ids = {load.request_id(outcome): outcome for outcome in changes}
    lost = [found for found, outcome in ids.items() if 200 <= outcome.status < 300 and audited.get(found) != 1]
    drill.report.claim("every change that was answered is in the audit, once", not lost, f"{len(audited)} changes")
    failed = Outcomes(ids[found] for found in audited if found in ids and ids[found].failed)
    seen = dict(failed.labels()) or ""
    drill.report.claim("none that failed has been made, but for a 504", {o.status for o in failed} <= {504}, seen)


def every_answer_has_its_span(drill: Drill, load: Load, collector: Collector) -> None:
    """One server span at the collector, under the request's own id."""
    served = [span for span in collector.spans() if span.kind == Span.SPAN_KIND_SERVER]
    spans = Counter(attributes(span).get("app.request_id") for span in served)
    ids = [load.request_id(outcome) for outcome in load.outcomes() if outcome.status]
    drill.report.claim("no span is lost", bool(ids) and all(map(spans.get, ids)), sum(not spans[id_] for id_ in ids))
    drill.report.claim("none is sent twice", all(spans[id_] <= 1 for id_ in ids), f"{len(served)} server spans")


def log_has_no_errors(drill: Drill, server: Server) -> None:
    """An outage of a dependency is a warning; an error is something that nobody has thought of."""
    errors = [line for line in server.log_lines() if line["level"] in {"error", "critical"}]
    drill.report.claim("the log has no error", not errors, len(errors) or "")
    for line in errors[:3]:
        drill.report.say(f"{line['message']}\n{line.get('error.stack', '')}")
