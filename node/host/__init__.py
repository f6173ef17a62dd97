"""The machine under a node: files, commands, sockets, users, links, and how values are shown."""
