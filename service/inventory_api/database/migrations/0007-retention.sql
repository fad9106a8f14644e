-- Audit rows and reservations may be removed once they are old; what the ledger was is kept; the queue has what it uses.
-- depends: 0006-queue

-- migrate: apply

DROP TRIGGER audit_entry_append_only ON audit_entry;

CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_removal_of_recent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.created_at > statement_timestamp() - interval '90 days' THEN
        RAISE EXCEPTION 'rows of % are not removed before they are 90 days old', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END
$$;

CREATE TRIGGER audit_entry_kept BEFORE DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_removal_of_recent();

CREATE INDEX reservation_ended ON reservation (updated_at) WHERE status IN ('released', 'expired');

-- What the last look at the ledger came to, so that every queue worker can tell it.
CREATE TABLE ledger_check (
    is_the_only_one boolean     PRIMARY KEY DEFAULT true CHECK (is_the_only_one),
    mismatches      integer     NOT NULL,
    checked_at      timestamptz NOT NULL
);

-- PgQueuer reads them before it knows of a job whether it can be done: one that it cannot read would stop every worker.
ALTER TABLE pgqueuer ADD CONSTRAINT pgqueuer_headers_are_an_object CHECK (jsonb_typeof(headers) = 'object');

-- Each would cost every job that is made, or done, and none of the statements that are sent reads it.
DROP INDEX pgqueuer_priority_id_id1_idx, pgqueuer_updated_id_id1_idx, pgqueuer_log_not_aggregated, pgqueuer_log_status;

-- migrate: rollback

CREATE INDEX pgqueuer_log_status ON pgqueuer_log (status);

CREATE INDEX pgqueuer_log_not_aggregated ON pgqueuer_log ((1)) WHERE NOT aggregated;

CREATE INDEX pgqueuer_updated_id_id1_idx ON pgqueuer (updated, id DESC) INCLUDE (id) WHERE status = 'picked';

CREATE INDEX pgqueuer_priority_id_id1_idx ON pgqueuer (priority, id DESC) INCLUDE (id) WHERE status = 'queued';

ALTER TABLE pgqueuer DROP CONSTRAINT pgqueuer_headers_are_an_object;

DROP TABLE ledger_check;

DROP INDEX reservation_ended;

DROP TRIGGER audit_entry_kept ON audit_entry;

DROP FUNCTION refuse_removal_of_recent;

DROP TRIGGER audit_entry_append_only ON audit_entry;

CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
