"""Pure values and ledger rules: no I/O, clock, randomness, logging or binary fractions."""
