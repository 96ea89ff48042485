"""Where the project caches, and which views it caches."""
