"""Django's PostgreSQL backend with a health check that costs no round trip where all is well."""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A server that has ended a connection has said so on its socket; one that is silent is asked nothing."""

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        # Something to read: an end, an error, or a mere notice. Then it is asked.
        return not poll.poll(0) or bool(super().is_usable())
