"""What the database itself refuses, whoever asks: changing and deleting rows of the trail and of the value history.

Built by migrations. On PostgreSQL it also appends each event to the chain, at the commit of its transaction.
"""

from collections.abc import Iterable

from django.db import migrations
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

PREFIX = "audit_no_"
SENTENCE = "are never changed and never deleted."

REFUSE = f"""
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'Rows of % {SENTENCE}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
"""

# Two rounds. At commit PostgreSQL runs the transaction's deferred triggers, and then, as a second round, those that the
# first has caused. The checks of foreign keys are in the first and may wait for a row that somebody else holds. Only
# the second takes the chain's lock (a number that nothing else uses). So whoever holds that waits for nobody, and no
# two transactions wait for each other.
CHAIN = (
    "CREATE UNLOGGED TABLE audit_waiting (event_id bigint PRIMARY KEY, digest varchar(64) NOT NULL)",
    """
CREATE FUNCTION audit_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_waiting VALUES (NEW.id, NEW.digest);
    RETURN NULL;
END $$
""",
    """
CREATE FUNCTION audit_append() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_sequence bigint;
    last_chain text;
BEGIN
    PERFORM pg_advisory_xact_lock(4812070001);
    SELECT sequence, chain INTO last_sequence, last_chain FROM audit_auditlink ORDER BY sequence DESC LIMIT 1;
    INSERT INTO audit_auditlink (sequence, event_id, chain) VALUES (
        coalesce(last_sequence, 0) + 1,
        NEW.event_id,
        encode(sha256(convert_to(coalesce(last_chain, repeat('0', 64)) || NEW.digest || NEW.event_id, 'UTF8')), 'hex')
    );
    DELETE FROM audit_waiting WHERE event_id = NEW.event_id;
    RETURN NULL;
END $$
""",
    "CREATE CONSTRAINT TRIGGER audit_wait AFTER INSERT ON audit_auditevent"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_wait()",
    "CREATE CONSTRAINT TRIGGER audit_append AFTER INSERT ON audit_waiting"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_append()",
)
UNCHAIN = (
    "DROP TRIGGER audit_wait ON audit_auditevent",
    "DROP TABLE audit_waiting",
    "DROP FUNCTION audit_append()",
    "DROP FUNCTION audit_wait()",
)


def protect(table: str) -> migrations.RunPython:
    """Return the migration's step that lets rows of a table only be added."""
    return _step(
        {
            "postgresql": (
                f"CREATE TRIGGER {PREFIX}change BEFORE UPDATE OR DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
                f"CREATE TRIGGER {PREFIX}truncate BEFORE TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
            ),
            "sqlite": _refusing(table),
        },
        {
            "postgresql": (f"DROP TRIGGER {PREFIX}change ON {table}", f"DROP TRIGGER {PREFIX}truncate ON {table}"),
            "sqlite": (f"DROP TRIGGER {PREFIX}update_{table}", f"DROP TRIGGER {PREFIX}delete_{table}"),
        },
    )


def protect_again(table: str) -> migrations.RunPython:
    """Return the step after one that alters a protected table: SQLite makes the table anew, without its triggers."""
    return _step({"sqlite": _refusing(table)}, {})


def _refusing(table: str) -> tuple[str, ...]:
    """Return what has SQLite refuse changes of a table; where it does already, nothing happens."""
    return tuple(
        f"CREATE TRIGGER IF NOT EXISTS {PREFIX}{word}_{table} BEFORE {word.upper()} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, 'Rows of {table} {SENTENCE}'); END"
        for word in ("update", "delete")
    )


def on_postgresql(forward: tuple[str, ...], backward: tuple[str, ...]) -> migrations.RunPython:
    """Return a migration's step that only PostgreSQL takes."""
    return _step({"postgresql": forward}, {"postgresql": backward})


def _step(forward: dict[str, tuple[str, ...]], backward: dict[str, tuple[str, ...]]) -> migrations.RunPython:
    def run(statements: dict[str, tuple[str, ...]], editor: BaseDatabaseSchemaEditor) -> None:
        with editor.connection.cursor() as cursor:
            for statement in statements.get(editor.connection.vendor, ()):
                cursor.execute(statement)

    return migrations.RunPython(lambda _, editor: run(forward, editor), lambda _, editor: run(backward, editor))


def unprotected(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> list[str]:
    """Return the tables whose protection is absent or switched off."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT c.relname || ' ' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
                " WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled IN ('O', 'A')"
            )
            names = ("{table} " + PREFIX + "change", "{table} " + PREFIX + "truncate")
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            names = (PREFIX + "update_{table}", PREFIX + "delete_{table}")
        found = {row[0] for row in cursor.fetchall()}
    return [table for table in tables if not {name.format(table=table) for name in names} <= found]
