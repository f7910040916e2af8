"""What the measuring scripts share: start and stop one broker of either kind, read what it costs, run Kafka's own tools.

    RINGLANE=path   the broker to measure (default: the release build)

Every broker listens on 127.0.0.1 only, keeps its data in a folder that goes when the script ends, however it ends, and
only processes that the script itself started are ended.
"""
import atexit
import json
import os
import pathlib
import platform
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
STOCK_KAFKA = ROOT / "broker/tests/clients/kafka-tools/stock-kafka"
VENV = pathlib.Path(os.environ.get("CLIENTS_CACHE", pathlib.Path.home() / ".cache/ringlane-clients")) / "confluent-kafka"
VERSION = "confluent-kafka==2.16.1"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def binary():
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    path = pathlib.Path(os.environ.get("RINGLANE", pathlib.Path(target) / "release/ringlane"))
    if not path.exists():
        sys.exit(f"no broker at {path}: run `cargo build --release` first, or set RINGLANE")
    return path


def enter_venv():
    """Starts the script again in the environment that has librdkafka's client, made if need be."""
    if pathlib.Path(sys.prefix).resolve() == VENV.resolve():
        return
    if not (VENV / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        pip = [VENV / "bin/pip", "install", "--quiet", "--disable-pip-version-check", VERSION]
        subprocess.run(pip, check=True)
        (VENV / "installed").write_text(VERSION)
    os.execv(VENV / "bin/python", [VENV / "bin/python", *sys.argv])


def scratch():
    """A folder for this run, gone when the script ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ringlane-bench."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def free_port(count=1):
    """The first of `count` free ports in a row, below those that the kernel hands to clients."""
    while True:
        first = random.randrange(20000, 32000)
        try:
            for port in range(first, first + count):
                with socket.socket() as listener:
                    listener.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue


def cpu_seconds(pid):
    """User and system time of all threads so far, the ring's kernel workers included: fields 14 and 15 of proc_pid_stat(5)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) * TICK_S, int(fields[12]) * TICK_S


def rss_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


class Ringlane:
    """Our broker. `ready_ms` is the time from starting the process to its line on stdout."""

    def __init__(self, folder, settings=(), cpus=None, port=0):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["taskset", "-c", cpus] if cpus else []
        command += [binary(), "start"]
        listen = [f"listeners=PLAINTEXT://127.0.0.1:{port}", f"log.dirs={self.folder}/data"]
        for setting in [*listen, *settings]:
            command += ["--set", setting]
        began = time.perf_counter()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        atexit.register(self.stop)
        line = self.process.stdout.readline()
        self.ready_ms = (time.perf_counter() - began) * 1000
        if not line.startswith("ringlane ready on "):
            sys.exit(f"the broker did not start: see {self.folder}/log\n{(self.folder / 'log').read_text()[-800:]}")
        self.bootstrap = line.split()[-1]
        self.pid = self.process.pid

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()


class StockKafka:
    """Stock Apache Kafka, one KRaft node."""

    def __init__(self, folder, settings=(), cpus=None):
        self.folder = pathlib.Path(folder)
        port = free_port(2)
        self.bootstrap = f"127.0.0.1:{port}"
        if subprocess.run([STOCK_KAFKA, "have"]).returncode:
            subprocess.run([STOCK_KAFKA, "fetch"], check=True)
        command = [STOCK_KAFKA, "up", "--port", str(port), "--dir", self.folder]
        command += (["--cpus", cpus] if cpus else []) + list(settings)
        atexit.register(self.stop)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=120)
        self.pid = int((self.folder / "pid").read_text())

    def stop(self):
        if (self.folder / "pid").exists():
            subprocess.run([STOCK_KAFKA, "down", "--dir", self.folder], stdout=subprocess.DEVNULL, timeout=60)


def tool(broker, name, *arguments, cpus=None, timeout=300):
    """Runs one of Kafka's tools against `broker`; what it printed."""
    command = ["taskset", "-c", cpus] if cpus else []
    command += [STOCK_KAFKA, "tool", name, "--bootstrap-server", broker.bootstrap, *map(str, arguments)]
    run = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    if run.returncode:
        sys.exit(f"{name} failed:\n{run.stdout[-2000:]}")
    return run.stdout


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def span(values, digits=2):
    """`median (least–most)`: the noise is part of the figure."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def machine():
    models = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpus": f"{len(models)} × {models[0]}",
        "memory_gib": round(gib),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
    }


def save(path, result):
    """Writes `result`, with the machine it is from, as JSON."""
    if path:
        text = json.dumps({"machine": machine(), **result}, indent=2, ensure_ascii=False)
        pathlib.Path(path).write_text(text + "\n")
