"""Requests made of the document, right and wrong ones: every answer is one that the document tells of."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import allow_header_conformance, positive_data_acceptance
from tests.support.process import Server
from tests.support.service import ADMIN_KEY

from inventory_api import settings as settings_module
from inventory_api.app import create_app

EXAMPLES = 40
# What is right by the document may still not fit what is there: a cursor, a tag, a key that was used.
UNFIT = {
    "INVALID_CURSOR", "PRECONDITION_FAILED", "PRECONDITION_REQUIRED", "NOT_FOUND", "CONFLICT", "INSUFFICIENT_STOCK",
    "STOCK_BELOW_RESERVED", "UNKNOWN_SKU", "UNKNOWN_LOCATION", "IDEMPOTENCY_KEY_REUSED", "EMPTY_PATCH",
}  # fmt: skip
# Nor can a document say that 1.0 is no integer, that NUL is no text, or what must be between two fields.
UNSAYABLE = {"immutable", "int_type", "string_unicode", "value_error"}
# What `Allow` says of these paths is that of an item too, which may have such a name.
ALSO_SKUS = {"/inventory/adjustments", "/inventory/transfers"}

schema = schemathesis.openapi.from_dict(create_app(settings_module.load({})).api.openapi())


@schema.auth()
class Key:
    """As a client sends it; checks take it away, and send wrong ones."""

    def get(self, case: Any, context: Any) -> str:
        return ADMIN_KEY

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.check
def what_is_right_is_accepted(context: Any, response: Any, case: Any) -> None:
    """As `positive_data_acceptance`, which knows statuses only."""
    try:
        positive_data_acceptance(context, response, case)
    except RejectedPositiveData:
        error = response.json()["error"]
        codes = {detail["code"] for detail in error["details"] or []}
        if error["type"] not in UNFIT and not (codes and codes <= UNSAYABLE):
            raise


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_documented(case: Any, server: Server) -> None:
    case.call_and_validate(
        base_url=server.api,
        timeout=30,
        additional_checks=[what_is_right_is_accepted],
        excluded_checks=[positive_data_acceptance, *([allow_header_conformance] if case.path in ALSO_SKUS else [])],
    )
