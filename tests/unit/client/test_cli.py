"""The command `privy`: help that teaches, errors that say what to do, and nothing imported that is not needed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from deploy.generate import generate
from deploy.manifest import Network
from deploy.places import contained
from deploy.topology import load_topology
from deploy.wallets import fill_wallet
from services.client.cli import main as program
from services.client.cli import root as cli
from tests.support.commandline import Run

COMMANDS = sorted(cli.COMMANDS)


def leaves(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, by its words."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from leaves(inner, *path, name)


LEAVES = list(leaves(cli.privy))


def test_help_of_the_whole_names_every_command(run: Run) -> None:
    for flag in ("--help", "-h"):
        status, out, _ = run(flag)
        assert status == 0
        assert all(f"\n  {name} " in out for name in COMMANDS)
        assert "Begin with `privy demo`" in out


@pytest.mark.parametrize("path", [(), *((name,) for name in COMMANDS), *(path for path, _ in LEAVES)], ids=" ".join)
def test_every_command_teaches_by_help(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli.privy, [*path, "--help"], prog_name="privy")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: privy {' '.join(path)}".strip())


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_every_command_says_what_it_does_and_what_its_options_mean(
    path: tuple[str, ...], command: click.Command
) -> None:
    assert command.help
    assert command.help.splitlines()[0].rstrip().endswith((".", ","))
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(path)} {parameter.name}"


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from services.client.cli.root import privy\n"
        "privy.main(['--help'], standalone_mode=False)\n"
        "heavy = {'grpc', 'google.protobuf', 'cryptography', 'rich', 'asyncio', 'yaml', 'psutil', 'privysharing.sdk'}\n"
        "sys.exit(f'imported: {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ast"], "No such command 'ast'"),
        (["asset", "share", "pulse", "--as", "alice"], "Missing option '--days'"),
        (["asset", "show", "pulse", "--as", "alice", "--limit", "many"], "'many' is not a valid integer"),
        (["asset", "update", "pulse", "--as", "alice", "--network", "{network}"], "needed --status or --description"),
        (["wallet", "list"], None),  # a command that is right, for comparison
    ],
)
def test_wrong_usage_ends_with_2_for_people_and_machines(
    arguments: list[str], said: str | None, resting: Network, run: Run
) -> None:
    arguments = [argument.format(network=resting.folder) for argument in arguments]
    if said is None:
        assert run(*arguments, "--network", str(resting.folder))[0] == 0
        return
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    status, out, err = run(*arguments, "--json")
    assert (status, err) == (2, "")
    assert said in json.loads(out)["error"]["message"]


def test_a_refusal_ends_with_1_and_says_what_there_is_instead(resting: Network, run: Run) -> None:
    arguments = ["asset", "list", "--as", "nobody", "--network", str(resting.folder)]
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("error: no identity 'nobody' in wallet")
    assert "alice" in err
    status, out, err = run(*arguments, "--json")
    assert (status, err) == (1, "")
    error = json.loads(out)["error"]
    assert error["message"].startswith("no identity 'nobody'")
    assert error["retry"] is False


def test_a_network_that_does_not_run_is_unavailable_and_worth_another_try(
    resting: Network, tmp_path: Path, run: Run
) -> None:
    status, out, _ = run("asset", "list", "--as", "alice", "--network", str(resting.folder), "--json")
    assert status == 1
    error = json.loads(out)["error"]
    assert error["retry"] is True
    assert error["message"] == (
        f"the network in {resting.folder} is not running; start it with: privy network up --network {resting.folder}"
    )
    fetching = ["block", "fetch", "newest", "--as", "admin.citizens", "-o", str(tmp_path / "newest.block")]
    for arguments in (fetching, ["channel", "info", "--as", "admin.citizens"]):
        status, _, err = run(*arguments, "--network", str(resting.folder))
        assert (status, "is not running; start it with" in err) == (1, True)


def test_of_nodes_on_machines_of_their_own_nobody_says_how_to_start_them_here(tmp_path: Path, run: Run) -> None:
    topology = load_topology("demo")
    fill_wallet(generate(topology, tmp_path / "network", contained(topology)))
    status, out, _ = run("asset", "list", "--as", "alice", "--network", str(tmp_path / "network"), "--json")
    error = json.loads(out)["error"]
    assert (status, error["retry"]) == (1, True)
    assert "peer0.citizens.city" in error["message"]
    assert "privy network up" not in error["message"]


def test_a_folder_without_a_network_is_refused_by_name(tmp_path: Path, run: Run) -> None:
    for arguments in (["network", "status"], ["network", "down"], ["wallet", "list"]):
        status, _, err = run(*arguments, "--network", str(tmp_path))
        assert status == 1
        assert f"{tmp_path}/network.json does not exist" in err
        assert f"privy network up --network {tmp_path}" in err


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sub-command with a defect."""

    @click.command("broken")
    @click.option("--json", is_flag=True)
    def command(json: bool) -> None:
        raise ZeroDivisionError("by [nothing]")

    monkeypatch.setitem(cli.COMMANDS, "broken", ("broken", "For a test."))
    monkeypatch.setitem(sys.modules, "services.client.cli.broken", SimpleNamespace(command=command))


@pytest.mark.usefixtures("broken")
def test_a_defect_is_called_one_without_a_traceback(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.delenv("PRIVY_DEBUG", raising=False)
    status, out, err = run("broken")
    message = "internal error: ZeroDivisionError: by [nothing] (PRIVY_DEBUG=1 shows where)"
    assert (status, out, err) == (1, "", f"error: {message}\n")
    status, out, _ = run("broken", "--json")
    assert (status, json.loads(out)) == (1, {"error": {"message": message}})


@pytest.mark.usefixtures("broken")
def test_a_defect_shows_where_it_is_to_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRIVY_DEBUG", "1")
    with pytest.raises(SystemExit):
        program.main(["broken"])
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "test_cli.py" in err


def test_identities_are_listed_imported_and_removed(resting: Network, tmp_path: Path, run: Run) -> None:
    folder = ["--network", str(resting.folder)]
    _, out, _ = run("wallet", "list", *folder, "--json")
    assert {"label": "alice", "msp_id": "CitizensMSP"} in json.loads(out)
    assert {"label": "admin.ministry", "msp_id": "MinistryMSP"} in json.loads(out)
    msp = resting.path(resting.user("CitizensMSP", "alice").msp)
    (certificate,), (key,) = (msp / "signcerts").iterdir(), (msp / "keystore").iterdir()
    importing = ["wallet", "import", "again", "--msp-id", "CitizensMSP", "--cert", str(certificate), "--key"]
    assert run(*importing, str(key), *folder)[0] == 0
    _, out, _ = run("wallet", "list", *folder)
    assert "again" in out
    assert run("wallet", "remove", "again", *folder)[0] == 0
    status, _, err = run("wallet", "remove", "again", *folder)
    assert (status, "no identity 'again'" in err) == (1, True)
    status, _, err = run(*importing, str(certificate), *folder)  # a certificate is no key
    assert (status, "unusable identity of CitizensMSP" in err) == (1, True)


def test_a_doctor_finds_a_network_well_that_could_start(resting: Network, run: Run) -> None:
    _, out, _ = run("doctor", "--network", str(resting.folder), "--json")
    findings = {finding["check"]: finding for finding in json.loads(out)}
    assert findings["Python"]["well"]
    assert findings["heart recordings"]["well"]
    for node in resting.nodes:
        assert findings[f"port of {node.name}"]["well"]
        assert findings[f"TLS certificate of {node.name}"]["well"]


def test_what_looks_after_a_whole_network_says_where_there_is_a_part_of_one(
    resting: Network, run: Run, tmp_path: Path
) -> None:
    """As in the container of an organisation's client."""
    part = shutil.ignore_patterns("users", "peers", "orderers", "nodes")
    shutil.copytree(resting.folder, tmp_path, ignore=part, dirs_exist_ok=True)
    (tmp_path / "unsettled").mkdir(exist_ok=True)
    _, out, _ = run("doctor", "--network", str(tmp_path), "--json")
    found = {finding["check"]: finding for finding in json.loads(out)}
    assert found["network"]["found"] == f"{tmp_path} is a part of one, whose nodes run elsewhere"
    assert found["network"]["well"]
    assert found["folder"]["found"] == f"{tmp_path / 'unsettled'} is writable"
    status, _, err = run("network", "status", "--network", str(tmp_path))
    assert (status, "is a part of a network, without the keys of" in err) == (1, True)


@pytest.mark.parametrize("module", ["click", "services.client.cli.assets", "asyncio", "grpc", "rich.console"])
def test_who_interrupts_while_the_program_loads_gets_a_word_and_not_a_traceback(module: str) -> None:
    script = (
        "import sys\n"
        "from services.client.cli.main import main\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "main(['asset', 'list', '--as', 'alice'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "Aborted!")


def test_a_terminal_without_unicode_gets_what_it_can_show(resting: Network) -> None:
    settings = {**os.environ, "PYTHONIOENCODING": "ascii"}
    privy = [sys.executable, "-c", "from services.client.cli.main import main; main()"]
    folder = ["--network", str(resting.folder)]
    for arguments in (["wallet", "remove", "ghost"], ["network", "down"]):
        done = subprocess.run([*privy, *arguments, *folder], check=False, capture_output=True, text=True, env=settings)
        assert "Traceback" not in done.stderr
        assert done.returncode == (0 if arguments[0] == "network" else 1)
    done = subprocess.run(
        [*privy, "wallet", "list", "--json", *folder], check=True, capture_output=True, text=True, env=settings
    )
    assert json.loads(done.stdout)
