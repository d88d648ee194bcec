"""The only place that writes to disk: whole files or none, an append-only log, baselines, blobs. Start with `workspace`."""
