"""How good a network is: metrics, evaluate."""
