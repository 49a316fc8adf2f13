//! Trees that no editor makes: refused with a diagnostic, never followed, and nothing else suffers.

use serde_json::Value;
use signalbox_e2e::{Road, Runner, Scene};

/// Adds an entry to the index by mode, object and path, and commits.
fn commit_entry(road: &Road, mode: &str, object: &str, path: &str) {
    road.repo.git(&["update-index", "--add", "--cacheinfo", &format!("{mode},{object},{path}")]);
    road.repo.commit_index("an entry made by hand");
}

/// The only error about `shop`, which was rejected while its good revision and `ops` go on.
#[track_caller]
fn refused(runner: &Runner<'_>) -> Value {
    let outcome = runner.sync_of("shop");
    assert_eq!(outcome["outcome"], "rejected", "{outcome:#}");
    assert_eq!(runner.result("shop/hello"), "hello from shop");
    assert_eq!(runner.result("ops/hello"), "hello from ops");
    outcome["diagnostics"][0].clone()
}

#[test]
fn a_symbolic_link_is_refused_and_not_followed() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let link = road.repo.blob("/etc/passwd");
    commit_entry(&road, "120000", &link, "shop/flows/leak.rhai");
    let fault = refused(&runner);
    assert_eq!(
        (&fault["code"], &fault["file"]),
        (&"SB0402".into(), &"shop/flows/leak.rhai".into())
    );
}

#[test]
fn a_workspace_whose_folder_is_a_link_is_refused() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    road.repo.git(&["rm", "-r", "--quiet", "--cached", "shop"]);
    let link = road.repo.blob("ops");
    commit_entry(&road, "120000", &link, "shop");
    let fault = refused(&runner);
    assert_eq!(fault["code"], "SB0402", "{fault}");
}

#[test]
fn a_submodule_is_refused() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let head = road.repo.git(&["rev-parse", "HEAD"]);
    commit_entry(&road, "160000", &head, "shop/libraries");
    let fault = refused(&runner);
    assert_eq!((&fault["code"], &fault["file"]), (&"SB0402".into(), &"shop/libraries".into()));
}

#[test]
fn two_paths_that_differ_in_case_only_are_refused() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let script = road.repo.blob("fn main(inputs) { 1 }\n");
    commit_entry(&road, "100644", &script, "shop/flows/Hello.rhai");
    let fault = refused(&runner);
    assert_eq!(fault["code"], "SB0405", "{fault}");
}

#[test]
fn a_tree_with_too_many_files_is_refused() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let blob = road.repo.blob("x");
    let entries: String =
        (0..10_001).map(|number| format!("100644 {blob}\tshop/data/{number}\n")).collect();
    road.repo.git_with(&["update-index", "--index-info"], entries.as_bytes());
    road.repo.commit_index("ten thousand and one");
    let fault = refused(&runner);
    assert_eq!(fault["code"], "SB0403", "{fault}");
}

#[test]
fn a_tree_that_names_itself_a_thousandfold_costs_no_more_than_its_bound() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    // 2^20 files in a tree of twenty objects.
    let mut tree = road.repo.git(&["rev-parse", "HEAD:shop/flows"]);
    for _ in 0..20 {
        let entries = format!("040000 tree {tree}\ta\n040000 tree {tree}\tb\n");
        tree = road.repo.git_with(&["mktree"], entries.as_bytes());
    }
    let shop = road.repo.git(&["ls-tree", "HEAD:shop"]);
    let shop =
        road.repo.git_with(&["mktree"], format!("{shop}\n040000 tree {tree}\tdeep\n").as_bytes());
    let all = road.repo.git(&["ls-tree", "HEAD"]);
    let old = road.repo.git(&["rev-parse", "HEAD:shop"]);
    let all = road.repo.git_with(&["mktree"], format!("{}\n", all.replace(&old, &shop)).as_bytes());
    road.repo.commit_tree(&all, "main");
    let fault = refused(&runner);
    assert_eq!(fault["code"], "SB0403", "{fault}");
}

#[test]
fn a_path_that_leaves_its_folder_is_refused() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let blob = road.repo.blob("fn main(inputs) { 1 }\n");
    // A tree with an entry `..`, as no git makes it.
    let mut raw = b"100644 ..\0".to_vec();
    raw.extend(hex(&blob));
    let evil = road.repo.raw_tree(&raw);
    let shop = road.repo.git(&["ls-tree", "HEAD:shop"]);
    let mut bytes = Vec::new();
    bytes.extend(b"40000 evil\0");
    bytes.extend(hex(&evil));
    for line in shop.lines() {
        let (head, name) = line.split_once('\t').unwrap();
        let words: Vec<_> = head.split(' ').collect();
        bytes.extend(format!("{} {name}\0", words[0].trim_start_matches('0')).bytes());
        bytes.extend(hex(words[2]));
    }
    let shop = road.repo.raw_tree(&bytes);
    let old = road.repo.git(&["rev-parse", "HEAD:shop"]);
    let all = road.repo.git(&["ls-tree", "HEAD"]).replace(&old, &shop);
    let all = road.repo.git_with(&["mktree"], format!("{all}\n").as_bytes());
    road.repo.commit_tree(&all, "main");
    let fault = refused(&runner);
    assert_eq!(fault["code"], "SB0401", "{fault}");
}

fn hex(text: &str) -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

#[test]
fn an_oversized_manifest_a_yaml_bomb_and_bad_utf8_are_refused() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\nrun: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    let deep = format!("run: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("# {}\nrun: '1'\n", "x".repeat(2 << 20));
    let road = Scene::pair("", "").road();
    let runner = road.start();
    for content in [bomb.as_bytes(), deep.as_bytes(), long.as_bytes(), b"run: '\xff\xfe'\n"] {
        road.repo.write("shop/flows/bad.yaml", content);
        road.repo.commit("something hostile");
        let fault = refused(&runner);
        assert_eq!(fault["file"], "shop/flows/bad.yaml", "{fault}");
    }
}

#[test]
fn scripts_that_take_the_checker_down_are_refused_and_the_runner_goes_on() {
    let road = Scene::pair("", "").road();
    let runner = road.start();
    let arms: String = (0..16_000).map(|number| format!("{number} => {number},\n")).collect();
    let nested = format!("{}1{}", "(".repeat(50_000), ")".repeat(50_000));
    for body in [format!("switch inputs.x {{ {arms} _ => 0 }}"), nested] {
        road.push_script("shop/flows/bad.rhai", &body);
        let outcome = runner.sync_of("shop");
        // A large switch may be taken; what matters is that the answer comes and the rest goes on.
        assert!(matches!(outcome["outcome"].as_str(), Some("rejected" | "deployed")), "{outcome}");
        assert_eq!(runner.result("ops/hello"), "hello from ops");
    }
    assert_eq!(runner.result("shop/hello"), "hello from shop");
}
