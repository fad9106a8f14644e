"""Which of two representations of an error a request prefers: RFC 9110, section 12.5.1."""

from collections.abc import Sequence

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"


def prefers_problem(accept: Sequence[str]) -> bool:
    """Whether problem+json is asked for by name, and not less than JSON. A wildcard gets the service's own shape."""
    weights = dict(_weights(",".join(accept)))
    problem = weights.get(PROBLEM_JSON, 0.0)
    return problem > 0 and problem >= weights.get(JSON, 0.0)


def _weights(header: str) -> list[tuple[str, float]]:
    weights = []
    for part in header.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((value for name, _, value in (p.partition("=") for p in parameters) if name == "q"), "1")
        try:
            weights.append((media_type, float(weight)))
        except ValueError:
            continue
    return weights
