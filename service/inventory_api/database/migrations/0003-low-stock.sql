-- Which items are low in stock is kept, so that a list of them reads no others.
-- depends: 0002-stock-and-idempotency

-- migrate: apply

ALTER TABLE item ADD COLUMN is_low_stock boolean NOT NULL DEFAULT false;

CREATE FUNCTION is_low_stock(of_sku text, threshold integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(threshold >= (SELECT sum(on_hand - reserved) FROM stock_level WHERE sku = of_sku), false)
$$;

CREATE FUNCTION judge_low_stock_by_levels() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE item SET is_low_stock = NOT is_low_stock
    WHERE sku IN (SELECT sku FROM changed) AND is_low_stock <> is_low_stock(sku, low_stock_threshold);
    RETURN NULL;
END
$$;

CREATE FUNCTION judge_low_stock_by_threshold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.is_low_stock := is_low_stock(NEW.sku, NEW.low_stock_threshold);
    RETURN NEW;
END
$$;

CREATE TRIGGER stock_level_inserted AFTER INSERT ON stock_level REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION judge_low_stock_by_levels();

CREATE TRIGGER stock_level_updated AFTER UPDATE ON stock_level REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION judge_low_stock_by_levels();

CREATE TRIGGER item_threshold_updated BEFORE UPDATE ON item
    FOR EACH ROW WHEN (OLD.low_stock_threshold IS DISTINCT FROM NEW.low_stock_threshold)
    EXECUTE FUNCTION judge_low_stock_by_threshold();

UPDATE item SET is_low_stock = true WHERE is_low_stock(sku, low_stock_threshold);

CREATE INDEX item_low_in_stock ON item (sku) WHERE is_low_stock;

DROP INDEX item_with_threshold;

-- migrate: rollback

CREATE INDEX item_with_threshold ON item (sku) WHERE low_stock_threshold IS NOT NULL;

DROP TRIGGER item_threshold_updated ON item;

DROP TRIGGER stock_level_updated ON stock_level;

DROP TRIGGER stock_level_inserted ON stock_level;

DROP FUNCTION judge_low_stock_by_threshold, judge_low_stock_by_levels, is_low_stock;

ALTER TABLE item DROP COLUMN is_low_stock;
