"""`sparkform forget`: a lost node is removed from Pulumi's state."""
