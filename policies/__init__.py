"""The policy pack: adapters of sparkform.rules."""
