//! Reading repositories: commits, working trees, remotes, watching.

use std::fs;
use std::time::Duration;

use lyceum::source::{Git, Mirror, SourceError, Watch, What, remote, worktree};

use crate::repository::TestRepository;

const CLUSTER: &str = "clusters/a/cluster.yaml";

#[test]
fn a_commits_snapshot_holds_the_manifests_and_nothing_else() {
    let repository = TestRepository::with(&[
        (CLUSTER, "one"),
        ("cookbooks/base/role.yaml", "role"),
        ("lyceum.yaml", "spec"),
        ("README.md", "no"),
        ("src/clusters/a/cluster.yaml", "no"),
    ]);
    let first = repository.git().head().unwrap().peel_to_commit().unwrap().id().to_string();
    repository.write(CLUSTER, "two");
    let git = Git::open(repository.path()).unwrap();
    let reading = git.snapshot("main").unwrap();
    let paths: Vec<_> = reading.snapshot.files.keys().map(String::as_str).collect();
    assert_eq!(paths, [CLUSTER, "cookbooks/base/role.yaml", "lyceum.yaml"]);
    assert_eq!(reading.snapshot.files[CLUSTER], b"one");
    assert_eq!(reading.snapshot.revision, first);
    assert_eq!(reading.ignored, []);
}

#[test]
fn revisions_are_branches_tags_and_ids() {
    let repository = TestRepository::with(&[(CLUSTER, "one")]);
    let first = repository.git().head().unwrap().peel_to_commit().unwrap();
    repository.git().branch("other", &first, false).unwrap();
    let who = git2::Signature::now("A", "a@example.edu").unwrap();
    repository.git().tag("v1", first.as_object(), &who, "annotated", false).unwrap();
    repository.write(CLUSTER, "two");
    let second = repository.commit("second");
    let git = Git::open(repository.path()).unwrap();
    let first = first.id().to_string();
    for name in ["other", "v1", &first, &first[..10], "HEAD~1"] {
        assert_eq!(git.resolve(name).unwrap(), first, "{name}");
    }
    assert_eq!(git.resolve("HEAD").unwrap(), second);
    // A tag is no branch, whatever it is called.
    let head = repository.git().head().unwrap().peel_to_commit().unwrap();
    repository.git().tag("other", head.as_object(), &who, "sly", false).unwrap();
    assert_eq!((git.tip("other").unwrap(), git.tip("HEAD").unwrap()), (first, second));
    assert_eq!(git.tip("v1").unwrap_err().to_string(), "there is no branch `v1`");
    let error = git.resolve("nowhere").unwrap_err();
    assert_eq!(error.to_string(), "no commit is called `nowhere`");
    assert!(error.hint().is_some());
}

#[test]
fn the_root_commit_is_found_by_first_parents() {
    let repository = TestRepository::with(&[(CLUSTER, "one")]);
    let find = |id: &str| repository.git().find_commit(id.parse().unwrap()).unwrap();
    let root = Git::open(repository.path()).unwrap().resolve("HEAD").unwrap();
    repository.write(CLUSTER, "elsewhere");
    let other_root = repository.commit_on(None, "another beginning", vec![]);
    let merge = repository.commit_on(Some("HEAD"), "merge", vec![&find(&root), &find(&other_root)]);
    let git = Git::open(repository.path()).unwrap();
    assert_eq!(git.resolve("HEAD").unwrap(), merge);
    assert_eq!(git.root_commit("HEAD").unwrap(), root);
    assert_eq!(git.root_commit(&other_root).unwrap(), other_root);
}

#[test]
fn a_shallow_clone_has_no_root_commit() {
    let repository = TestRepository::with(&[(CLUSTER, "one")]);
    repository.write(CLUSTER, "two");
    let second = repository.commit("second");
    fs::write(repository.file(".git/shallow"), format!("{second}\n")).unwrap();
    let git = Git::open(repository.path()).unwrap();
    let error = git.root_commit("HEAD").unwrap_err();
    assert!(matches!(&error, SourceError::Shallow { commit, .. } if *commit == second), "{error}");
}

#[test]
fn a_repository_without_a_commit_says_so() {
    let repository = TestRepository::new();
    repository.write(CLUSTER, "one");
    let git = Git::open(repository.path()).unwrap();
    assert!(matches!(git.resolve("HEAD"), Err(SourceError::NoCommit { .. })));
    assert_eq!(git.head().unwrap(), None);
    let reading = worktree::snapshot(repository.path()).unwrap();
    assert_eq!(reading.snapshot.revision, worktree::OUTSIDE);
    assert!(matches!(Git::open(&repository.file("clusters")), Err(SourceError::Open { .. })));
}

#[test]
fn a_working_tree_is_dirty_only_by_its_manifests() {
    let repository = TestRepository::with(&[(CLUSTER, "one"), ("README.md", "x")]);
    let head = Git::open(repository.path()).unwrap().resolve("HEAD").unwrap();
    repository.write("README.md", "changed");
    repository.write("notes/new.txt", "new");
    let revision = || worktree::snapshot(repository.path()).unwrap().snapshot.revision;
    assert_eq!(revision(), head);
    repository.write("clusters/b/cluster.yaml", "new");
    assert_eq!(revision(), format!("{head}+dirty"));
    fs::remove_dir_all(repository.file("clusters/b")).unwrap();
    repository.write(CLUSTER, "two");
    assert_eq!(revision(), format!("{head}+dirty"));
    repository.commit("second");
    fs::remove_file(repository.file(CLUSTER)).unwrap();
    assert!(revision().ends_with("+dirty"));
}

#[test]
fn what_git_ignores_is_not_read_unless_it_was_committed() {
    let repository = TestRepository::with(&[(CLUSTER, "one")]);
    repository.write(".gitignore", "scratch/\n*.secret\na/\n");
    repository.write("clusters/scratch/cluster.yaml", "no");
    repository.write("cookbooks/base/key.secret", "no");
    let reading = worktree::snapshot(repository.path()).unwrap();
    let paths: Vec<_> = reading.snapshot.files.keys().map(String::as_str).collect();
    assert_eq!(paths, [CLUSTER]);
    assert!(!reading.snapshot.revision.ends_with("+dirty"));
}

#[cfg(unix)]
#[test]
fn links_and_repositories_within_are_left_out_with_a_word() {
    let repository = TestRepository::with(&[(CLUSTER, "one")]);
    std::os::unix::fs::symlink("/etc/hostname", repository.file("clusters/a/link")).unwrap();
    repository.commit("a link");
    let committed = Git::open(repository.path()).unwrap().snapshot("HEAD").unwrap();
    let working = worktree::snapshot(repository.path()).unwrap();
    assert_eq!(committed, working);
    assert_eq!(committed.ignored.len(), 1);
    assert_eq!(committed.ignored[0].what, What::Link);
    assert!(committed.ignored[0].to_string().starts_with("clusters/a/link: "));
    repository.write("clusters/inner/.git/HEAD", "x");
    let working = worktree::snapshot(repository.path()).unwrap();
    assert!(working.ignored.iter().any(|ignored| ignored.what == What::Submodule));
}

#[test]
fn the_root_is_found_from_within() {
    let repository = TestRepository::with(&[(CLUSTER, "one"), ("docs/x.md", "x")]);
    let root = fs::canonicalize(repository.path()).unwrap();
    assert_eq!(worktree::root_of(&root.join("docs")), root);
    assert_eq!(worktree::root_of(&root.join("clusters/a")), root);
    // A folder with manifests of its own is meant itself.
    repository.write("docs/example/clusters/x/cluster.yaml", "x");
    assert_eq!(worktree::root_of(&root.join("docs/example")), root.join("docs/example"));
    let missing = worktree::snapshot(&root.join("nowhere")).unwrap_err();
    assert!(missing.to_string().ends_with("nowhere cannot be read"), "{missing}");
}

#[test]
fn a_remote_is_copied_brought_up_to_date_and_mended() {
    let origin = TestRepository::with(&[(CLUSTER, "one")]);
    let cache = tempfile::tempdir().unwrap();
    let url = format!("file://{}", origin.path().display());
    assert!(remote::is_remote(&url));
    let mirror = Mirror::new(&url, cache.path(), Duration::from_secs(30));
    mirror.fetch().unwrap();
    let first = mirror.git().unwrap().resolve("HEAD").unwrap();
    assert_eq!(mirror.git().unwrap().root_commit("main").unwrap(), first);
    origin.write(CLUSTER, "two");
    let second = origin.commit("second");
    mirror.fetch().unwrap();
    let git = mirror.git().unwrap();
    assert_eq!(git.resolve("main").unwrap(), second);
    assert_eq!(git.snapshot("main").unwrap().snapshot.files[CLUSTER], b"two");
    assert!(!git.is_dirty().unwrap());

    let copy = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(copy.join("HEAD")).unwrap();
    mirror.fetch().unwrap();
    assert_eq!(mirror.git().unwrap().resolve("HEAD").unwrap(), second);
}

#[test]
fn a_branch_that_was_rewritten_or_removed_follows_its_remote() {
    let origin = TestRepository::with(&[(CLUSTER, "one")]);
    let first = origin.git().head().unwrap().peel_to_commit().unwrap();
    origin.git().branch("trial", &first, false).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let url = format!("file://{}", origin.path().display());
    let mirror = Mirror::new(&url, cache.path(), Duration::from_secs(30));
    mirror.fetch().unwrap();
    origin.git().find_branch("trial", git2::BranchType::Local).unwrap().delete().unwrap();
    origin.write(CLUSTER, "rewritten");
    let rewritten = origin.commit_on(None, "rewritten", vec![]);
    origin.git().reference("refs/heads/main", rewritten.parse().unwrap(), true, "").unwrap();
    mirror.fetch().unwrap();
    let git = mirror.git().unwrap();
    assert_eq!(git.resolve("main").unwrap(), rewritten);
    assert!(git.resolve("trial").is_err());
}

#[test]
fn a_remote_that_is_not_there_is_an_error_with_its_name() {
    let cache = tempfile::tempdir().unwrap();
    let nowhere = cache.path().join("nowhere");
    let url = format!("file://{}", nowhere.display());
    let mirror = Mirror::new(&url, &cache.path().join("copies"), Duration::from_secs(30));
    let error = mirror.fetch().unwrap_err();
    assert_eq!(error.to_string(), format!("{url} cannot be fetched"));
    // The next try is not held up by the first.
    assert!(matches!(mirror.fetch(), Err(SourceError::Fetch { .. })));
}

#[test]
fn a_remote_that_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cache = tempfile::tempdir().unwrap();
    let url = format!("git://{}/x", silent.local_addr().unwrap());
    let mirror = Mirror::new(&url, cache.path(), Duration::from_millis(200));
    assert!(matches!(mirror.fetch(), Err(SourceError::TimedOut { .. })));
    // While the first may still be at work no second one is started.
    assert!(matches!(mirror.fetch(), Err(SourceError::TimedOut { .. })));
    silent.set_nonblocking(true).unwrap();
    let connections = std::iter::from_fn(|| silent.accept().ok()).count();
    assert_eq!(connections, 1);
}

/// Well above what a tick takes; a machine under load must not fail the test.
const BOUND: Duration = Duration::from_secs(10);

async fn ticks(watch: &mut Watch) -> bool {
    tokio::time::timeout(BOUND, watch.tick()).await.is_ok()
}

#[tokio::test]
async fn a_commit_a_branch_and_a_switch_tick() {
    let repository = TestRepository::with(&[(CLUSTER, "one")]);
    let mut watch = Watch::references(repository.path()).unwrap();
    repository.write(CLUSTER, "two");
    repository.commit("second");
    assert!(ticks(&mut watch).await, "a commit");
    drain(&mut watch).await;
    let head = repository.git().head().unwrap().peel_to_commit().unwrap();
    repository.git().branch("deep/er/branch", &head, false).unwrap();
    assert!(ticks(&mut watch).await, "a branch in a new folder");
    drain(&mut watch).await;
    repository.git().set_head("refs/heads/deep/er/branch").unwrap();
    assert!(ticks(&mut watch).await, "a switch");
}

#[tokio::test]
async fn reading_and_editing_do_not_tick() {
    let repository = TestRepository::with(&[(CLUSTER, "one")]);
    let mut watch = Watch::references(repository.path()).unwrap();
    repository.write(CLUSTER, "two");
    let git = Git::open(repository.path()).unwrap();
    git.snapshot("HEAD").unwrap();
    git.is_dirty().unwrap();
    let quiet = tokio::time::timeout(Duration::from_millis(300), watch.tick()).await;
    assert!(quiet.is_err());
}

#[tokio::test]
async fn a_linked_working_tree_ticks_on_its_own_branch() {
    let repository = TestRepository::with(&[(CLUSTER, "one")]);
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("tree");
    repository.git().worktree("tree", &path, None).unwrap();
    let git = Git::open(&path).unwrap();
    let first = git.root_commit("HEAD").unwrap();
    let mut watch = Watch::references(&path).unwrap();
    let linked = git2::Repository::open(&path).unwrap();
    let parent = linked.head().unwrap().peel_to_commit().unwrap();
    let who = git2::Signature::now("A", "a@example.edu").unwrap();
    let tree = parent.tree().unwrap();
    linked.commit(Some("HEAD"), &who, &who, "there", &tree, &[&parent]).unwrap();
    assert!(ticks(&mut watch).await);
    assert_eq!(git.root_commit("HEAD").unwrap(), first);
    assert_ne!(git.resolve("HEAD").unwrap(), first);
}

#[tokio::test]
async fn what_cannot_be_watched_ticks_at_intervals() {
    let mut watch = Watch::every(Duration::from_millis(10));
    assert!(ticks(&mut watch).await && ticks(&mut watch).await);
}

/// Takes the ticks of what just happened: many small writes make one commit.
async fn drain(watch: &mut Watch) {
    while tokio::time::timeout(Duration::from_millis(200), watch.tick()).await.is_ok() {}
}
