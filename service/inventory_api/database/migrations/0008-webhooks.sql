-- Who is told of what happens, what they are told, and how that went.
-- depends: 0007-retention

-- migrate: apply

-- Version 7 of RFC 9562: milliseconds since 1970, and random bits. PostgreSQL 18 has one, and those before have not.
CREATE FUNCTION uuid7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                                          PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint)
                                                            FROM 3)
                                          FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- One that was deleted is kept until its deliveries are gone. `failures` are those in a row, the last one included. Until
-- `paused_until`, because of them, and until `retry_after`, because it asks for that, nothing is sent to it. What comes of an
-- attempt counts for the `generation` that it was made for: one that leads elsewhere, or was enabled again, begins anew. One
-- that `is_slow` has taken the last one, and its time for it.
CREATE TABLE webhook_endpoint (
    id                    uuid        PRIMARY KEY,
    url                   text        NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    events                text[]      NOT NULL CHECK (cardinality(events) > 0),
    description           text,
    status                text        NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled', 'deleted')),
    disabled_reason       text        CHECK (disabled_reason IN ('requested', 'gone', 'failing')),
    secret                text        NOT NULL,
    previous_secret       text,
    previous_secret_until timestamptz,
    failures              integer     NOT NULL DEFAULT 0,
    failing_since         timestamptz,
    paused_until          timestamptz,
    retry_after           timestamptz,
    is_slow               boolean     NOT NULL DEFAULT false,
    generation            integer     NOT NULL DEFAULT 1,
    version               integer     NOT NULL DEFAULT 1,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    CHECK ((status = 'disabled') = (disabled_reason IS NOT NULL))
);

CREATE INDEX webhook_endpoint_by_age ON webhook_endpoint (created_at DESC, id DESC) WHERE status <> 'deleted';

-- Those that somebody is told of. `body` is what is sent, to the byte; `traceparent` what its deliveries go on with.
CREATE TABLE event (
    id          uuid        PRIMARY KEY,
    type        text        COLLATE "C" NOT NULL,
    body        text        NOT NULL,
    request_id  text        NOT NULL,
    trace_id    text,
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX event_by_age ON event (created_at);

-- Pending ones are due at `next_attempt_at`. Who has claimed one, at `claimed_at`, is believed to be at it for a while. One
-- that a person has asked for, at `requested_at`, goes before others, also where the endpoint is paused; asked for while it is
-- being sent, it is sent once more.
CREATE TABLE webhook_delivery (
    id              uuid        PRIMARY KEY,
    event_id        uuid        NOT NULL REFERENCES event (id),
    event_type      text        COLLATE "C" NOT NULL,
    endpoint_id     uuid        NOT NULL REFERENCES webhook_endpoint (id),
    status          text        NOT NULL DEFAULT 'pending'
                                CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
    attempts        integer     NOT NULL DEFAULT 0,
    retries_left    integer     NOT NULL CHECK (retries_left >= 0),
    requested_at    timestamptz,
    next_attempt_at timestamptz,
    claimed_at      timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    UNIQUE (event_id, endpoint_id),
    CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK (status = 'pending' OR claimed_at IS NULL)
);

CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint_id, next_attempt_at) WHERE status = 'pending';

CREATE INDEX webhook_delivery_requested ON webhook_delivery (endpoint_id, next_attempt_at)
    WHERE status = 'pending' AND requested_at IS NOT NULL;

CREATE INDEX webhook_delivery_claimed ON webhook_delivery (endpoint_id) WHERE claimed_at IS NOT NULL;

CREATE INDEX webhook_delivery_by_age ON webhook_delivery (created_at DESC, id DESC);

CREATE INDEX webhook_delivery_by_endpoint ON webhook_delivery (endpoint_id, created_at DESC, id DESC);

CREATE INDEX webhook_delivery_by_status ON webhook_delivery (status, created_at DESC, id DESC);

CREATE INDEX webhook_delivery_by_event_type ON webhook_delivery (event_type, created_at DESC, id DESC);

CREATE INDEX webhook_delivery_ended ON webhook_delivery (updated_at) WHERE status <> 'pending';

-- Written when it begins, so that one whose worker was killed is there; it has then neither a status nor a reason.
CREATE TABLE webhook_attempt (
    delivery_id uuid        NOT NULL REFERENCES webhook_delivery (id) ON DELETE CASCADE,
    number      integer     NOT NULL,
    started_at  timestamptz NOT NULL,
    duration_ms real,
    status_code integer,
    reason      text,
    response    text,
    PRIMARY KEY (delivery_id, number)
);

-- migrate: rollback

DROP TABLE webhook_attempt;

DROP TABLE webhook_delivery;

DROP TABLE event;

DROP TABLE webhook_endpoint;

DROP FUNCTION uuid7;
