"""Who said so, and may they: keys, envelopes, statements, the policy, and one function that verifies. Start with `verify`."""
