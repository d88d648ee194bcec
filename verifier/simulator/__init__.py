"""A ship-to-shore crane that is not there: real servers on loopback, for the demo, for training and for tests."""
