"""How nodes send each other models and images: each receiver serves the next one meanwhile.

The source listens (server) and tells each receiver from which node to fetch (chain). A receiver
fetches over several streams (streams), compares what arrives with its digest (checks), and serves
what it has so far to the next one. Nodes prove themselves by one key (signing), files by digests.
"""
