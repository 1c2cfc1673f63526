"""Files that people write or that disks spoil: configurations, profiles, wallets, blocks, record logs.

Each reader refuses in words that name the file or the key, with an exception of its own, and never gives what is wrong.
"""

import atexit
import contextlib
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.generate import generate
from deploy.manifest import Network, NotANetwork
from deploy.topology import NETWORK_YAML, TopologyError, load_topology
from deploy.wallets import fill_wallet
from privysharing.protocol.codec.blocks import encode_block
from privysharing.sdk.errors import ProfileError
from privysharing.sdk.profile import ConnectionProfile
from privysharing.sdk.wallet import Wallet
from services.client.cli import main as privy
from services.orderer import config as orderer_config
from services.orderer.channels import read_genesis
from services.peer import config as peer_config
from services.runtime.config import ConfigError
from services.runtime.disk import StorageError, read_whole
from services.runtime.memorydisk import MemoryDisk
from services.runtime.recordlog import RecordLog
from tests.fuzz import messages
from tests.fuzz.material import GENESIS
from tests.fuzz.mutate import Hand, Mutator
from tests.fuzz.oracle import Broken, check_secrets, require

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, 2**64, 10**30, 1e308, float("inf"), float("nan"), "", " ", "0", "-1", "1e9",
    "true", "no such", "../..", "/", "\x00", "\ud83d\ude00", "x" * 5000, ":", "[::1]:99999", "1h1x", "99999999h", [],
    {}, [[]], [None], [{}], {"a": 1}, [1, "a"], {"": {}}, ["/dev/null"], "/dev/null",
)  # fmt: skip


@cache
def network() -> Network:
    """A generated network whose nodes do not run; it goes away with the process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = generate(load_topology("demo"), folder / "demo")
    fill_wallet(made)
    return made


def _node(role: str) -> Path:
    made = network()
    return made.path(next(node.config for node in made.nodes if node.role == role))


def spoil_document(chance: random.Random, document: Any) -> list[str]:
    """Change one value of a document, anywhere; the keys that lead to it."""
    here, path = document, list[str]()
    while True:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            return path
        key = chance.choice(keys)
        path.append(str(key))
        inside = isinstance(here[key], dict | list) and here[key]
        if inside and chance.random() < 0.85:
            here = here[key]
            continue
        match chance.randrange(4):
            case 0:
                del here[key]
            case 1 if isinstance(here, dict):
                here[chance.choice(("x", "", 1, None, "Enabled", str(key).upper()))] = here.pop(key)
            case _:
                here[key] = chance.choice(ODD)
        return path


class _Document:
    """Base of the targets whose input is a text: a first line with the path that was changed, then the text."""

    name: str

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        text = self.text(chance)
        if chance.random() < 0.1:
            return b"\n" + mutator.spoil_bytes(text.encode())
        document = self.load(text)
        path = spoil_document(chance, document)
        return ".".join(path).encode(errors="replace") + b"\n" + self.dump(document).encode(errors="surrogatepass")

    def text(self, chance: random.Random) -> str:
        raise NotImplementedError

    def load(self, text: str) -> Any:
        return yaml.safe_load(text)

    def dump(self, document: Any) -> str:
        return yaml.safe_dump(document, allow_unicode=True)


class Configuring(_Document):
    """core.yaml and orderer.yaml. The first letter of the input says which."""

    name = "configuration"

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        self._role = chance.choice(("peer", "orderer"))
        return self._role[:1].encode() + super().make(chance, mutator)

    def text(self, chance: random.Random) -> str:
        return _node(self._role).read_text()

    def feed(self, raw: bytes) -> str:
        role = "peer" if raw[:1] == b"p" else "orderer"
        changed, _, text = raw[1:].partition(b"\n")
        path = _node(role).with_name("changed.yaml")
        path.write_bytes(text)
        try:
            load: Callable[..., object] = peer_config.load if role == "peer" else orderer_config.load
            load(path, {})
        except ConfigError as refusal:
            _check_refusal(str(refusal), changed.decode(errors="replace"), str(path))
            return f"{role} refused"
        return f"{role} taken"


class Describing(_Document):
    """network.yaml (t), network.json (m), connection profiles (p), wallet entries (w)."""

    name = "documents"

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        self._kind = chance.choice("tmpw")
        return self._kind.encode() + super().make(chance, mutator)

    def text(self, chance: random.Random) -> str:
        return self._path(self._kind).read_text()

    def load(self, text: str) -> Any:
        return yaml.safe_load(text) if self._kind == "t" else json.loads(text)

    def dump(self, document: Any) -> str:
        return super().dump(document) if self._kind == "t" else json.dumps(document)

    def feed(self, raw: bytes) -> str:
        kind, (changed, _, text) = raw[:1].decode(errors="replace"), raw[1:].partition(b"\n")
        readers: Mapping[str, tuple[Callable[[Path], object], type[Exception]]] = {
            "t": (lambda file: load_topology("demo", file), TopologyError),
            "m": (lambda file: Network.load(file.parent), NotANetwork),
            "p": (ConnectionProfile.load, ProfileError),
            "w": (lambda file: Wallet(file.parent).get(file.stem).signing_identity(), ProfileError),
        }
        read, refusal = readers[kind]
        with tempfile.TemporaryDirectory(dir=network().folder) as folder:
            file = Path(folder) / self._path(kind).name
            if kind == "p":  # its paths count from its own folder
                file = self._path(kind).with_name("changed.json")
            file.write_bytes(text)
            try:
                read(file)
            except refusal as refused:
                check_secrets(str(refused).encode(errors="replace"), "a refusal")
                require(str(refused), "a refusal without a word")
                return f"{kind} refused"
            finally:
                if kind == "p":
                    file.unlink()
        return f"{kind} taken {bool(changed)}"

    def _path(self, kind: str) -> Path:
        made = network()
        org = made.organisation("citizens")
        if kind == "t":
            return NETWORK_YAML
        if kind == "m":
            return made.folder / "network.json"
        return made.path(org.profile) if kind == "p" else next((made.folder / "wallet").glob("alice*.id"))


class Storing:
    """The files of a record log, spoilt: what is read is what was written, and everything else is a StorageError."""

    name = "disk"
    folder = Path("/log")

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        """A file's number, and its new content."""
        _, disk, paths = self._log()
        number = chance.randrange(len(paths))
        raw = read_whole(disk, paths[number])
        for _ in range(chance.choice((1, 1, 2))):
            raw = mutator.spoil_bytes(raw)
        return bytes((number,)) + raw

    def feed(self, raw: bytes) -> str:
        records, disk, paths = self._log()
        path = paths[(raw[:1] or b"\0")[0] % len(paths)]
        disk.remove(path)
        file = disk.open(path, create=True)
        file.append(raw[1:])
        file.sync()
        try:
            log = RecordLog.open(disk, self.folder, segment_bytes=200)
        except StorageError as refused:
            require(str(path.parent) in str(refused), "a refusal that does not say where")
            return "refused"
        return self._read(log, records, damaged=path.suffix == ".records")

    def _read(self, log: RecordLog, records: list[bytes], *, damaged: bool) -> str:
        found = 0
        for number in range(log.count):
            try:
                require(
                    number < len(records) and log.read(number) == records[number], f"record {number} is another one"
                )
                found += 1
            except StorageError:
                require(damaged, "a bad index made a good record unreadable")
        require(damaged or log.count == len(records), "a bad index lost records")
        return "whole" if found == len(records) else "part"

    def _log(self) -> tuple[list[bytes], MemoryDisk, list[Path]]:
        disk = MemoryDisk()
        log = RecordLog.open(disk, self.folder, segment_bytes=200, salt=lambda: b"s" * 16)
        records = [f"record {number} ".encode() * 6 for number in range(12)]
        for record in records:
            log.append([record])
            log.sync()
        log.close()
        return records, disk, [self.folder / name for name in sorted(disk.list(self.folder))]


class Inspecting:
    """Blocks in files: `privy block inspect` and `verify`, and genesis blocks that a node is started with."""

    name = "commands"

    def make(self, chance: random.Random, mutator: Mutator) -> bytes:
        use = chance.choice(b"ivg")
        raw = encode_block(GENESIS)
        if use != ord("g") and chance.random() < 0.5:
            call = messages.some_call(chance, chance.randbytes(24))
            raw = messages.block(Hand(), [messages.transaction(Hand(), call)], 1, b"p" * 32, b"n" * 24)
        for _ in range(chance.choice((1, 1, 3))):
            raw = mutator.spoil(raw)
        return bytes((use,)) + raw

    def feed(self, raw: bytes) -> str:
        file = network().folder / "spoilt.block"
        file.write_bytes(raw[1:])
        if raw[:1] == b"g":
            try:
                read_genesis(file)
            except ConfigError as refused:
                require(str(file) in str(refused), "a refusal that does not name the file")
                return "genesis refused"
            return "genesis taken"
        genesis = network().folder / "first.block"
        genesis.write_bytes(encode_block(GENESIS))
        arguments = ["inspect", str(file)] if raw[:1] == b"i" else ["verify", "--genesis", str(genesis), str(file)]
        status, told = _privy("block", *arguments)
        require(status in (0, 1, 2), f"exit status {status}")
        for sign in ("internal error", "Traceback"):
            require(sign not in told, told[-2000:])
        return f"{arguments[0]} {status}"


def _privy(*arguments: str) -> tuple[int, str]:
    """Exit status and everything printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            privy.main(list(arguments))
        except SystemExit as ended:
            return int(ended.code or 0), printed.getvalue()
    raise Broken("privy did not exit")


def _check_refusal(text: str, changed: str, file: str) -> None:
    """It names a key on the way to what was changed, or the file when its text as a whole is no good."""
    check_secrets(text.encode(errors="replace"), "a refusal")
    told = text.lower()
    keys = [key.lower() for key in changed.split(".") if key and not key.isdecimal()]
    named = not keys or any(key in told for key in keys)  # none: the text was spoilt, and not a value in it
    require(named or file in text, f"the refusal of {changed!r} names no key: {text[:300]!r}")
