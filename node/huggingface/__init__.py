"""Models out of a Hugging Face hub: the client, what it fetches, and how a cache is read."""
