"""All facts in, the linked stack out: pure, and blind to how the facts were read."""
