"""Where Alertmanager sends to: each path is a receiver, and what comes is noted."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.http_server import Handler, answering


@dataclass(frozen=True, slots=True)
class Message:
    """One alert that one receiver was told of, `firing` or `resolved`; `at` by the monotonic clock.

    `group`: what Alertmanager tells together, and a pager has as one.
    """

    receiver: str
    group: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    at: float


class Receiver:
    def __init__(self, url: str) -> None:
        self.url = url
        self.messages: list[Message] = []


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Receivers(Handler):
        def asked(self) -> None:
            body = json.loads(self.body())
            now = time.monotonic()
            told_by = self.path.strip("/"), body["groupKey"]
            receiver.messages += [
                Message(*told_by, alert["status"], alert["labels"], alert["annotations"], now)
                for alert in body["alerts"]
            ]
            self.answer(200)

    with answering(Receivers) as url:
        receiver = Receiver(url)
        yield receiver
