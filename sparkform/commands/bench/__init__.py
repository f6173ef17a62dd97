"""`sparkform bench`: load on a service, and what came of it in a folder."""
