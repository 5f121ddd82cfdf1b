"""The safety gate of a project: thresholds learnt on what people said, what it does with prompts and responses."""
