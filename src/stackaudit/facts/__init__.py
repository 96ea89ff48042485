"""What one file says, small and serialisable: msgspec structs, one module for each kind of file."""
