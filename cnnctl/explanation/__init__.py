"""What a network looks at: methods that explain it, as facts, then as text, numbers and a sheet."""
