"""How losses are displayed."""


def show_loss(loss: float) -> str:
    """A loss with four decimals if that is enough: `0.4321`, `2900.5`, `3.2e-05`, `1.2e+07`."""
    if loss and not 1e-3 <= abs(loss) < 1e6:
        return f"{loss:.1e}"
    return f"{loss:.4f}" if abs(loss) < 1e3 else f"{loss:.1f}"
