"""All mutants of a part in one build: see `.ci/mutants`."""
import argparse
import collections
import concurrent.futures
import json
import pathlib
import re
import subprocess
import threading

import trial
from build import Build, say

# All that need no server.
FEATURES = "json,tokio,tracing,metrics,testing"
# What needs one, and what looks at programs that only use the library.
LEFT_OUT = {"bridge", "monitor", "orders_sqlite", "scan"}
# The examples, which rustdoc makes one program of.
DOCS = "docs"
# How long no test may end: so many seconds, and so many times as long as the longest takes by itself.
PATIENCE, SHARE = 12.0, 4.0


def options():
    tests = [*pathlib.Path("tests").glob("*.rs"), *(path.parent for path in pathlib.Path("tests").glob("*/main.rs"))]
    tests = sorted({path.stem for path in tests} - LEFT_OUT)
    parser = argparse.ArgumentParser(prog=".ci/mutants")
    parser.add_argument("parts", help="folders of src/, such as pattern, or bus,handlers")
    parser.add_argument("--features", default=FEATURES)
    parser.add_argument("--tests", default=",".join(tests), help="integration tests, besides the unit tests")
    parser.add_argument("--jobs", type=int, default=2, help="how many compilers, and how many mutants, at a time")
    parser.add_argument("--only", default="", help="those with this in their names, also if they were tried")
    parser.add_argument("--lives", action="store_true", help="once more those that live")
    parser.add_argument("--alone", action="store_true", help="those that want a build of their own, by cargo-mutants")
    return parser.parse_args()


def files(parts):
    return [file for part in parts for file in (f"src/{part}/**/*.rs", f"src/{part}.rs")]


def reach(out, tree, executables, jobs):
    """For each test its seconds and the mutants that it comes by; those that fail by themselves are left out."""
    path = out / "reached.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    found = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for name, file in executables.items():
            built = pathlib.Path(file).stat().st_mtime_ns
            if known.get(name, {}).get("built") == built:
                found[name] = known[name]
                continue
            tests = trial.ALL if name == DOCS else trial.names(file, tree)
            say(f"{name}: {len(tests)} tests, each once to see what it reaches")
            found[name] = {"built": built, "tests": []}
            ended = pool.map(lambda test: trial.reached(file, tree, test, 300), tests)
            for test, (end, numbers) in zip(tests, ended):
                if end.how == "passed":
                    found[name]["tests"].append([test, end.seconds, numbers])
                else:
                    say(f"  without a mutant, {test}: {end.how}")
    path.write_text(json.dumps(found))
    return found


def plans(found):
    """For each mutant the tests that may find it, by executable, with their seconds."""
    plans = collections.defaultdict(lambda: collections.defaultdict(list))
    for name, executable in found.items():
        for test, seconds, numbers in executable["tests"]:
            for number in numbers:
                plans[number][name].append((test, seconds))
    return plans


def attempt(number, plan, executables, tree):
    """What becomes of a mutant under these tests: those executables come first that take the shortest time."""
    for name, tests in sorted(plan.items(), key=lambda item: sum(seconds for _, seconds in item[1])):
        patience = PATIENCE + SHARE * max(seconds for _, seconds in tests)
        names = [test for test, _ in tests]
        end = trial.run(executables[name], tree, names, {"CHANBUS_MUTANT": str(number)}, patience)
        if end.how != "passed":
            return {"failed": "found", "clock": "clock"}[end.how], f"{name} {end.by}".strip()
    return ("lives" if plan else "not reached"), ""


class Results:
    """What became of which mutant, in a file that a later run goes on with."""

    def __init__(self, path, listed):
        self.path, self.lock = path, threading.Lock()
        names = {mutant["name"] for mutant in listed}
        lines = path.read_text().splitlines() if path.exists() else []
        self.of = {result["name"]: result for result in map(json.loads, lines) if result["name"] in names}

    def add(self, name, how, by):
        with self.lock:
            self.of[name] = {"name": name, "how": how, "by": by}
            with self.path.open("a") as file:
                file.write(json.dumps(self.of[name]) + "\n")

    def lives(self, name):
        return self.of.get(name, {}).get("how") in ("lives", "not reached")


def by_cargo_mutants(asked, names):
    wanted = [f"--re=^{re.escape(name)}$" for name in names]
    tests = [f"--cargo-arg=--test={test}" for test in asked.tests.split(",")]
    where = [option for file in files(asked.parts.split(",")) for option in ("-f", file)]
    subprocess.run(["cargo", "mutants", *where, *wanted, "--features", asked.features, "--cargo-arg=--lib", *tests])


def main():
    asked = options()
    parts = asked.parts.split(",")
    out = pathlib.Path(f"mutants.out.{asked.parts}")
    out.mkdir(exist_ok=True)
    build = Build(out, asked.features, asked.jobs)
    listed = build.list(files(parts))
    names = [mutant["name"] for mutant in listed]
    say(f"{len(listed)} mutants")
    build.copy({mutant["file"] for mutant in listed})
    faulty, alone = build.compile()
    say(f"{len(faulty)} do not compile, {len(alone)} want a build of their own")
    if asked.alone:
        return by_cargo_mutants(asked, [names[number] for number in alone])
    executables = build.tests(asked.tests.split(",")) | {DOCS: build.docs()}
    results = Results(out / "results.jsonl", listed)
    plan = plans(reach(out, build.tree, executables, asked.jobs))
    tried = [number for number in range(len(listed)) if number not in faulty | alone and asked.only in names[number]
             and (results.lives(names[number]) if asked.lives else asked.only or names[number] not in results.of)]

    def one(count_and_number):
        count, number = count_and_number
        how, by = attempt(number, plan[number], executables, build.tree)
        results.add(names[number], how, by)
        if results.lives(names[number]):
            say(f"{how}: {names[number]}")
        if count % 100 == 0:
            say(f"{count} of {len(tried)}")

    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        list(pool.map(one, enumerate(tried, 1)))
    for part in parts:
        of_part = [number for number in range(len(listed)) if names[number].startswith((f"src/{part}/", f"src/{part}.rs"))]
        counts = collections.Counter(
            "do not compile" if number in faulty else "want a build of their own" if number in alone
            else results.of.get(names[number], {"how": "not tried"})["how"] for number in of_part)
        say(f"{part}: {len(of_part)} mutants, " + ", ".join(f"{count} {how}" for how, count in counts.items()))


main()
