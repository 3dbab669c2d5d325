"""What a piece of YAML is: text, places, overrides, families. Knows no torch."""
