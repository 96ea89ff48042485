"""Until when the makers mend security flaws, as published on the day `AS_OF`.

A check reads no clock, so that the same repository gives the same result; what ends after `AS_OF` is told as a date.

Sources: https://www.djangoproject.com/download/#supported-versions, https://devguide.python.org/versions/,
https://www.postgresql.org/support/versioning/, https://nginx.org/en/download.html (nginx mends its newest stable and
its newest mainline branch; a branch ends when the next one of its kind appears).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

AS_OF = date(2026, 11, 21)

SOON = 183
"""Days before the end from which on it is told."""

ENDS: Mapping[str, Mapping[tuple[int, ...], date]] = {
    "Django": {
        (1, 11): date(2020, 4, 1),
        (2, 0): date(2019, 4, 1),
        (2, 1): date(2019, 12, 2),
        (2, 2): date(2022, 4, 11),
        (3, 0): date(2021, 4, 6),
        (3, 1): date(2021, 12, 7),
        (3, 2): date(2024, 4, 1),
        (4, 0): date(2023, 4, 1),
        (4, 1): date(2023, 12, 1),
        (4, 2): date(2026, 4, 30),
        (5, 0): date(2025, 4, 2),
        (5, 1): date(2025, 12, 31),
        (5, 2): date(2028, 4, 30),
        (6, 0): date(2027, 4, 30),
        (6, 1): date(2027, 12, 31),
    },
    "Python": {
        (2, 7): date(2020, 1, 1),
        (3, 5): date(2020, 9, 30),
        (3, 6): date(2021, 12, 23),
        (3, 7): date(2023, 6, 27),
        (3, 8): date(2024, 10, 7),
        (3, 9): date(2025, 10, 31),
        (3, 10): date(2026, 10, 31),
        (3, 11): date(2027, 10, 31),
        (3, 12): date(2028, 10, 31),
        (3, 13): date(2029, 10, 31),
        (3, 14): date(2030, 10, 31),
    },
    "PostgreSQL": {
        (9,): date(2021, 11, 11),
        (10,): date(2022, 11, 10),
        (11,): date(2023, 11, 9),
        (12,): date(2024, 11, 21),
        (13,): date(2025, 11, 13),
        (14,): date(2026, 11, 12),
        (15,): date(2027, 11, 11),
        (16,): date(2028, 11, 9),
        (17,): date(2029, 11, 8),
        (18,): date(2030, 11, 14),
    },
    "nginx": {
        (1, 18): date(2021, 4, 20),
        (1, 20): date(2022, 5, 24),
        (1, 22): date(2023, 4, 11),
        (1, 24): date(2024, 4, 23),
        (1, 25): date(2024, 4, 23),
        (1, 26): date(2025, 4, 23),
        (1, 27): date(2025, 4, 23),
        (1, 28): date(2026, 4, 30),
        (1, 29): date(2026, 4, 30),
    },
}
"""Product -> release series -> the day after which nothing is mended."""

NEWEST: Mapping[str, tuple[int, ...]] = {"Django": (6, 1), "Python": (3, 14), "PostgreSQL": (18,), "nginx": (1, 31)}
"""The newest series on the day `AS_OF`; what is newer is too new to be judged."""

NEEDS_PYTHON: Mapping[tuple[int, int], tuple[int, int]] = {
    (4, 0): (3, 8),
    (5, 0): (3, 10),
    (6, 0): (3, 12),
}
"""From this Django on, at least this Python (https://docs.djangoproject.com/en/stable/faq/install/)."""
