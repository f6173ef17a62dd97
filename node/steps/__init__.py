"""One module a step: observe, apply, undo."""
