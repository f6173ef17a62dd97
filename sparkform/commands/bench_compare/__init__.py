"""`sparkform bench compare`: results side by side, and whether they differ by more than noise."""
