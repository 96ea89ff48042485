"""stackaudit: an auditor for a whole Django deployment stack."""

__version__ = "0.1.0"
