"""`sparkform restart`: a service's ranks are stopped and started again as one group."""
