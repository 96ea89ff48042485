"""The words that every floor uses: places, values, rules, verdicts and the result."""
