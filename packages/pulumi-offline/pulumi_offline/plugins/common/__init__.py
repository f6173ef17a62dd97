"""What the stand-ins share: the talk with the engine, and values as they cross the wire."""
