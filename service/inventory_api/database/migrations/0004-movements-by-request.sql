-- What one request moved is found by its id.
-- depends: 0003-low-stock

-- migrate: apply

CREATE INDEX stock_movement_by_request ON stock_movement (request_id, created_at DESC, id DESC);

-- migrate: rollback

DROP INDEX stock_movement_by_request;
