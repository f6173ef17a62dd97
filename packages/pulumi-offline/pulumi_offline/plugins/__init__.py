"""Stand-ins for Pulumi plugins that no package registry serves."""
