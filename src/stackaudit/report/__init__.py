"""The result drawn as text: one module for each format, pure, and fed by the result document alone."""
