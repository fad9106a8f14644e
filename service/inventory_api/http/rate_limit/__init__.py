"""How many requests a principal may make."""
