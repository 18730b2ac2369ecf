"""``harbour verifications``: list, get, delete."""

from __future__ import annotations

from typing import Annotated

import typer

from harbour_async.cli._listing import command_line, metadata_of, show_listing
from harbour_async.cli._options import (
    Json,
    MaxItems,
    OrderBy,
    Resume,
    Search,
    VerificationId,
    Yes,
)
from harbour_async.cli._single import confirm, show_answer

app = typer.Typer(no_args_is_help=True, help="List, show and delete verifications.")

COLUMNS = ("verification_id", "status", "result", "created_at", "verification_type")


@app.command("list")
def list_verifications(
    search: Search = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only verifications with this in their metadata; may be repeated.",
            show_default=False,
        ),
    ] = None,
    order_by: OrderBy = None,
    max_items: MaxItems = None,
    resume: Resume = None,
    as_json: Json = False,
) -> None:
    """List verifications, newest first.

    Example: harbour verifications list --metadata internal_id=123 --max-items 20
    """
    pairs = metadata_of(metadata)
    show_listing(
        lambda harbour: harbour.verifications.list(
            search=search,
            metadata=pairs,
            order_by=order_by,
            max_items=max_items,
            resume=resume,
            on_invalid="keep",
        ),
        command=command_line(
            "verifications",
            "list",
            search=search,
            metadata=metadata,
            order_by=order_by,
            json=as_json,
        ),
        max_items=max_items,
        columns=COLUMNS,
        as_json=as_json,
    )


@app.command()
def get(verification_id: VerificationId, as_json: Json = False) -> None:
    """Show one verification with everything that is in it."""
    show_answer(lambda harbour: harbour.verifications.get(verification_id), as_json=as_json)


@app.command()
def delete(verification_id: VerificationId, yes: Yes = False, as_json: Json = False) -> None:
    """Delete one verification; asks first unless --yes is given."""
    confirm(f"Delete verification {verification_id}?", yes=yes)
    show_answer(lambda harbour: harbour.verifications.delete(verification_id), as_json=as_json)
