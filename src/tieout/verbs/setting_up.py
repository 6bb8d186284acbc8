"""Set an instance up: its directory and key, its configuration, credentials and mappings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tieout.app import PROJECT_FILE, Instance, secret_name
from tieout.errors import Misconfigured
from tieout.settings import read_project
from tieout.store import vault
from tieout.store.home import make_home
from tieout.store.mappings import Mapping as Row
from tieout.verbs.running import OWNER

DIMENSIONS = ("account", "business_unit", "company")


def make_instance(instance: Instance) -> None:
    """Create the directory (0700), the database and the key (0600) where they are missing."""
    make_home(instance.home)
    instance.store.migrate()
    key = instance.home / vault.KEY_FILE
    if not key.exists():
        vault.make_key(key)


def apply_project(instance: Instance, text: str | None = None) -> int:
    """Check a project file and make it the configuration; returns its version.

    Without `text` it is HOME/tieout.toml; with it, that file is written.
    """
    path = instance.home / PROJECT_FILE
    if text is None:
        if not path.exists():
            raise Misconfigured(f"There is no {path}.", do="Write it; `tieout init` makes an example.")
        text = path.read_text(encoding="utf-8")
    read_project(text, str(path))
    path.write_text(text, encoding="utf-8")
    return instance.store.apply_config(text, OWNER).version


def example_project() -> str:
    """A project file to start from."""
    return (Path(__file__).parent / "example.toml").read_text(encoding="utf-8")


def connect(instance: Instance, name: str, fields: Mapping[str, str]) -> str:
    """Seal the credentials of a connection; returns the name of its secret."""
    project = instance.project()
    connection = project.connections.get(name)
    if connection is None:
        raise Misconfigured(
            f"There is no connection {name!r}.", do=f"Name one of: {', '.join(sorted(project.connections))}."
        )
    missing = [f for f in ("username", "password") if not fields.get(f)]
    if missing:
        raise Misconfigured(
            f"The credentials of {name} lack {' and '.join(missing)}.",
            do='Give one JSON object: {"username": "…", "password": "…"}.',
        )
    secret = secret_name(connection.secret)
    instance.store.set_secret(secret, dict(fields), OWNER)
    return secret


def set_mapping(instance: Instance, dimension: str, source: str, target: str | None, why: str) -> int:
    """Map a code of JD Edwards to a member of Anaplan (None: to itself again); the table's version."""
    key = dimension.replace("-", "_")
    if key not in DIMENSIONS:
        raise Misconfigured(f"{dimension!r} is no dimension.", do=f"Name one of: {', '.join(DIMENSIONS)}.")
    return instance.store.set_mappings([Row(key, source, target, why=why)], OWNER)


def mappings(instance: Instance) -> list[dict[str, str]]:
    """Every mapping that holds now."""
    return [
        {"dimension": d, **row} for d in DIMENSIONS for row in instance.store.mapping(d).to_dicts()
    ]
