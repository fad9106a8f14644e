-- Files that belong to orders and items. What is in them is in the storage.
-- depends: 0009-leases

-- migrate: apply

-- A row is there before its object is: what nobody completes by `expires_at` is found by that, and swept. One that was
-- deleted is kept until nothing can be uploaded for it any more.
CREATE TABLE attachment (
    id           uuid        PRIMARY KEY,
    order_id     uuid        REFERENCES sales_order (id),
    sku          text        COLLATE "C" REFERENCES item (sku),
    status       text        NOT NULL
                             CHECK (status IN ('pending_upload', 'verifying', 'available', 'rejected', 'expired')),
    filename     text        NOT NULL CHECK (length(filename) BETWEEN 1 AND 255),
    content_type text        NOT NULL,
    size         bigint      NOT NULL CHECK (size > 0),
    sha256       text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    deleted_at   timestamptz,
    CHECK (num_nonnulls(order_id, sku) = 1)
);

CREATE INDEX attachment_by_order ON attachment (order_id, created_at DESC, id DESC)
    WHERE order_id IS NOT NULL AND deleted_at IS NULL;

CREATE INDEX attachment_by_item ON attachment (sku, created_at DESC, id DESC)
    WHERE sku IS NOT NULL AND deleted_at IS NULL;

CREATE INDEX attachment_unfinished ON attachment (expires_at)
    WHERE status IN ('pending_upload', 'verifying') AND deleted_at IS NULL;

CREATE INDEX attachment_deleted ON attachment (expires_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX attachment_ended ON attachment (updated_at) WHERE status IN ('rejected', 'expired') AND deleted_at IS NULL;

-- migrate: rollback

DROP TABLE attachment;
