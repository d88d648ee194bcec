"""Baseline against snapshot: pure functions, no clock, no disk."""
