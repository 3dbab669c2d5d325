"""NumPy's arrays in files: read, arranged as samples, and taken as targets."""
