"""One file in, its facts out. All parsers live here and nowhere else."""
