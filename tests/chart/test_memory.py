"""Memory is counted at render: requests, limits, server workers, the cache; however a quantity is written."""

import pytest

from .rendering import Helm, Values, refusal

S3 = {"storage": {"url": "s3://inventory"}}


@pytest.mark.parametrize(
    ("values", "said", "enough"),
    [
        (
            {"resources": {"limits": {"memory": "127Mi"}, "requests": {"memory": "64Mi"}}},
            "64Mi + serverWorkers 1 x 64Mi = 128Mi > resources.limits.memory 127Mi",
            {"resources": {"limits": {"memory": "128Mi"}, "requests": {"memory": "64Mi"}}},
        ),
        (
            {"serverWorkers": 8},
            "64Mi + serverWorkers 8 x 64Mi = 576Mi > resources.limits.memory 512Mi",
            {"serverWorkers": 8, "resources": {"limits": {"memory": "0.5625Gi"}}, "database": {"maxConnections": 300}},
        ),
        (
            {**S3, "serverWorkers": 5},
            "64Mi + serverWorkers 5 x 104Mi = 584Mi > resources.limits.memory 512Mi",
            {
                **S3,
                "serverWorkers": 5,
                "resources": {"limits": {"memory": "584Mi"}},
                "database": {"maxConnections": 300},
            },
        ),
        (
            {"redis": {"bundled": {"maxMemory": "1gb"}}},
            "redis.bundled.maxMemory 1gb x 1.25 + 16Mi = 1296Mi > redis.bundled.resources.limits.memory 128Mi",
            {"redis": {"bundled": {"maxMemory": "1gb", "resources": {"limits": {"memory": "1296Mi"}}}}},
        ),
        (
            {"resources": {"requests": {"memory": "1Gi"}}},
            "resources: requests.memory 1Gi > limits.memory 512Mi",
            {"resources": {"requests": {"memory": "512Mi"}}},
        ),
        (
            {"migrations": {"resources": {"limits": {"cpu": "20m"}}}},
            "migrations.resources: requests.cpu 50m > limits.cpu 20m",
            {"migrations": {"resources": {"limits": {"cpu": 0.05}}}},
        ),
    ],
)
def test_memory_that_cannot_be_enough_is_refused(helm: Helm, values: Values, said: str, enough: Values) -> None:
    """A pod that the kernel ends under load looks like a fault of the service."""
    if "serverWorkers" in values:
        values = {**values, "database": {"maxConnections": 300}}
    message = refusal(helm, values)
    assert said in message
    assert "fix: " in message
    assert helm.template(enough).api()


@pytest.mark.parametrize(
    ("just_enough", "too_little"),
    [
        ("128Mi", "127.9Mi"),
        (134217728, 134217727),
        ("134217728", "134217727"),
        ("1.34217728e8", "1.3e8"),
        ("131072Ki", "131071Ki"),
        ("0.125Gi", ".124Gi"),
        ("134217.728k", "134217k"),
        ("134.217728M", "134M"),
        ("0.134217728G", "0.134G"),
        ("0.000134217728T", "0.000134T"),
        ("134217728000m", "134217727000m"),
        ("1Ti", "1"),
        ("1P", "1k"),
        ("1Pi", "1Ki"),
        ("1E", "1M"),
        ("1Ei", "1u"),
        ("1Gi", "9n"),
    ],
)
def test_every_way_to_write_a_quantity_is_counted(
    helm: Helm, just_enough: str | float, too_little: str | float
) -> None:
    """One server worker needs 128 Mi; numbers in a file, as Helm reads them, too."""

    def limited(memory: str | float) -> Values:
        return {"resources": {"requests": {"memory": "1n"}, "limits": {"memory": memory}}}

    assert helm.template(limited(just_enough)).api()
    assert "= 128Mi > resources.limits.memory" in refusal(helm, limited(too_little))


@pytest.mark.parametrize(
    ("cache", "needed"), [("1kb", 17), ("1mb", 18), ("100mb", 141), ("1gb", 1296), ("1048576", 18)]
)
def test_every_way_to_write_the_size_of_the_cache_is_counted(helm: Helm, cache: str, needed: int) -> None:
    def bundled(memory: int) -> Values:
        limits = {"limits": {"memory": f"{memory}Mi"}, "requests": {"memory": "1Mi"}}
        return {"redis": {"bundled": {"maxMemory": cache, "resources": limits}}}

    assert helm.template(bundled(needed)).api()
    assert f"x 1.25 + 16Mi = {needed}Mi > " in refusal(helm, bundled(needed - 1))


def test_without_limits_there_is_no_arithmetic_of_memory(helm: Helm) -> None:
    """A platform may set them by a LimitRange of its own."""
    no_limit: Values = {"limits": {"memory": None}}
    assert helm.template({"resources": no_limit, "redis": {"bundled": {"resources": no_limit}}}).api()
