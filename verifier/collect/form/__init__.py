"""Texts of a known form (key-value, ini, JSON, XML), each written again in one way, so that only what it says is compared."""
