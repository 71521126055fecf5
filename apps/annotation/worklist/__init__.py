"""The worklist of masks."""
