"""One module an engine: what each rank is started with."""
