"""Runs tests with a mutant switched on."""
import collections
import os
import resource
import select
import signal
import subprocess
import tempfile
import time

# Some mutants take memory without end.
MEMORY = 6 << 30

# Instead of the names of tests, for what takes no names.
ALL = ["all"]

Ended = collections.namedtuple("Ended", "how by seconds")


def limits():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(executable, cwd, tests, env, seconds):
    """Runs these tests, and ends with the first that fails, or when none ends for so many seconds.

    `how` is "passed", "failed" or "clock".
    """
    began = heard = time.monotonic()
    choice = [] if list(tests) == ALL else ["--exact", *tests]
    process = subprocess.Popen([executable, *choice], cwd=cwd, env=os.environ | env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               start_new_session=True, preexec_fn=limits)
    told, how, by = b"", None, ""
    while how is None:
        left = heard + seconds - time.monotonic()
        ready = left > 0 and select.select([process.stdout], [], [], left)[0]
        read = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
        told += read
        heard = time.monotonic()
        failed = [line for line in told.split(b"\n") if line.startswith(b"test ") and line.endswith(b"... FAILED")]
        if failed:
            how, by = "failed", failed[0][5:-11].decode()
        elif not ready:
            how = "clock"
        elif not read:
            # It is at its end, or has closed its output.
            try:
                how = "passed" if process.wait(max(left, 0.1)) == 0 else "failed"
            except subprocess.TimeoutExpired:
                how = "clock"
        # Only what may still become a line.
        told = told[told.rfind(b"\n") + 1:]
    try:
        # With its children, if there are any.
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    process.stdout.close()
    return Ended(how, by, time.monotonic() - began)


def names(executable, cwd):
    """The tests that it runs."""
    def listed(*options):
        told = subprocess.run([executable, "--list", "--format", "terse", *options], cwd=cwd, check=True,
                              capture_output=True, text=True).stdout
        return [line.removesuffix(": test") for line in told.splitlines() if line.endswith(": test")]
    ignored = set(listed("--ignored"))
    return [name for name in listed() if name not in ignored]


def reached(executable, cwd, test, seconds):
    """How one test ends, and which mutants it comes by."""
    with tempfile.NamedTemporaryFile() as file:
        ended = run(executable, cwd, [test], {"CHANBUS_REACHED": file.name}, seconds)
        told = file.read()
    numbers = {int.from_bytes(told[at:at + 4], "little") for at in range(0, len(told), 4)}
    return ended, sorted(numbers)
