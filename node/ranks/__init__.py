"""The engines that run on a node: containers and units by their labels and names, their logs."""
