"""Locking a form, signing it or its outcome, and what makes a signature void (docs/reference/signatures.md)."""
