"""What a broker and an ensemble node run as: Java, and the archives that Maven resolves from `pom.xml`."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

from deploy import packages
from deploy.kafka.settings import BROKER, ZOOKEEPER
from deploy.packages import Missing

POM: Final = Path(__file__).with_name("pom.xml")
LOGGING: Final = Path(__file__).with_name("log4j.properties")
ARCHIVES: Final = Path(__file__).parents[2] / "var" / "kafka" / "lib"  # 46 MB, for every cluster of this checkout
_HEAP: Final = {BROKER: "256m", ZOOKEEPER: "96m"}
_MAIN: Final = {BROKER: "kafka.Kafka", ZOOKEEPER: "org.apache.zookeeper.server.quorum.QuorumPeerMain"}
_STORAGE: Final = "kafka.tools.StorageTool"


def archives() -> Path:
    """The folder of archives, which Maven fills once for each state of `pom.xml`."""
    pom = hashlib.sha256(POM.read_bytes()).hexdigest()
    mark = ARCHIVES / "pom.sha256"
    ARCHIVES.parent.mkdir(parents=True, exist_ok=True)
    with (ARCHIVES.parent / "lib.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two networks may start at once
        if not mark.exists() or mark.read_text() != pom:
            maven = program("mvn")
            shutil.rmtree(ARCHIVES, ignore_errors=True)
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={ARCHIVES}"]
            done = subprocess.run(  # noqa: S603 - ours
                [maven, "-q", "-B", "-f", str(POM), *goal], capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise Missing(f"Maven cannot fetch what {POM} names: {(done.stdout + done.stderr).strip()[-2000:]}")
            mark.write_text(pom)
    return ARCHIVES


def program(name: str) -> str:
    """Where Java or Maven is."""
    return packages.program(name, "Kafka")


def command(kind: str, configuration: str) -> list[str]:
    """What a member runs, from its own folder."""
    return [*_java(kind), _MAIN[kind], configuration]


def format_storage(configuration: str, cluster_id: str, folder: Path) -> None:
    """Prepare the data of a broker that has no ZooKeeper to ask whose it is."""
    subprocess.run(  # noqa: S603
        [*_java(BROKER), _STORAGE, "format", "--cluster-id", cluster_id, "--config", configuration],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _java(kind: str) -> list[str]:
    return [
        program("java"),
        f"-Xmx{_HEAP[kind]}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # several share a laptop's cores, mostly for minutes
        "-Xshare:auto",
        "-Djava.awt.headless=true",
        f"-Dlog4j.configuration=file:{LOGGING}",
        "-cp",
        f"{archives()}/*",
    ]
