"""``harbour webhooks``: list, get, create, update, delete, events."""

from __future__ import annotations

from typing import Annotated

import typer

from harbour_async.cli._listing import command_line, show_listing
from harbour_async.cli._options import (
    Email,
    EventTypes,
    Json,
    MaxItems,
    OrderBy,
    Resume,
    Search,
    WebhookId,
    Yes,
)
from harbour_async.cli._single import confirm, show_answer

app = typer.Typer(no_args_is_help=True, help="List, show, create, change and delete webhooks.")

COLUMNS = ("webhook_id", "destination_url", "service_status", "created_at", "event_types")
EVENT_COLUMNS = ("event_id", "event_datetime")


@app.command("list")
def list_webhooks(
    search: Search = None,
    order_by: OrderBy = None,
    max_items: MaxItems = None,
    resume: Resume = None,
    as_json: Json = False,
) -> None:
    """List webhooks, newest first."""
    show_listing(
        lambda harbour: harbour.webhooks.list(
            search=search,
            order_by=order_by,
            max_items=max_items,
            resume=resume,
            on_invalid="keep",
        ),
        command=command_line(
            "webhooks",
            "list",
            search=search,
            order_by=order_by,
            json=as_json,
        ),
        max_items=max_items,
        columns=COLUMNS,
        as_json=as_json,
    )


@app.command()
def get(webhook_id: WebhookId, as_json: Json = False) -> None:
    """Show one webhook with everything that is in it."""
    show_answer(lambda harbour: harbour.webhooks.get(webhook_id), as_json=as_json)


@app.command()
def create(
    destination_url: Annotated[
        str, typer.Argument(help="Where events are sent to.", show_default=False)
    ],
    event_types: EventTypes = None,
    notification_email: Email = None,
    as_json: Json = False,
) -> None:
    """Create a webhook.

    Example: harbour webhooks create https://example.com/hook --event-type verification
    """
    show_answer(
        lambda harbour: harbour.webhooks.create(
            destination_url,
            event_types=event_types or None,
            notification_email=notification_email,
        ),
        as_json=as_json,
    )


@app.command()
def update(
    webhook_id: WebhookId,
    destination_url: Annotated[
        str | None, typer.Option(help="Where events are sent to.", show_default=False)
    ] = None,
    event_types: EventTypes = None,
    notification_email: Email = None,
    as_json: Json = False,
) -> None:
    """Change a webhook; what is not given stays as it is."""
    show_answer(
        lambda harbour: harbour.webhooks.update(
            webhook_id,
            destination_url=destination_url,
            event_types=event_types or None,
            notification_email=notification_email,
        ),
        as_json=as_json,
    )


@app.command()
def delete(webhook_id: WebhookId, yes: Yes = False, as_json: Json = False) -> None:
    """Delete one webhook; asks first unless --yes is given."""
    confirm(f"Delete webhook {webhook_id}?", yes=yes)
    show_answer(lambda harbour: harbour.webhooks.delete(webhook_id), as_json=as_json)


@app.command()
def events(
    webhook_id: WebhookId,
    max_items: MaxItems = None,
    resume: Resume = None,
    as_json: Json = False,
) -> None:
    """List the events of a webhook, in the server's order."""
    show_listing(
        lambda harbour: harbour.webhooks.events(
            webhook_id, max_items=max_items, resume=resume, on_invalid="keep"
        ),
        command=command_line("webhooks", "events", webhook_id, json=as_json),
        max_items=max_items,
        columns=EVENT_COLUMNS,
        as_json=as_json,
    )
