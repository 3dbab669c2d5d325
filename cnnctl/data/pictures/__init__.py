"""Pictures in files: decoded, brought to one size, and kept in a cache."""
