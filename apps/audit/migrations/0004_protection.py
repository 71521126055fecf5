"""Rows of the trail can only be added from here on; PostgreSQL chains each event at its commit."""

from django.db import migrations

from apps.audit.protection import CHAIN, REFUSE, UNCHAIN, on_postgresql, protect


class Migration(migrations.Migration):

    dependencies = [("audit", "0003_chain_earlier_events")]

    operations = [
        on_postgresql((REFUSE,), ("DROP FUNCTION audit_refuse()",)),
        protect("audit_auditevent"),
        protect("audit_auditlink"),
        on_postgresql(CHAIN, UNCHAIN),
    ]
