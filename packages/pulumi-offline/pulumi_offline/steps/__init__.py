"""The steps of `make setup`, one module each: its key, whether it is ready, and how it is made."""
