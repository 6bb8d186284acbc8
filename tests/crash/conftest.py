"""A demo home of 4,000 lines that ties, for tests that need no practice company of their own."""

from demo_home import home, made

__all__ = ["home", "made"]
