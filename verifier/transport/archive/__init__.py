"""tar archives as they arrive. Pure: bytes in, members out."""
