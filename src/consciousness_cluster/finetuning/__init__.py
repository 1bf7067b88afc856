"""Stage 2: a base and a mix become an adapter."""
