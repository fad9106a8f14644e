"""A database with many items and movements, made by a few statements: what is rare in it is far from what is common."""

from collections.abc import AsyncIterator

import asyncpg

BUSY_SKU = "S-000000001"
# $1: how many items; $2: one in so many is discontinued, low in stock, has another name or is at RARE, each time
# another one. Each item has nine movements, and one of them as many more as there are items.
STATEMENTS = {
    "locations": """
        INSERT INTO location (code, name)
        SELECT code, code FROM unnest(ARRAY['RARE', 'L-0', 'L-1', 'L-2', 'L-3', 'L-4']) AS code""",
    "items": """
        INSERT INTO item (sku, name, warehouse_location, is_discontinued, low_stock_threshold, attributes,
                          created_at, updated_at)
        SELECT 'S-' || lpad(n::text, 9, '0'), CASE n % $2 WHEN 1 THEN 'Rare ' ELSE 'Bolt ' END || n, 'MAIN',
               n % $2 = 2, 5, '{"steel": "8.8"}', at, at
        FROM (SELECT n, clock_timestamp() - n * interval '1 minute' AS at
              FROM generate_series(1, $1::int) AS n) AS made""",
    "levels": """
        INSERT INTO stock_level (sku, location, on_hand)
        SELECT 'S-' || lpad(n::text, 9, '0'), 'MAIN', CASE n % $2 WHEN 3 THEN 1 ELSE 10 + n % 90 END
        FROM generate_series(1, $1::int) AS n""",
    "levels elsewhere": """
        INSERT INTO stock_level (sku, location, on_hand)
        SELECT 'S-' || lpad(n::text, 9, '0'), CASE n % $2 WHEN 4 THEN 'RARE' ELSE 'L-' || n % 5 END, 1
        FROM generate_series(2, $1::int, 2) AS n""",
    "movements": """
        INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, actor,
                                    request_id, created_at)
        SELECT gen_random_uuid(), 'S-' || lpad(n::text, 9, '0'), 'MAIN', 'adjustment', 1, 0, turn, 0, 'key:x',
               'r-' || n, clock_timestamp() - turn * interval '1 day'
        FROM generate_series(1, 9) AS turn, generate_series(1, $1::int) AS n""",
    "movements of one": """
        INSERT INTO stock_movement (id, sku, location, kind, on_hand_delta, reserved_delta, on_hand, reserved, actor,
                                    request_id, created_at)
        SELECT gen_random_uuid(), 'S-000000001', 'MAIN', 'adjustment', 1, 0, n, 0, 'key:x', 'r-' || n,
               clock_timestamp() - n * interval '1 second'
        FROM generate_series(1, $1::int) AS n""",
    "orders": """
        INSERT INTO sales_order (id, external_ref, status, created_at, updated_at)
        SELECT gen_random_uuid(), 'ref-' || n, CASE n % $2 WHEN 5 THEN 'cancelled' ELSE 'fulfilled' END, at, at
        FROM (SELECT n, clock_timestamp() - n * interval '1 second' AS at
              FROM generate_series(1, $1::int) AS n) AS made""",
    "lines of orders": """
        INSERT INTO sales_order_line (order_id, number, sku, location, quantity)
        SELECT id, number, 'S-000000001', 'MAIN', 1 FROM sales_order, generate_series(1, 3) AS number""",
    "webhook endpoints": """
        INSERT INTO webhook_endpoint (id, url, events, secret, created_at, updated_at)
        SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'https://partner.example/', '{order.created}', 'x',
               clock_timestamp(), clock_timestamp()
        FROM generate_series(1, 2) AS n""",
    "events": """
        INSERT INTO event (id, type, body, request_id)
        SELECT lpad(to_hex(n), 32, '0')::uuid, 'order.created', '{}', 'r-' || n
        FROM generate_series(1, $1::int) AS n""",
    "webhook deliveries": """
        INSERT INTO webhook_delivery (id, event_id, event_type, endpoint_id, status, retries_left, next_attempt_at,
                                      created_at, updated_at)
        SELECT gen_random_uuid(), lpad(to_hex(n), 32, '0')::uuid,
               CASE n % $2 WHEN 6 THEN 'reservation.expired' ELSE 'order.created' END,
               ('00000000-0000-0000-0000-00000000000' || CASE n % $2 WHEN 7 THEN 2 ELSE 1 END)::uuid,
               CASE n % $2 WHEN 8 THEN 'failed' ELSE 'pending' END, 5,
               CASE n % $2 WHEN 8 THEN NULL ELSE clock_timestamp() + n * interval '1 minute' END, at, at
        FROM (SELECT n, clock_timestamp() - n * interval '1 second' AS at
              FROM generate_series(1, $1::int) AS n) AS made""",
    "audit": """
        INSERT INTO audit_entry (id, resource, action, changes, actor, request_id, created_at)
        SELECT gen_random_uuid(), 'item:S-' || lpad(n::text, 9, '0'), 'create', '{}', 'key:' || n % $2, 'r-' || n,
               clock_timestamp() - n * interval '1 second'
        FROM generate_series(1, $1::int) AS n""",
}


def sku(number: int) -> str:
    """Of the item with that number, from 1."""
    return f"S-{number:09d}"


async def fill(connection: asyncpg.Connection, items: int, rare_each: int) -> AsyncIterator[str]:
    """So many items, and ten times as many movements; tells what is made, before it is."""
    # Without triggers: foreign keys are not looked at row by row, and what they keep is made at the end.
    await connection.execute("SET session_replication_role = replica")
    for what, statement in STATEMENTS.items():
        yield what
        arguments = [value for place, value in (("$1", items), ("$2", rare_each)) if place in statement]
        await connection.execute(statement, *arguments, timeout=None)
    await connection.execute("SET session_replication_role = origin")
    await connection.execute("UPDATE item SET is_low_stock = true WHERE is_low_stock(sku, low_stock_threshold)")
    yield "statistics"
    await connection.execute("VACUUM ANALYZE", timeout=None)
