"""`sparkform bench matrix`: models one after the other on a stack, which is then as it was."""
