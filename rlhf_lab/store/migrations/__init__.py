"""Alembic migrations, shipped inside the package and run when a lab is opened."""
