"""`sparkform check`: what the rules say of a stack file."""
