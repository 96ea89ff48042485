"""The rules in words: all of them, one line each, and one of them whole, for a terminal and for the documentation."""

from stackaudit.explain.terminal import listing, missing, page

__all__ = ["listing", "missing", "page"]
