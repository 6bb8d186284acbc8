"""Pure values and ledger rules: no I/O, no clock, no randomness, no logging, no binary fractions."""
