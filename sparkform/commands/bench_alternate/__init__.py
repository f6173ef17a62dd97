"""`sparkform bench alternate`: models native and in container, in turns, and the study of them."""
