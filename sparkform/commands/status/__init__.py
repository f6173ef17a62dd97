"""`sparkform status`: services and nodes as they are now, on one screen."""
