"""`sparkform bench study`: the same models in native and in container, from results of each."""
