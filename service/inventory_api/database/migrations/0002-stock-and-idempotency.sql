-- What adjustments, transfers and their safe retries need.
-- depends: 0001-inventory

-- migrate: apply

ALTER TABLE location
    ADD COLUMN version    integer     NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();

CREATE INDEX location_by_age ON location (created_at DESC, code DESC);

-- For the filters of the list of items, which is ordered by sku. Text is compared by code points: a prefix is a range.
CREATE INDEX stock_level_by_location ON stock_level (location, sku);

CREATE INDEX item_by_update ON item (updated_at);

CREATE INDEX item_by_lower_sku ON item (lower(sku) COLLATE "C");

CREATE INDEX item_by_lower_name ON item (lower(name) COLLATE "C");

CREATE INDEX item_with_threshold ON item (sku) WHERE low_stock_threshold IS NOT NULL;

CREATE INDEX item_discontinued ON item (sku) WHERE is_discontinued;

CREATE INDEX audit_entry_by_age ON audit_entry (created_at DESC, id DESC);

CREATE INDEX audit_entry_by_actor ON audit_entry (actor, created_at DESC, id DESC);

CREATE INDEX audit_entry_by_request ON audit_entry (request_id, created_at DESC, id DESC);

CREATE TABLE idempotency_record (
    principal   text        COLLATE "C" NOT NULL,
    key         text        COLLATE "C" NOT NULL,
    fingerprint bytea       NOT NULL,
    status      smallint    NOT NULL,
    body        text        NOT NULL,
    location    text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (principal, key)
);

CREATE INDEX idempotency_record_by_age ON idempotency_record (created_at);

-- migrate: rollback

DROP TABLE idempotency_record;

DROP INDEX audit_entry_by_request, audit_entry_by_actor, audit_entry_by_age;

DROP INDEX item_discontinued, item_with_threshold, item_by_lower_name, item_by_lower_sku, item_by_update;

DROP INDEX stock_level_by_location;

DROP INDEX location_by_age;

ALTER TABLE location DROP COLUMN updated_at, DROP COLUMN version;
