"""Others are told of what happened, by HTTP, signed, until they have taken it."""
