"""`inventory-api trace REQUEST_ID`: everything that is known of one request, from the places that have a part of it."""
