-- What came of a request is found by its id: jobs that are done, and what webhooks are told of.
-- depends: 0010-attachments

-- migrate: apply

-- Of a job that is done its row is gone, and the log is what is left: it has the ids that the job had.
ALTER TABLE pgqueuer_log ADD COLUMN request_id text, ADD COLUMN trace_id text;

CREATE INDEX pgqueuer_log_by_request ON pgqueuer_log (request_id) WHERE request_id IS NOT NULL;

CREATE INDEX event_by_request ON event (request_id);

-- migrate: rollback

DROP INDEX event_by_request;

ALTER TABLE pgqueuer_log DROP COLUMN request_id, DROP COLUMN trace_id;
