"""What is asked of series that there are not, or in a way that answers nothing, is found before Prometheus is asked."""

import pytest
from observability.vocabulary import Vocabulary, of_catalogue

from inventory_api.telemetry.metrics import CATALOGUE, ROUTES

VOCABULARY = Vocabulary(of_catalogue(CATALOGUE, {ROUTES: frozenset({"/orders", "none"})}))
REQUESTS = "http_server_request_duration_seconds"


@pytest.mark.parametrize(
    "expression",
    [
        f'sum by (http_route) (rate({REQUESTS}_count{{http_response_status_code=~"5.."}}[5m]))',
        f'histogram_quantile(0.99, sum by (le, http_route) (rate({REQUESTS}_bucket{{http_route="/orders"}}[5m])))',
        f'sum(rate({REQUESTS}_bucket{{le="0.25"}}[1h])) / sum(rate({REQUESTS}_bucket{{le="+Inf"}}[1h]))',
        'max by (entrypoint) (jobs_pending{entrypoint!="other", namespace="a"}) > 3',
        "absent(app_build_info)",
        'count(orders_total{result="created"})',
        "max_over_time(sum(rate(http_server_shed_total[5m]))[1h:])",
        'count by (release) (label_replace(app_build_info, "release", "$1", "version", "(.*)"))',
        'count_values("release", jobs_dead_letters) > on (release) group_left (pod) vector(0)',
        'db_client_connections{state="used"} / on (pod, server_worker, pool) db_client_connection_max',
        'sum(rate(webhook_attempts_bucket{le="1.0"}[5m]))',
        'rate(db_client_operation_duration_seconds_count{error_type=""}[5m])',
    ],
)
def test_what_can_be_answered_is_well(expression: str) -> None:
    assert VOCABULARY.problems(expression) == []


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("rate(http_requests_total[5m])", "there is no metric http_requests_total"),
        (f"rate({REQUESTS}[5m])", f"there is no metric {REQUESTS}"),
        ('{job="a"}', "it names no metric"),
        ('rate(orders_total{outcome="created"}[5m])', "orders_total has no label outcome"),
        ('rate(orders_total{result="create"}[5m])', "orders_total: no result is = create"),
        ('rate(orders_total{result!="create"}[5m])', "orders_total: no result is = create"),
        ('rate(orders_total{result=~"create|fulfil"}[5m])', "orders_total: no result is =~ create|fulfil"),
        ('rate(orders_total{result=~"created|fulfil"}[5m])', "orders_total: no result is =~ created|fulfil"),
        (f'rate({REQUESTS}_count{{http_route="/order"}}[5m])', f"{REQUESTS}_count: no http_route is = /order"),
        (f'rate({REQUESTS}_bucket{{le="0.3"}}[5m])', f"{REQUESTS}_bucket: no le is = 0.3"),
        ("sum by (route) (jobs_pending)", "nothing that it reads has the label route"),
        ("jobs_pending / on (queue) jobs_dead_letters", "nothing that it reads has the label queue"),
        ("orders_total > 3", "orders_total is a counter: take its rate"),
        ("sum(orders_total)", "orders_total is a counter: take its rate"),
        ("rate(jobs_pending[5m])", "jobs_pending is no counter, and has no rate"),
        ("sum(rate(orders_total[5m])", "it is not PromQL: unclosed left parenthesis"),
    ],
)
def test_what_would_be_answered_by_nothing_is_told(expression: str, problem: str) -> None:
    assert VOCABULARY.problems(expression) == [problem]
