"""A demo home of 4,000 lines that ties: made once, copies of its own for tests that change it."""

from demo_home import home, made, shared

__all__ = ["home", "made", "shared"]
