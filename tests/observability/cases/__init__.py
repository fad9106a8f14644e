"""Of each alert what makes it fire and what does not, as data; by the modules of observability/rules."""

from tests.observability.alerting import Case

from . import arithmetic, dependencies, serving, slo, telemetry, work

CASES: tuple[Case, ...] = (*slo.CASES, *serving.CASES, *dependencies.CASES, *work.CASES, *telemetry.CASES)
ARITHMETIC = arithmetic.ARITHMETIC
