-- A claim of a delivery is good until a moment that its worker puts off while it is at it.
-- depends: 0008-webhooks

-- migrate: apply

ALTER TABLE webhook_delivery ADD COLUMN claimed_until timestamptz;

-- migrate: rollback

ALTER TABLE webhook_delivery DROP COLUMN claimed_until;
