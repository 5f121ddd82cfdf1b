"""The Hub-compatible doors under /hub: what huggingface_hub, datasets and transformers call with HF_ENDPOINT there."""
