"""The run that a page is about, as a view; and the releases that can be started."""

from __future__ import annotations

from dashboard.context import PageContext
from services.app_definition import AppDefinition, load_app
from services.errors import NotUnderstood
from services.releases.bundle import Release, load_release, release_ids
from services.releases.ledger import get_run, pinned_release, run_view
from services.releases.run import RunView


def app_of(context: PageContext) -> AppDefinition:
    """The app that this target runs."""
    return load_app(context.target.app)


def releases_of(context: PageContext) -> list[Release]:
    """The releases of this app as they are in their folders now."""
    root = app_of(context).folder / "releases"
    return [load_release(release_id, root=root) for release_id in release_ids(root)]


def release_of(context: PageContext) -> Release:
    """The release of this view: what the run is pinned to, else the app's first. Raises NotUnderstood without any."""
    if context.run_id is not None:
        return _pinned(context, get_run(context.store, context.run_id).content_hash)
    releases = releases_of(context)
    if not releases:
        title = app_of(context).title
        raise NotUnderstood(
            f"{title} has no release.", "There is nothing to show.", "Add a folder with a release.yaml."
        )
    return releases[0]


def view_of(context: PageContext) -> RunView | None:
    """The run of this view as of now; None where no run has been started on this target."""
    if context.run_id is None:
        return None
    run = get_run(context.store, context.run_id)
    return run_view(context.store, run.id, context.now, _pinned(context, run.content_hash))


def _pinned(context: PageContext, content_hash: str) -> Release:
    """A pinned release never changes, so it is read from the store once."""
    if content_hash not in _read_once:
        _read_once[content_hash] = pinned_release(context.store, content_hash)
    return _read_once[content_hash]


_read_once: dict[str, Release] = {}
