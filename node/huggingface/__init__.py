"""Models of a Hugging Face hub: the client, the download, and the cache on the disk."""
