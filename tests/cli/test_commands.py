"""``harbour verifications`` and ``harbour webhooks``: the output at a terminal and in a pipe."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest

from harbour_async.cli._listing import command_line
from harbour_async.sandbox._arrivals import Arrival
from tests.cli.process import Shell


def ids(records: list[dict[str, object]]) -> list[object]:
    return [record["verification_id"] for record in records]


# --- in a pipe ------------------------------------------------------------------------------------


async def test_a_pipe_gets_all_records_as_json_lines(shell: Shell) -> None:
    done = await shell.run("verifications", "list")
    assert (done.code, done.err) == (0, "")
    assert ids(done.records) == shell.sandbox.verification_ids()


async def test_a_listing_that_stopped_at_max_items_says_how_to_get_more(shell: Shell) -> None:
    first = await shell.run("verifications", "list", "--max-items", "100")
    command = shlex.split(first.err.partition("with: ")[2])
    assert command[:4] == ["harbour", "verifications", "list", "--max-items=100"]
    rest = await shell.run(*command[1:3], command[4])
    assert ids(first.records + rest.records) == shell.sandbox.verification_ids()


async def test_filters_and_the_order_reach_the_server(shell: Shell) -> None:
    [key] = shell.sandbox.insert(verification_metadata={"unit": "7=b", "team": "x"})
    shell.sandbox.insert(verification_metadata={"unit": "7=b"})
    done = await shell.run(
        "verifications", "list", "--metadata", "unit=7=b", "--metadata", "team=x",
        "--order-by", "created_at ASC",
    )  # fmt: skip
    assert ids(done.records) == [key]


async def test_a_webhook_is_created_updated_and_deleted(shell: Shell) -> None:
    url = "https://example.com/hook"
    created = await shell.run(
        "webhooks", "create", url, "--event-type", "verification",
        "--event-type", "agreement.signed", "--notification-email", "a@example.com",
    )  # fmt: skip
    key = created.records[0]["webhook_id"]
    updated = await shell.run("webhooks", "update", key, "--destination-url", f"{url}/2")
    got = await shell.run("webhooks", "get", key)
    deleted = await shell.run("webhooks", "delete", key, "--yes")
    listed = await shell.run("webhooks", "list")
    assert [done.code for done in (created, updated, got, deleted, listed)] == [0] * 5
    assert got.records[0]["destination_url"] == f"{url}/2"
    assert set(got.records[0]["event_types"]) == {"verification", "agreement.signed"}
    assert deleted.records[0]["webhook_id"] == key
    assert key not in [webhook["webhook_id"] for webhook in listed.records]


async def test_events_of_a_webhook_are_listed_and_resumed(shell: Shell) -> None:
    key = shell.sandbox.webhook_ids()[0]
    done = await shell.run("webhooks", "events", key, "--max-items", "2")
    assert done.code == 0
    assert [event["webhook_id"] for event in done.records] == [key] * 2
    command = shlex.split(done.err.partition("with: ")[2])
    rest = await shell.run(*command[1:4], command[-1])
    assert len(rest.records) == 3


async def test_a_record_that_breaks_a_rule_is_listed_as_it_came(shell: Shell) -> None:
    broken = shell.sandbox.verification_ids()[7]
    shell.sandbox.update(broken, is_scan="perhaps")
    done = await shell.run("verifications", "list")
    assert ids(done.records) == shell.sandbox.verification_ids()
    assert [r["is_scan"] for r in done.records if r["verification_id"] == broken] == ["perhaps"]
    assert done.code == 3
    assert "1 record of these" in done.err
    table = await shell.at_terminal("verifications", "list", "--max-items", "20", columns=200)
    assert b"invalid: " in table.out
    assert b"perhaps" not in table.out


async def test_a_verification_is_shown_and_deleted(shell: Shell) -> None:
    key = shell.sandbox.verification_ids()[5]
    got = await shell.run("verifications", "get", key)
    assert ids(got.records) == [key]
    assert "latest_response" in got.records[0]
    assert (await shell.run("verifications", "delete", key, "--yes")).code == 0
    assert key not in shell.sandbox.verification_ids()


async def test_an_unknown_id_is_one_line_with_the_host(shell: Shell) -> None:
    done = await shell.run("verifications", "get", "none")
    host = shell.sandbox.url.removeprefix("http://").removesuffix("/v2")
    assert done.code == 1
    assert done.err.startswith(f"harbour: {host}: GET /verifications/none answered 404 ")
    assert "spelling" not in done.err


def test_the_command_to_go_on_with_can_be_found_without_an_activated_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "harbour"
    program.touch(0o700)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_line("demo", live=True) == [str(program), "demo", "--live"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command_line("demo", live=True) == ["harbour", "demo", "--live"]


async def test_without_a_terminal_to_ask_at_nothing_is_deleted(shell: Shell) -> None:
    key = shell.sandbox.verification_ids()[0]
    done = await shell.run("verifications", "delete", key)
    assert done.code == 2
    assert "--yes" in done.err
    assert key in shell.sandbox.verification_ids()


async def test_a_reader_that_goes_away_is_not_an_error(shell: Shell) -> None:
    process = await shell.start("verifications", "list")
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    assert await process.stderr.read() == b""
    assert await process.wait() == 0


async def test_a_full_disk_is_one_line(shell: Shell) -> None:
    done = await asyncio.create_subprocess_shell(
        f"{shlex.join(shell.command)} verifications list > /dev/full",
        stderr=asyncio.subprocess.PIPE,
        env=shell.env,
    )
    _, err = await done.communicate()
    assert done.returncode == 1
    assert err == b"harbour: No space left on device\n"


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full", "2> >(exit)"])
async def test_a_command_goes_on_where_nobody_can_read_its_messages(
    shell: Shell, stderr: str
) -> None:
    """With stderr closed, messages would go to stdout, between the data."""
    command = shlex.join([*shell.command, "export", "verifications", "--out", "-"])
    done = await asyncio.create_subprocess_exec(
        "bash", "-c", f"{command} {stderr}", stdout=asyncio.subprocess.PIPE, env=shell.env
    )
    out, _ = await done.communicate()
    assert done.returncode == 0
    assert ids([json.loads(line) for line in out.splitlines()]) == shell.sandbox.verification_ids()


async def test_an_invalid_record_is_one_line_however_it_came(shell: Shell) -> None:
    pretty = '{"items": [{\n\t"verification_id": "a",\n\t"is_scan": 1\n}], "total": 1}'
    shell.sandbox.fail(200, body=pretty.encode(), headers={"Content-Type": "application/json"})
    done = await shell.run("verifications", "list")
    assert (done.code, done.records) == (3, [{"verification_id": "a", "is_scan": 1}])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
async def test_json_lines_are_right_in_any_encoding(shell: Shell, encoding: str) -> None:
    text = "Zo\u00eb \u6f22 \U0001f600"
    [key] = shell.sandbox.insert(verification_metadata={"name": text})
    done = await shell.run("verifications", "get", key, PYTHONIOENCODING=encoding)
    assert done.records[0]["verification_metadata"] == {"name": text}
    done.out.decode(encoding)


# --- at a terminal --------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [60, 80, 140])
async def test_a_terminal_gets_a_table_that_fits(shell: Shell, columns: int) -> None:
    done = await shell.at_terminal("verifications", "list", columns=columns)
    lines = re.sub(r"\x1b\[\d*m", "", done.out.decode()).splitlines()
    assert done.code == 0
    assert max(map(len, lines)) <= columns
    for heading in ("verification_id", "status", "result"):
        assert any(heading in line for line in lines)
    key = shell.sandbox.verification_ids()[0]
    text = "".join(line.split()[0] for line in lines[:4] if line.split())
    assert key in text, "the id is all there, on one line or two"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
async def test_a_terminal_without_unicode_shows_everything(shell: Shell, encoding: str) -> None:
    [key] = shell.sandbox.insert(status="\u6f22", verification_metadata={"name": "\u6f22"})
    for args in (["list", "--max-items", "1"], ["get", key], ["list", "--help"]):
        done = await shell.at_terminal("verifications", *args, PYTHONIOENCODING=encoding)
        assert done.code == 0
        done.out.decode(encoding)
        assert "\\u6f22" in done.out.decode(encoding) or "--help" in args


async def test_control_characters_of_a_record_do_not_reach_the_terminal(shell: Shell) -> None:
    hostile = "\x1b]0;owned\x07[red]x[/red]\r\n"
    [key] = shell.sandbox.insert(status=hostile, verification_metadata={hostile: hostile})
    for args in (["list", "--max-items", "1"], ["get", key]):
        shown = (await shell.at_terminal("verifications", *args, columns=200)).out
        assert b"\x1b]" not in shown
        assert b"\x07" not in shown
        assert b"[red]x[/red]" in shown


@pytest.mark.parametrize("args", [["list"], ["list", "--json"]])
async def test_neither_tables_nor_json_lines_turn_the_text_of_a_terminal(
    shell: Shell, args: list[str]
) -> None:
    hostile = "\u202e\u2066\x9b31m\u2028"
    shell.sandbox.insert(status=hostile)
    done = await shell.at_terminal("verifications", *args, "--max-items", "1", columns=200)
    assert not set(hostile.replace("31m", "")) & set(done.out.decode())
    if "--json" in args:
        assert json.loads(done.out.splitlines()[0])["status"] == hostile


async def test_json_lines_can_be_asked_for_at_a_terminal(shell: Shell) -> None:
    done = await shell.at_terminal("webhooks", "list", "--json")
    assert [record["webhook_id"] for record in done.records] == shell.sandbox.webhook_ids()


@pytest.mark.parametrize(("typed", "code", "left"), [("y\n", 0, 229), ("n\n", 1, 230)])
async def test_a_deletion_asks_first(shell: Shell, typed: str, code: int, left: int) -> None:
    key = shell.sandbox.verification_ids()[0]
    done = await shell.at_terminal("verifications", "delete", key, typed=typed)
    assert done.code == code
    assert f"Delete verification {key}?".encode() in done.out.replace(b"\r\n", b"")
    assert len(shell.sandbox.verification_ids()) == left


@pytest.mark.parametrize("key", ["", "a-key"])
async def test_ctrl_c_at_a_question_is_an_interrupt(shell: Shell, key: str) -> None:
    done = await shell.at_terminal(
        "webhooks", *(["delete", "x"] if key else ["list"]), typed="\x03", HARBOUR_API_KEY=key
    )
    assert done.code == 130
    assert b"Traceback" not in done.out
    assert not shell.sandbox.arrivals


async def test_an_empty_listing_says_so_at_a_terminal(shell: Shell) -> None:
    done = await shell.at_terminal("verifications", "list", "--search", "nobody-has-this")
    assert (done.code, done.out) == (0, b"harbour: no records\r\n")


# --- the key --------------------------------------------------------------------------------------


async def test_the_key_is_asked_for_at_a_terminal_and_not_shown(shell: Shell) -> None:
    done = await shell.at_terminal(
        "webhooks", "list", "--json", typed=f"{shell.sandbox.api_key}\n", HARBOUR_API_KEY=""
    )
    assert done.code == 0
    assert done.out.count(b"webhook_id") == 2
    prompt = done.out.split(b"\n")[0]
    assert b"API key for 127.0.0.1" in prompt


async def test_a_key_in_another_encoding_than_the_terminals_is_a_usage_error(shell: Shell) -> None:
    done = await shell.at_terminal("webhooks", "list", typed="\udcff\n", HARBOUR_API_KEY="")
    assert done.code == 2
    assert b"must be printable ASCII text" in done.out
    assert b"Traceback" not in done.out


async def test_without_a_terminal_a_missing_key_is_a_usage_error(shell: Shell) -> None:
    done = await shell.run("webhooks", "list", HARBOUR_API_KEY="")
    assert (done.code, done.out) == (2, b"")
    assert "HARBOUR_API_KEY" in done.err


# --- what goes wrong ------------------------------------------------------------------------------


async def test_an_error_is_one_line_with_message_code_link_and_host(shell: Shell) -> None:
    done = await shell.run("webhooks", "list", HARBOUR_API_KEY="a-wrong-key")
    assert done.code == 1
    [line] = done.err.splitlines()
    for part in ("127.0.0.1", "401", "2002", "Unauthorized access", "https://knowledgebase."):
        assert part in line
    assert "a-wrong-key" not in line


async def test_a_wrong_field_is_named(shell: Shell) -> None:
    body = {"detail": [{"loc": ["query", "size"], "msg": "too\nlarge", "input": "secret"}]}
    shell.sandbox.fail(422, body=body)
    done = await shell.run("verifications", "get", "x")
    assert done.code == 1
    [line] = done.err.splitlines()
    assert "query.size: too large" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    "args",
    [
        ["verifications", "get", ".."],
        ["verifications", "list", "--metadata", "no-equals-sign"],
        ["verifications", "list", "--order-by", "created_at SIDEWAYS"],
        ["verifications", "list", "--resume", "nonsense"],
        ["verifications", "list", "--max-items", "0"],
        ["webhooks", "create", "not-a-url"],
        ["webhooks", "update", "some-id"],
        ["webhooks", "nonsense"],
    ],
)
async def test_wrong_usage_exits_with_2_and_sends_nothing(shell: Shell, args: list[str]) -> None:
    done = await shell.run(*args)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert not shell.sandbox.arrivals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_listing_says_how_to_go_on(
    shell: Shell, number: signal.Signals
) -> None:
    held = asyncio.Event()

    @shell.sandbox.on_request
    async def hold(_: Arrival) -> None:
        if len(shell.sandbox.arrivals) > 1:
            await held.wait()

    process = await shell.start("verifications", "list", "--order-by", "created_at ASC")
    assert process.stdout is not None
    await process.stdout.readuntil(b"\n")
    process.send_signal(number)
    out, err = await process.communicate()
    held.set()
    assert process.returncode == 130
    came = len(out.splitlines()) + 1
    assert f"{came} records came; go on with: harbour" in err.decode()
    command = shlex.split(err.decode().partition("with: ")[2])
    rest = await shell.run(*command[1:])
    assert ids(rest.records) == shell.sandbox.verification_ids()[::-1][came:]


async def test_an_error_in_the_middle_says_how_to_go_on(shell: Shell) -> None:
    @shell.sandbox.on_request
    def lose(_: Arrival) -> None:
        if len(shell.sandbox.arrivals) == 2:
            shell.sandbox.fail(403, times=None)

    done = await shell.run("verifications", "list", "--max-items", "220")
    shell.sandbox.calm()
    assert done.code == 1
    error, hint = done.err.splitlines()
    assert "403" in error
    rest = await shell.run(*shlex.split(hint.partition("with: ")[2])[1:])
    assert ids(done.records + rest.records) == shell.sandbox.verification_ids()[:220]


# --- the command itself ---------------------------------------------------------------------------


async def test_the_version_is_shown(shell: Shell) -> None:
    done = await shell.run("--version")
    assert done.code == 0
    assert done.out.startswith(b"harbour-async ")


async def test_the_help_names_the_first_steps(shell: Shell) -> None:
    done = await shell.run("--help")
    for words in (b"harbour demo", b"HARBOUR_API_KEY", b"Exit codes"):
        assert words in done.out


async def test_the_shell_can_complete_commands(shell: Shell) -> None:
    done = await shell.run(
        _HARBOUR_COMPLETE="complete_bash",
        COMP_WORDS="harbour verifications ",
        COMP_CWORD="2",
    )
    assert done.out.split() == [b"list", b"get", b"delete"]
