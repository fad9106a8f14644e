"""Log lines that Loki has of one request."""

from typing import Any

from inventory_api.trace import logs
from inventory_api.trace.fetching import Client
from inventory_api.trace.model import LogLine, SourceFailed
from inventory_api.trace.window import Window

SELECTOR = '{service_name="inventory-api"}'


async def read(
    client: Client, url: str, selector: str, request_id: str, window: Window
) -> tuple[list[LogLine], str | None]:
    """Oldest first, and why they may not be all.

    Raises:
        SourceFailed: it does not answer as Loki does.
    """
    answer = await client.get(
        f"{url}/loki/api/v1/query_range",
        {
            "query": f'{selector} |= "{request_id}"',
            "start": int(window.start.timestamp() * 1e9),
            "end": int(window.end.timestamp() * 1e9),
            "limit": logs.MOST,
            "direction": "forward",
        },
    )
    texts = _texts(answer)
    problem = f"there are more than {logs.MOST}; these are the first" if len(texts) >= logs.MOST else None
    return [*logs.of_request(texts, request_id)], problem


def _texts(answer: Any) -> list[str]:
    try:
        texts = [value[1] for stream in answer["data"]["result"] for value in stream["values"]]
    except (TypeError, KeyError, IndexError):
        raise SourceFailed("does not answer as Loki does") from None
    if not all(isinstance(text, str) for text in texts):
        raise SourceFailed("does not answer as Loki does")
    return texts
