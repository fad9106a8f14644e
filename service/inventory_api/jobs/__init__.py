"""Work that must not be lost: written with what it is for, done by `inventory-api worker`, again until it is done."""
