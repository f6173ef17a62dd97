"""What runs on a Spark: the standard library and the PyYAML that netplan brings, as one zipapp."""
