"""Which port is cabled to which, and the addresses of every half of every port. Pure."""
