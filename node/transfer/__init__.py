"""How nodes send each other models and images: each receiver serves the next one meanwhile.

The source listens (server) and tells each receiver from whom to fetch (chain). A receiver fetches
over several streams (streams), reads along and compares (checks), and serves what it has so far to
the next one. All know each other by one key (signing), and contents by their digests.
"""
