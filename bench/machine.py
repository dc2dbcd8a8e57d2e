"""What a measurement ran on: the machine, and the versions of the programs that were measured.

Owns: reading /proc, /sys and what `--version` prints.  What can't be had is None, never an error: a result without the
model of a disk is still a result."""
import os, platform, re, subprocess


def describe(folder):
    """the machine, and the disk that `folder` lies on"""
    return {
        "cpu": field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(int((field("/proc/meminfo", "MemTotal") or "0").split()[0]) / 2**20),
        "disk": disk(folder),
        "kernel": platform.release(),
        "system": (field("/etc/os-release", "PRETTY_NAME", "=") or "").strip('"') or None,
    }


def field(path, key, separator=":"):
    """the first value of `key` in a file of `key: value` lines"""
    try:
        with open(path) as lines:
            for line in lines:
                name, _, value = line.partition(separator)
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return None


def disk(folder):
    """file system, size and, where the kernel tells it, the model: `ext4, 125 GB, Samsung SSD 980`"""
    try:
        path, mounts = os.path.realpath(folder), []
        with open("/proc/self/mounts") as lines:
            for device, point, kind in (line.split()[:3] for line in lines):
                if path == point or path.startswith(point.rstrip("/") + "/"):
                    mounts.append((len(point), device, kind))
        _, device, kind = max(mounts, key=lambda mount: mount[0])
        vfs = os.statvfs(path)
    except (OSError, ValueError):
        return None
    size = "%.0f GB" % (vfs.f_blocks * vfs.f_frsize / 1e9)
    return ", ".join(x for x in (kind, size, model(device)) if x)


def model(device):
    name = re.sub(r"p?\d+$", "", os.path.basename(os.path.realpath(device)))
    try:
        with open("/sys/block/%s/device/model" % name) as f:
            return f.read().strip()
    except OSError:
        return None


def version(commands):
    """the first line with a version in it that each command prints: `4.3.1; openjdk version "17.0.15"`"""
    found = []
    for command in commands:
        try:
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            continue
        line = next((l.strip() for l in run.stdout.splitlines() if re.search(r"\d+\.\d+", l)), None)
        if line:
            found.append(line)
    return "; ".join(found) or None
