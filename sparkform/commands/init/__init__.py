"""`sparkform init`: a first stack file, from logins and from what the nodes report."""
