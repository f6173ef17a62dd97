"""What a `command` plugin does, as tests that run unchanged against whichever one is installed."""
