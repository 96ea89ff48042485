"""Rules that only compare one setting, directive or package: TOML alone, judged by a generic check named here."""
