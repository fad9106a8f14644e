"""`make observe`: the service on this machine with all that observes it, as far as it is there."""
