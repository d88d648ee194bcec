"""Devices that speak SSH: who they are, logging in, and channels. Only `session` touches paramiko."""
