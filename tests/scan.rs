//! The example `scan`, run as a program: its totals are those of `find`, and it ends well however
//! it ends.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test stops at the first surprise, and says what it skipped"
)]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

// ---- a place for trees ----

/// A directory of its own, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chanbus-scan-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        // Also for the user as whom the unreadable tree is scanned.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Place(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, name: impl AsRef<Path>, bytes: usize) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, vec![b'x'; bytes]).unwrap();
    }

    fn dir(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Everything that a tree can hold and a scan might stumble over.
fn crooked_tree() -> Place {
    let place = Place::new();
    for number in 0..500 {
        place.file(
            format!("many/file-{number}.{}", ["txt", "rs", "toml"][number % 3]),
            number,
        );
    }
    // Deep, and wide where it is deep.
    let mut deep = PathBuf::from("deep");
    for level in 0..60 {
        deep.push(format!("level-{level}"));
        place.file(deep.join("leaf"), level);
    }
    place.dir("empty");
    place.dir("also/empty/inside");
    place.file("nothing-in-it", 0);
    place.file("big.bin", 3_000_000);

    // What walkers like to skip.
    place.file(".hidden", 11);
    place.file(".hidden-dir/inside", 12);
    place.file("repo/.git/HEAD", 13);
    fs::write(place.path().join("repo/.gitignore"), "*.log\nbuild/\n").unwrap();
    fs::write(place.path().join("repo/.ignore"), "secret\n").unwrap();
    place.file("repo/noise.log", 14);
    place.file("repo/build/out.o", 15);
    place.file("repo/secret", 16);

    // Names.
    place.file("space and\nnewline\u{1b}[31m", 17);
    place.file("ünïcödé.txt", 18);
    place.file("-", 19);
    place.file("--help", 20);
    // Some file systems refuse names that are not UTF-8.
    let strange = place
        .path()
        .join(OsStr::from_bytes(b"not-\xff-utf8.b\xfen"));
    let _ = fs::write(strange, [0; 21]);

    // Links: sound, broken, to a directory, in a loop, to itself.
    let links = place.dir("links");
    symlink("../big.bin", links.join("sound")).unwrap();
    symlink("nowhere", links.join("broken")).unwrap();
    symlink("../many", links.join("to-dir")).unwrap();
    symlink("..", links.join("loop")).unwrap();
    symlink("self", links.join("self")).unwrap();
    fs::hard_link(place.path().join("big.bin"), links.join("hard")).unwrap();

    // Neither file nor directory nor link. (A path for a socket must be short.)
    drop(UnixListener::bind(place.path().join("socket")).unwrap());
    place
}

// ---- the program ----

/// The example as `cargo test` built it, or built now: `cargo test --test scan` builds no examples,
/// and must not test an old one.
fn program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let find_or_build = || {
        // target/debug/deps/scan-0123456789abcdef, next to target/debug/examples.
        let test = std::env::current_exe().unwrap();
        let profile = test.parent().and_then(Path::parent).unwrap();
        let program = profile.join("examples/scan");
        if !is_newer_than_its_sources(&program) {
            build(profile);
        }
        assert!(program.exists(), "there is no {}", program.display());
        program
    };
    PROGRAM.get_or_init(find_or_build).clone()
}

fn is_newer_than_its_sources(program: &Path) -> bool {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scan");
    let changed = |path: &Path| fs::metadata(path)?.modified();
    let mut sources = fs::read_dir(sources).unwrap();
    changed(program)
        .is_ok_and(|built| sources.all(|source| changed(&source.unwrap().path()).unwrap() <= built))
}

fn build(profile: &Path) {
    let name = profile.file_name().and_then(OsStr::to_str).unwrap();
    let name = if name == "debug" { "dev" } else { name };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", "scan", "--profile", name])
        .arg("--target-dir")
        .arg(profile.parent().unwrap())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "the example does not build"
    );
}

fn scan(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Totals {
    files: u64,
    dirs: u64,
    links: u64,
    others: u64,
    bytes: u64,
}

fn number(report: &str, name: &str) -> u64 {
    let line = report
        .lines()
        .find_map(|line| line.strip_prefix(&format!("  {name} ")));
    let line = line.unwrap_or_else(|| panic!("no {name} in:\n{report}"));
    line.trim().parse().unwrap()
}

fn reported(report: &str) -> Totals {
    Totals {
        files: number(report, "files"),
        dirs: number(report, "directories"),
        links: number(report, "links"),
        others: number(report, "others"),
        bytes: number(report, "bytes"),
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn assert_accounted(report: &str) {
    assert!(
        report.contains("every event is accounted for: matched ="),
        "{report}"
    );
}

// ---- the truth ----

/// The same by a walk of one thread, without any library; what cannot be read is left out.
fn walked(root: &Path) -> Totals {
    let mut totals = Totals::default();
    let mut left = vec![root.to_path_buf()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            totals.dirs += 1;
            let entries = fs::read_dir(&path).into_iter().flatten();
            left.extend(entries.map(|entry| entry.unwrap().path()));
        } else if metadata.is_symlink() {
            totals.links += 1;
        } else if metadata.is_file() {
            totals.files += 1;
            totals.bytes += metadata.len();
        } else {
            totals.others += 1;
        }
    }
    totals
}

/// The same by `find`; `None` where there is none that can print sizes.
fn found(root: &Path) -> Option<Totals> {
    // As an absolute path, or behind `./`, no name looks like an option.
    let output = Command::new("find")
        .arg(root)
        .args(["-printf", "%y %s\\n"])
        .output()
        .ok()?;
    let listing = String::from_utf8(output.stdout).ok()?;
    if listing.is_empty() {
        return None;
    }
    let mut totals = Totals::default();
    for line in listing.lines() {
        let (kind, bytes) = line.split_once(' ')?;
        match kind {
            "d" => totals.dirs += 1,
            "l" => totals.links += 1,
            "f" => {
                totals.files += 1;
                totals.bytes += bytes.parse::<u64>().ok()?;
            }
            _ => totals.others += 1,
        }
    }
    Some(totals)
}

#[track_caller]
fn assert_totals_are_those_of_find(root: &Path) {
    let output = scan(["--".as_ref(), root.as_os_str()]).output().unwrap();
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
    let report = stdout(&output);
    assert_accounted(&report);
    assert_eq!(number(&report, "errors"), 0);
    assert_eq!(reported(&report), walked(root));
    match found(root) {
        Some(found) => assert_eq!(reported(&report), found),
        None => eprintln!("skipped the comparison with find: there is none with -printf"),
    }
}

// ---- totals ----

#[test]
fn the_totals_are_those_of_find() {
    let tree = crooked_tree();
    assert_totals_are_those_of_find(tree.path());
}

#[test]
fn a_root_that_is_a_file_or_a_link_counts_as_in_find() {
    let tree = crooked_tree();
    for root in [
        "big.bin",
        "empty",
        "socket",
        "links/sound",
        "links/broken",
        "links/to-dir",
    ] {
        assert_totals_are_those_of_find(&tree.path().join(root));
    }
    // With a slash at its end a link stands for the directory behind it.
    assert_totals_are_those_of_find(&tree.path().join("links/to-dir/"));
}

#[test]
fn without_an_argument_it_scans_the_current_directory() {
    let tree = crooked_tree();
    let output = scan([""; 0]).current_dir(tree.path()).output().unwrap();
    assert_eq!(reported(&stdout(&output)), walked(tree.path()));
}

#[test]
fn names_that_look_like_options_are_names() {
    let tree = crooked_tree();
    for (arguments, bytes) in [(vec!["-"], 19), (vec!["--", "--help"], 20)] {
        let output = scan(arguments).current_dir(tree.path()).output().unwrap();
        let report = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{report}");
        assert_eq!(
            (number(&report, "files"), number(&report, "bytes")),
            (1, bytes)
        );
    }
}

#[test]
fn the_largest_files_and_the_extensions_are_listed() {
    let tree = Place::new();
    for number in 1..=50 {
        tree.file(
            format!("{number:02}.{}", ["even", "odd"][number % 2]),
            number,
        );
    }
    let output = scan([tree.path()]).output().unwrap();
    let report = stdout(&output);
    let largest: Vec<&str> = report
        .lines()
        .skip_while(|line| !line.ends_with("largest files"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(
        largest,
        ["50", "49", "48", "47", "46", "45", "44", "43", "42", "41"]
    );
    let row = |name: &str| {
        let mut lines = report.lines();
        let line = lines.find(|line| line.ends_with(&format!("  {name}")));
        line.unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(row(".odd"), ["625", "25", ".odd"]);
    assert_eq!(row(".even"), ["650", "25", ".even"]);
}

#[test]
fn no_name_reaches_the_terminal_with_control_characters() {
    let tree = Place::new();
    tree.file("red\u{1b}[31m\nnewline", 1);
    let output = scan([tree.path()]).output().unwrap();
    let report = stdout(&output);
    assert!(report.contains("red\\u{1b}[31m\\nnewline"), "{report}");
    assert!(!report.contains('\u{1b}'));
}

// ---- accounts ----

#[test]
fn the_drops_of_the_slow_subscriber_are_shown_and_add_up() {
    let tree = Place::new();
    for number in 0..3_000 {
        tree.file(format!("{}/{number}", number % 30), 1);
    }
    let output = scan([tree.path()]).output().unwrap();
    let report = stdout(&output);
    assert_accounted(&report);

    let row = report
        .lines()
        .find(|line| line.starts_with("slow  "))
        .unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    let number = |at: usize| row[at].parse::<u64>().unwrap();
    let (matched, received, dropped) = (number(2), number(3), number(4));
    // Directories with the root, files, started, finished.
    assert_eq!(matched, 31 + 3_000 + 2);
    assert_eq!(matched, received + dropped);
    let told = format!("took {received} events and missed {dropped} (gaps: ");
    assert!(report.contains(&told), "{told} is not in:\n{report}");
}

// ---- errors ----

/// As a user who may not read everything: root becomes nobody, others stay who they are.
fn unprivileged(place: &Place, arguments: &[&OsStr]) -> Command {
    let we_are_root = fs::metadata(place.path()).unwrap().uid() == 0;
    if !we_are_root {
        return scan(arguments);
    }
    // Where the example was built may be out of reach for nobody.
    let copy = place.path().join("scan");
    // By a process of its own: a copy that this one had open for writing might be so in a child of
    // another test, too, and then it is "text file busy".
    let copied = Command::new("cp").arg(program()).arg(&copy).status();
    assert!(copied.is_ok_and(|status| status.success()));
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(copy);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .uid(65_534)
        .gid(65_534);
    command
}

#[test]
fn an_unreadable_directory_is_an_error_and_the_scan_goes_on() {
    let place = Place::new();
    place.file("tree/before/file", 1);
    place.file("tree/locked/unseen", 2);
    place.file("tree/zafter/file", 4);
    let locked = place.path().join("tree/locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let tree = place.path().join("tree");

    let output = unprivileged(&place, &[tree.as_os_str()])
        .current_dir("/")
        .output();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    let output = output.unwrap();

    let report = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert_eq!(number(&report, "errors"), 1);
    // As with `find`, the directory itself was seen.
    let expected = Totals {
        files: 2,
        dirs: 4,
        bytes: 5,
        ..Totals::default()
    };
    assert_eq!(reported(&report), expected);
    assert_accounted(&report);
    let errors = stderr(&output);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(
        errors.contains("tree/locked: Permission denied"),
        "{errors}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_vanishes_meanwhile_is_an_error() {
    // The directory lists the very handle by which it is read, which is closed when it is looked at.
    let output = scan(["/proc/self/fdinfo"]).output().unwrap();
    let report = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(number(&report, "errors") >= 1);
    assert!(
        stderr(&output).contains("No such file"),
        "{}",
        stderr(&output)
    );
    assert_accounted(&report);
}

#[test]
fn a_path_that_does_not_exist_is_one_line_and_exit_code_2() {
    let place = Place::new();
    for name in ["nowhere", "with\nnewline"] {
        let output = scan([place.path().join(name)]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stdout(&output), "");
        let errors = stderr(&output);
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.contains("No such file or directory"), "{errors}");
    }
}

#[test]
fn a_wrong_command_line_is_one_line_and_exit_code_2() {
    for arguments in [
        &["--bogus"][..],
        &["a", "b"],
        &["--threads"],
        &["--threads", "0"],
        &["--threads", "many"],
        &["--pace", "-1"],
    ] {
        let output = scan(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "");
        assert_eq!(stderr(&output).lines().count(), 1);
    }
}

#[test]
fn help_names_every_exit_code() {
    let output = scan(["--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    for code in ["\n  0 ", "\n  1 ", "\n  2 ", "\n  130 "] {
        assert!(stdout(&output).contains(code));
    }
}

// ---- ends ----

#[test]
fn ctrl_c_ends_it_soon_with_the_totals_so_far() {
    const FILES: u64 = 2_000;
    let tree = Place::new();
    for number in 0..FILES {
        tree.file(number.to_string(), 1);
    }
    // At this pace the whole tree would take minutes, so the signal comes in the middle for sure.
    let mut child = scan(["--threads", "2", "--pace", "200"])
        .arg(tree.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut report = String::new();
    // The handler is in place before the first line is out.
    out.read_line(&mut report).unwrap();
    assert!(report.starts_with("scanning "), "{report}");

    let begun = Instant::now();
    interrupt(child.id());
    out.read_to_string(&mut report).unwrap();
    let status = child.wait().unwrap();

    assert!(begun.elapsed() < Duration::from_secs(30), "not soon");
    assert_eq!(status.code(), Some(130), "{report}");
    assert!(report.contains("totals so far (interrupted: partial)"));
    assert!(number(&report, "files") < FILES);
    assert_accounted(&report);
}

fn interrupt(process: u32) {
    // The shell's own `kill`, which every system has.
    let status = Command::new("sh")
        .args(["-c", &format!("kill -INT {process}")])
        .status();
    assert!(status.is_ok_and(|status| status.success()));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let tree = crooked_tree();
    let mut child = scan([tree.path()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Both the first line and the report find nobody there.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn no_progress_line_where_there_is_no_terminal() {
    let tree = crooked_tree();
    let output = scan([tree.path()]).output().unwrap();
    assert_eq!(stderr(&output), "");
}
