"""`sparkform import`: another tool's recipe becomes a service block or a whole stack file."""
