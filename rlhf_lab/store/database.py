"""One open database: its engine, and transactions to read and to write in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from rlhf_lab.errors import StoreError
from rlhf_lab.store.engine import as_store_error, open_engine, parse_location, writer
from rlhf_lab.store.schema import ensure_schema


class Database:
    """A lab's database, with its schema created or upgraded.

    Attributes:
        url: Where it is, as SQLAlchemy writes it.
        where: The same without a password, for people.
        closed: Whether `close` was called.

    Raises:
        StoreError: the place cannot be used; the message says why and what to do.
    """

    def __init__(self, location: Path | str) -> None:
        """Open it."""
        self.url = parse_location(location)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        shown = self.url.difference_update_query(["password"])  # `repr` hides the usual one
        self.where = str(self.url.database) if self.is_sqlite else repr(shown)
        self.closed = False
        self.engine = open_engine(self.url)
        self._writer = writer(self.engine)
        self._lender = writer(self.engine, forgettable=True)
        try:
            ensure_schema(self.engine, self.where)
        except SQLAlchemyError as error:
            self.engine.dispose()
            raise as_store_error(error, self.where) from error
        except BaseException:
            self.engine.dispose()
            raise

    def close(self) -> None:
        """Let go of it; closing twice is fine."""
        self.closed = True
        self.engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one state of everything."""
        with self._session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that holds the write lock, so what it reads stays true until it ends."""
        with self._session(self._writer) as session:
            yield session

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """Like `write`, for leases: whoever asks for an item does not wait for the disk.

        A power failure may forget the last of them, and an item then goes to somebody else.
        """
        with self._session(self._lender) as session:
            yield session

    @contextmanager
    def _session(self, engine: Engine) -> Iterator[Session]:
        if self.closed:
            raise StoreError(f"the store at {self.where!r} is closed: open a new one.")
        try:
            with Session(engine) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            raise as_store_error(error, self.where) from error
