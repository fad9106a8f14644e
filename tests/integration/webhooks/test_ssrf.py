"""An endpoint that leads into this machine or its network: refused, and no connection is made, seen on the socket."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from tests.support.connects import connects_seen
from tests.support.database import execute
from tests.support.delivering import ENDPOINTS, add_endpoint, deliveries, delivering, delivery_of, ended, send_test
from tests.support.partner import Partner, partner
from tests.support.service import Service
from tests.support.working import until

from inventory_api.webhooks.dialling import CheckedBackend
from inventory_api.webhooks.resolving import Address
from inventory_api.webhooks.rules import Rules

OK = b"HTTP/1.1 204 No Content\r\n\r\n"
# {port}: of somebody on this machine who would answer.
URLS = (
    "http://127.0.0.1:{port}/", "https://127.0.0.1:{port}/", "https://127.1:{port}/", "https://2130706433:{port}/",
    "https://0x7f000001:{port}/", "https://0177.0.0.1:{port}/", "https://0x7f.0.0.1:{port}/", "https://0:{port}/",
    "https://[::1]:{port}/", "https://[::ffff:127.0.0.1]:{port}/", "https://[::ffff:7f00:1]:{port}/",
    "https://[64:ff9b::7f00:1]:{port}/", "https://[2002:7f00:1::]:{port}/", "https://[::127.0.0.1]:{port}/",
    "https://[fe80::1%25lo]:{port}/", "https://[ff02::1]:{port}/", "https://localhost:{port}/",
    "https://LOCALHOST.:{port}/", "https://127.0.0.1.:{port}/", "https://user@127.0.0.1:{port}/",
    "https://partner.example@127.0.0.1:{port}/", "https://127.0.0.1:{port}@partner.example/",
    "https://127.0.0.1:{port}#@partner.example/", "https://127.0.0.1:{port}\\@partner.example/",
    "https://169.254.169.254/latest/meta-data/", "https://[fd00:ec2::254]/", "https://10.0.0.1/", "https://0.0.0.0/",
    "https://224.0.0.1/", "https://255.255.255.255/", "https://metadata.internal/", "https://partner.example:22/",
    "https://[2606:4700::1111]x:443/", "https://x[2606:4700::1111]/", "https://partner.example:443:80/",
    "https://kubernetes.default.svc/", "https://host.localdomain/", "gopher://127.0.0.1:{port}/",
    "file:///etc/passwd", "//127.0.0.1:{port}/", "https://\u24db\u24de\u24d2al:{port}/",
)  # fmt: skip
# What names may resolve to. Those that have a public one among them are refused as a whole.
ANSWERS = (
    ["127.0.0.1"], ["::1"], ["10.0.0.1"], ["192.168.1.1"], ["172.16.0.1"], ["169.254.169.254"], ["100.64.0.1"],
    ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["2002:7f00:1::"], ["2001::1"], ["fe80::1"], ["fc00::1"], ["ff02::1"],
    ["0.0.0.0"], ["::"], ["224.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["2606:4700::1", "::1"],
)  # fmt: skip


@pytest.fixture
def connects() -> Iterator[list[Any]]:
    with connects_seen() as seen:
        yield seen


async def force(service: Service, database_url: str, url: str) -> dict[str, Any]:
    """An endpoint that the API refuses, as if it had been taken by an older release; the delivery of a test to it."""
    endpoint = await add_endpoint(service, "https://partner.example/")
    quoted = url.replace("'", "''")
    await execute(database_url, f"UPDATE webhook_endpoint SET url = '{quoted}' WHERE id = '{endpoint['id']}'")  # noqa: S608
    return await send_test(service, endpoint)


async def refused(service: Service, there: Partner, count: int) -> None:
    found = await ended(service, count, status="failed")
    reasons = {(await delivery_of(service, one))["attempts"][0]["reason"] for one in found}
    assert (reasons, there.connections) == ({"address refused"}, 0)


async def test_every_spelling_is_refused_when_an_endpoint_is_made(service: Service) -> None:
    for url in URLS:
        body = {"url": url.format(port=8443), "events": ["order.created"]}
        answer = await service.api.post(ENDPOINTS, json=body)
        assert (answer.status_code, answer.json()["error"]["details"][0]["code"]) == (422, "url_refused"), url


async def test_no_spelling_of_this_machine_is_dialled(service: Service, database_url: str, connects: list[Any]) -> None:
    async with partner(OK) as there, delivering(database_url, rules=Rules()):
        for url in URLS:
            await force(service, database_url, url.format(port=there.port))
        await refused(service, there, len(URLS))
    assert connects == []


async def test_no_name_that_leads_there_is_dialled(service: Service, database_url: str, connects: list[Any]) -> None:
    answers = {f"a-{number}.example.com": answer for number, answer in enumerate(ANSWERS)}

    async def resolve(host: str, port: int) -> list[Address]:
        del port
        return [ip_address(address) for address in answers[host]]

    backend = CheckedBackend(resolve)
    async with partner(OK) as there, delivering(database_url, rules=Rules(), backend=backend):
        for name in answers:
            await send_test(service, await add_endpoint(service, f"https://{name}:{there.port}/"))
        await refused(service, there, len(ANSWERS))
    assert connects == []


@pytest.mark.settings(webhook_loopback="true")
async def test_a_redirect_there_is_no_answer_and_nobody_goes(
    service: Service, database_url: str, connects: list[Any]
) -> None:
    """And a name that leads elsewhere the second time is looked at the second time."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(host: str, port: int) -> list[Address]:
        del host, port
        return [ip_address(address) for address in next(answers)]

    async with partner(OK) as inside:
        away = f"HTTP/1.1 307 There\r\nlocation: http://127.0.0.1:{inside.port}/\r\ncontent-length: 0\r\n\r\n"
        backend = CheckedBackend(resolve, admit_loopback=True)
        async with partner(away.encode()) as there, delivering(database_url, backend=backend) as worker:
            endpoint = await add_endpoint(service, f"http://localhost:{there.port}/")
            for count in (1, 2):
                await send_test(service, endpoint)
                await until(lambda count=count: worker.outcome("failed") == count)  # type: ignore[misc]
            second, first = [await delivery_of(service, one) for one in await deliveries(service)]
            assert (first["attempts"][0]["status_code"], second["attempts"][0]["reason"]) == (307, "address refused")
        assert (inside.connections, len(there.requests)) == (0, 1)
    assert [address[1] for address in connects] == [there.port]


async def test_the_hook_sees_what_is_dialled(connects: list[Any]) -> None:
    """Else nothing that is claimed of it would be so."""
    async with partner(OK) as there:
        with socket.socket() as probe:
            probe.setblocking(True)
            probe.connect(("127.0.0.1", there.port))
    assert connects == [("127.0.0.1", there.port)]
