"""How much of each item is where: levels, and the ledger of movements that they are the sum of."""
