"""`inventory-api dev`: everything on one machine, for trying and for tests."""
