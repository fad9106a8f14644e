"""Redis, which only makes things cheaper: the service answers without it."""
