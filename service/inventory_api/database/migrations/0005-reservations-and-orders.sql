-- Holds of stock that expire, and orders.
-- depends: 0004-movements-by-request

-- migrate: apply

CREATE TABLE reservation (
    id         uuid        PRIMARY KEY,
    status     text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'committed', 'released', 'expired')),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- A line is held while its quantity is in `reserved` of its level for the reservation's sake. Lines of an expired
-- reservation are let go one by one, by whoever needs their stock or by the sweep.
CREATE TABLE reservation_line (
    reservation_id uuid        NOT NULL REFERENCES reservation (id),
    number         integer     NOT NULL,
    sku            text        COLLATE "C" NOT NULL,
    location       text        COLLATE "C" NOT NULL,
    quantity       integer     NOT NULL CHECK (quantity > 0),
    expires_at     timestamptz NOT NULL,
    held           boolean     NOT NULL DEFAULT true,
    PRIMARY KEY (reservation_id, number),
    FOREIGN KEY (sku, location) REFERENCES stock_level (sku, location)
);

CREATE INDEX reservation_line_held_by_level ON reservation_line (sku, location, expires_at) WHERE held;

CREATE INDEX reservation_line_held_by_expiry ON reservation_line (expires_at) WHERE held;

CREATE TABLE sales_order (
    id             uuid        PRIMARY KEY,
    external_ref   text        COLLATE "C" UNIQUE CHECK (length(external_ref) BETWEEN 1 AND 200),
    status         text        NOT NULL DEFAULT 'confirmed' CHECK (status IN ('confirmed', 'fulfilled', 'cancelled')),
    reservation_id uuid        UNIQUE REFERENCES reservation (id),
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL
);

CREATE INDEX sales_order_by_age ON sales_order (created_at DESC, id DESC);

CREATE INDEX sales_order_by_status ON sales_order (status, created_at DESC, id DESC);

CREATE TABLE sales_order_line (
    order_id uuid    NOT NULL REFERENCES sales_order (id),
    number   integer NOT NULL,
    sku      text    COLLATE "C" NOT NULL,
    location text    COLLATE "C" NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, number),
    FOREIGN KEY (sku, location) REFERENCES stock_level (sku, location)
);

-- migrate: rollback

DROP TABLE sales_order_line;

DROP TABLE sales_order;

DROP TABLE reservation_line;

DROP TABLE reservation;
