"""The served demo and the browser before it, once for all tests of this folder."""

from browsed import axe, desk
from demo_home import home, made, shared

__all__ = ["axe", "desk", "home", "made", "shared"]
