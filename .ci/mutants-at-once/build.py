"""The copy of the crate with all mutants in it, and its tests."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
# Only figures and debuggers want what these leave out.
FAST = {"CARGO_INCREMENTAL": "0", "CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_PROFILE_TEST_DEBUG": "0"}


def say(text):
    print(text, flush=True)


class Build:
    def __init__(self, out, features, jobs):
        self.out, self.tree = out, out / "tree"
        self.options = ["--locked", "--features", features, "-j", str(jobs)]
        # Its own, as cargo gives the same names to what it builds from another copy of a package.
        self.target = (out / "target").absolute()
        self.env = os.environ | FAST | {"CARGO_TARGET_DIR": str(self.target)}
        self.tool = self.target / "release" / "mutants-at-once"

    def list(self, files):
        """What there is to be tried, by cargo-mutants' own count."""
        where = [option for file in files for option in ("-f", file)]
        command = ["cargo", "mutants", "--list", "--json", *where]
        listed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        (self.out / "list.json").write_text(listed)
        return json.loads(listed)

    def copy(self, woven):
        """The tree as it is, but for the files that are woven; what did not change stays, and is not built again."""
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        paths = subprocess.run(listed, check=True, stdout=subprocess.PIPE, text=True).stdout
        for path in map(pathlib.Path, filter(None, paths.split("\0"))):
            if path.is_file() and not (str(path) in woven and (self.tree / path).is_file()):
                self.put(path, path.read_bytes())
        self.put("src/mutant.rs", (HERE / "mutant.rs").read_bytes())
        # Without the pages, whose examples may want features that are off.
        lib = pathlib.Path("src/lib.rs").read_text().replace("#[cfg(doctest)]\nmod doctests;\n", "")
        self.put("src/lib.rs", f"{lib}\nmod mutant;\n".encode())

    def put(self, path, content):
        to = self.tree / path
        if not to.is_file() or to.read_bytes() != content:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(content)
            to.chmod(pathlib.Path(path).stat().st_mode if pathlib.Path(path).exists() else 0o644)

    def cargo(self, *arguments):
        """Whether it went well, and the messages."""
        command = ["cargo", *arguments, *self.options, "--message-format=json"]
        run = subprocess.run(command, cwd=self.tree, env=self.env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
        if run.returncode and not any(line["reason"] == "compiler-message" for line in lines):
            sys.exit(run.stderr)
        return run.returncode == 0, lines

    def weave(self, left_out):
        numbers, places = self.out / "left-out.json", self.out / "places.json"
        numbers.write_text(json.dumps(sorted(left_out)))
        command = [self.tool, ".", self.tree, self.out / "list.json", numbers, places]
        subprocess.run(command, check=True)
        return json.loads(places.read_text())

    def compile(self):
        """Leaves out what does not compile, until the rest does. Returns what that is, and what wants its own build."""
        manifest = ["--manifest-path", HERE / "Cargo.toml"]
        subprocess.run(["cargo", "build", "--release", "--quiet", "--locked", *manifest], env=self.env, check=True)
        # What a run before found out, unless the library has changed since.
        known, now = self.out / "faulty.json", hashlib.sha256()
        for path in sorted(pathlib.Path("src").rglob("*.rs")):
            now.update(path.read_bytes())
        before = json.loads(known.read_text()) if known.exists() else {}
        faulty = set(before["numbers"]) if before.get("of") == now.hexdigest() else set()
        for turn in range(1, 40):
            places = self.weave(faulty)
            good, lines = self.cargo("check", "--lib")
            if good:
                known.write_text(json.dumps({"of": now.hexdigest(), "numbers": sorted(faulty)}))
                return faulty | set(places["broken"]), set(places["alone"])
            found = set()
            strange = []
            for line in lines:
                if line["reason"] == "compiler-message" and line["message"]["level"].startswith("error"):
                    named = culprits(line["message"], places["written"])
                    found |= named
                    if not named and line["message"]["spans"]:
                        strange.append(line["message"]["rendered"])
            say(f"round {turn}: {len(found)} do not compile")
            if not found:
                sys.exit("\n".join(strange))
            faulty |= found
        sys.exit("it does not come to an end")

    def tests(self, names):
        """The executables of the tests, by name."""
        wanted = ["--lib", *(f"--test={name}" for name in names)]
        good, lines = self.cargo("test", "--no-run", *wanted)
        if not good:
            sys.exit("".join(line["message"]["rendered"] for line in lines if line["reason"] == "compiler-message"))
        return {line["target"]["name"]: line["executable"] for line in lines
                if line["reason"] == "compiler-artifact" and line["executable"] and line["profile"]["test"]}

    def docs(self):
        """The executable of the examples in the docs, all of which rustdoc can put into one."""
        rustdoc, to = self.out / "rustdoc", self.out / "docs"
        # To keep it is unstable. Only rustdoc is to know of that, so that the rest is built as ever.
        rustdoc.write_text('#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n')
        rustdoc.chmod(0o755)
        flags = f"-Z unstable-options --merge-doctests=yes --no-run --persist-doctests {to.absolute()}"
        env = self.env | {"RUSTDOC": str(rustdoc.absolute()), "RUSTDOCFLAGS": flags}
        command = ["cargo", "test", "--doc", *self.options]
        run = subprocess.run(command, cwd=self.tree, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if run.returncode:
            sys.exit(run.stderr)
        [executable] = to.glob("merged_doctest_*/rust_out")
        return str(executable.absolute())


def culprits(message, written):
    """The mutants whose text the compiler complains of; if it is none's, those that it mentions beside."""
    for primary in (True, False):
        found = set()
        for span in message["spans"]:
            while span.get("expansion"):
                span = span["expansion"]["span"]
            if primary and not span["is_primary"]:
                continue
            found |= {number for file, start, end, number in written
                      if file == span["file_name"] and start <= span["byte_start"] and span["byte_end"] <= end}
        if found:
            return found
    return set()
