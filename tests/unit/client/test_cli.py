"""The command `privy`: help that teaches, errors that say what to do, and nothing imported that is not needed."""

import json
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
from deploy.topology import load_topology
from services.client.cli import main as cli
from services.client.network.identities import fill_wallet

COMMANDS = sorted(cli._COMMANDS)


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


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with pytest.raises(SystemExit) as exited:
        cli.main(list(arguments))
    printed = capsys.readouterr()
    assert isinstance(exited.value.code, int)
    assert "Traceback" not in printed.out + printed.err
    return exited.value.code, printed.out, printed.err


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """A generated network whose nodes do not run."""
    made = generate(load_topology("demo"), tmp_path_factory.mktemp("network") / "demo")
    fill_wallet(made)
    return made


def test_help_of_the_whole_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--help", "-h"):
        status, out, _ = run(capsys, flag)
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
        "from services.client.cli.main import privy\n"
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
    arguments: list[str], said: str | None, network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [argument.format(network=network.folder) for argument in arguments]
    if said is None:
        assert run(capsys, *arguments, "--network", str(network.folder))[0] == 0
        return
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert said in err
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, err) == (2, "")
    assert said in json.loads(out)["error"]["message"]


def test_a_refusal_ends_with_1_and_says_what_there_is_instead(
    network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["asset", "list", "--as", "nobody", "--network", str(network.folder)]
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (1, "")
    assert err.startswith("error: no identity 'nobody' in wallet")
    assert "alice" in err
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, err) == (1, "")
    error = json.loads(out)["error"]
    assert error["message"].startswith("no identity 'nobody'")
    assert error["retry"] is False


def test_a_network_that_does_not_run_is_unavailable_and_worth_another_try(
    network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "asset", "list", "--as", "alice", "--network", str(network.folder), "--json")
    assert status == 1
    error = json.loads(out)["error"]
    assert error["retry"] is True
    assert "no endorsing peer of health answered: peer0.citizens.city: " in error["message"]


def test_a_folder_without_a_network_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["network", "status"], ["network", "down"], ["wallet", "list"]):
        status, _, err = run(capsys, *arguments, "--network", str(tmp_path))
        assert status == 1
        assert f"{tmp_path}/network.json does not exist" in err.replace("\n", "")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sub-command with a defect."""

    @click.command("broken")
    @click.option("--json", is_flag=True)
    def command(json: bool) -> None:
        raise ZeroDivisionError("by [nothing]")

    monkeypatch.setitem(cli._COMMANDS, "broken", ("broken", "For a test."))
    monkeypatch.setitem(sys.modules, "services.client.cli.broken", SimpleNamespace(command=command))


@pytest.mark.usefixtures("broken")
def test_a_defect_is_called_one_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PRIVY_DEBUG", raising=False)
    status, out, err = run(capsys, "broken")
    message = "internal error: ZeroDivisionError: by [nothing] (PRIVY_DEBUG=1 shows where)"
    assert (status, out, err) == (1, "", f"error: {message}\n")
    status, out, _ = run(capsys, "broken", "--json")
    assert (status, json.loads(out)) == (1, {"error": {"message": message}})


@pytest.mark.usefixtures("broken")
def test_a_defect_shows_where_it_is_to_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRIVY_DEBUG", "1")
    with pytest.raises(SystemExit):
        cli.main(["broken"])
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "test_cli.py" in err


def test_identities_are_listed_imported_and_removed(
    network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--network", str(network.folder)]
    _, out, _ = run(capsys, "wallet", "list", *folder, "--json")
    assert {"label": "alice", "msp_id": "CitizensMSP"} in json.loads(out)
    assert {"label": "admin.ministry", "msp_id": "MinistryMSP"} in json.loads(out)
    msp = network.path(network.user("CitizensMSP", "alice").msp)
    (certificate,), (key,) = (msp / "signcerts").iterdir(), (msp / "keystore").iterdir()
    importing = ["wallet", "import", "again", "--msp-id", "CitizensMSP", "--cert", str(certificate), "--key"]
    assert run(capsys, *importing, str(key), *folder)[0] == 0
    _, out, _ = run(capsys, "wallet", "list", *folder)
    assert "again" in out
    assert run(capsys, "wallet", "remove", "again", *folder)[0] == 0
    status, _, err = run(capsys, "wallet", "remove", "again", *folder)
    assert (status, "no identity 'again'" in err) == (1, True)
    status, _, err = run(capsys, *importing, str(certificate), *folder)  # a certificate is no key
    assert (status, "unusable identity of CitizensMSP" in err) == (1, True)


def test_a_doctor_finds_a_network_well_that_could_start(network: Network, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "doctor", "--network", str(network.folder), "--json")
    findings = {finding["check"]: finding for finding in json.loads(out)}
    assert findings["Python"]["well"]
    assert findings["heart recordings"]["well"]
    for node in network.nodes:
        assert findings[f"port of {node.name}"]["well"]
        assert findings[f"TLS certificate of {node.name}"]["well"]
