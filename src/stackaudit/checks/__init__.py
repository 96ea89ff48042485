"""The judgements: one module or package for each area, one function for each rule, stack in and verdicts out."""
