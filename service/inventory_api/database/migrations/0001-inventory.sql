-- Locations, items, stock levels, the ledger of movements and the audit trail.
-- depends:

-- migrate: apply

CREATE TABLE location (
    code       text        COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Za-z0-9._-]{1,64}$'),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    active     boolean     NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO location (code, name) VALUES ('MAIN', 'Main warehouse');

CREATE TABLE item (
    sku                 text        COLLATE "C" PRIMARY KEY CHECK (sku ~ '^[A-Za-z0-9._-]{1,64}$'),
    name                text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    warehouse_location  text        COLLATE "C" NOT NULL REFERENCES location (code),
    is_discontinued     boolean     NOT NULL,
    low_stock_threshold integer     CHECK (low_stock_threshold >= 0),
    attributes          jsonb       NOT NULL CHECK (jsonb_typeof(attributes) = 'object'),
    version             integer     NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE stock_level (
    sku      text    COLLATE "C" NOT NULL REFERENCES item (sku),
    location text    COLLATE "C" NOT NULL REFERENCES location (code),
    on_hand  integer NOT NULL,
    reserved integer NOT NULL DEFAULT 0,
    version  integer NOT NULL DEFAULT 1,
    PRIMARY KEY (sku, location),
    CONSTRAINT stock_level_reserved_fits CHECK (0 <= reserved AND reserved <= on_hand)
);

CREATE TABLE stock_movement (
    id             uuid        PRIMARY KEY,
    sku            text        COLLATE "C" NOT NULL,
    location       text        COLLATE "C" NOT NULL,
    kind           text        NOT NULL,
    on_hand_delta  integer     NOT NULL,
    reserved_delta integer     NOT NULL,
    on_hand        integer     NOT NULL,
    reserved       integer     NOT NULL,
    reason         text,
    reference      text,
    actor          text        NOT NULL,
    request_id     text        NOT NULL,
    trace_id       text,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (sku, location) REFERENCES stock_level (sku, location)
);

CREATE INDEX stock_movement_by_sku ON stock_movement (sku, created_at DESC, id DESC);

CREATE TABLE audit_entry (
    id         uuid        PRIMARY KEY,
    resource   text        COLLATE "C" NOT NULL,
    action     text        NOT NULL,
    changes    jsonb       NOT NULL,
    actor      text        NOT NULL,
    request_id text        NOT NULL,
    trace_id   text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX audit_entry_by_resource ON audit_entry (resource, created_at DESC, id DESC);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER stock_movement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON stock_movement
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- migrate: rollback

DROP TABLE audit_entry;

DROP TABLE stock_movement;

DROP TABLE stock_level;

DROP TABLE item;

DROP TABLE location;

DROP FUNCTION refuse_change();
