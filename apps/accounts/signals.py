"""What happened to accounts and centers. The audit trail, an app above, writes it down in the same transaction."""

from django.dispatch import Signal

# Sent with `action`, `target` (the account or the center), `center` or None, and `changes` as {name: [old, new]}.
account_changed = Signal()
