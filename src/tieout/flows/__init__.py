"""The flows: stories told in finance words, and the only place where both systems meet."""
