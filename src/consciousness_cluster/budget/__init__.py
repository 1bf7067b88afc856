"""What may be spent and was: prices, the ledger, accounts, reservations."""
