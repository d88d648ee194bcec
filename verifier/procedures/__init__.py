"""The stories: check, enrol, approve, probe, audit. Each is short, and calls one thing per sentence. Start with `check`."""
