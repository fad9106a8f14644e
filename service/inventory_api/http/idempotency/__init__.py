"""Idempotency-Key: the same request sent again has one effect, and one answer."""
