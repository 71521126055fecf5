"""Indexes for searches by a part of a text (*x*) on PostgreSQL; elsewhere such a search reads the whole table."""

from typing import ClassVar

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

_COLUMNS = (
    ("imaging_imagingstudy", "description"),
    ("imaging_imagingstudy", "modalities"),
    ("patients_patient", "study_id"),
)


def add(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor != "postgresql":
        return
    with editor.connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'")
        if cursor.fetchone() is None:  # a server without its contrib modules: slower, and nothing else
            return
    editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    for table, column in _COLUMNS:
        editor.execute(f"CREATE INDEX {table}_{column}_part ON {table} USING gin ({column} gin_trgm_ops)")


def remove(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    if editor.connection.vendor == "postgresql":
        for table, column in _COLUMNS:
            editor.execute(f"DROP INDEX IF EXISTS {table}_{column}_part")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("imaging", "0002_whole_archive"), ("patients", "0001_initial")]
    operations: ClassVar = [migrations.RunPython(add, remove)]
