"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[
    bool,
    typer.Option("--json", help="JSON lines on a terminal too (the default in a pipe)."),
]
MaxItems = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Stop after N records.", show_default=False)
]
Resume = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN",
        help="Go on where an earlier listing stopped.",
        show_default=False,
    ),
]
Search = Annotated[
    str | None, typer.Option(help="Text to look for in several fields.", show_default=False)
]
OrderBy = Annotated[
    str | None,
    typer.Option(
        metavar="'FIELD ASC|DESC'",
        help="Default: 'created_at DESC'. Only by created_at can a listing be proved complete.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
VerificationId = Annotated[str, typer.Argument(help="As in verification_id.", show_default=False)]
WebhookId = Annotated[str, typer.Argument(help="As in webhook_id.", show_default=False)]
EventTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--event-type",
        metavar="TYPE",
        help="An event it gets, such as verification or agreement.signed; may be repeated.",
        show_default=False,
    ),
]
Email = Annotated[
    str | None,
    typer.Option(
        "--notification-email",
        help="Address to tell of failed deliveries.",
        show_default=False,
    ),
]
