"""Neural networks: the only folder that imports torch and transformers (docs/scoring.md)."""
