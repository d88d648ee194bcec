"""The log's mathematics and texts, pure: tree, tiles, notes, checkpoints, cosignatures, proofs. C2SP formats, RFC 6962 hashes."""
