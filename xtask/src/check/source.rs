//! What a Rust file is made of, as far as lines can tell. It relies on rustfmt: what opens at the
//! start of a line closes at the start of a line.

/// Whether every line of the file is a test.
pub(crate) fn is_test_file(path: &str) -> bool {
    let inside = |folder: &str| path.contains(&format!("/{folder}/"));
    // The packages below `tests/` are programs and libraries like any other, their `tests` are not.
    path.ends_with("/tests.rs") || inside("tests") || inside("benches")
}

/// The lines of a file with their numbers, from 1, and whether each belongs to a test module.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    let mut announced = false;
    let mut inside = false;
    text.lines().enumerate().map(move |(at, line)| {
        let attribute = line.starts_with("#[cfg(test)]");
        let opens = announced && line.starts_with("mod ") && line.ends_with('{');
        let test = inside || announced || attribute;
        inside = (inside || opens) && line != "}";
        // Other attributes may stand between `#[cfg(test)]` and its item.
        announced = attribute || (announced && line.starts_with("#["));
        (at + 1, line, test)
    })
}

/// The lines that are neither tests nor comments.
pub(crate) fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = lines(text).filter(|(_, line, test)| !test && !line.trim_start().starts_with("//"));
    code.map(|(number, line, _)| (number, line.split_once(" // ").map_or(line, |(code, _)| code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "fn a() {\n}\n\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n    fn b() {\n    }\n}\n\nfn c() {}\n";

    #[test]
    fn a_test_module_ends_with_its_brace() {
        let tests: Vec<_> = lines(FILE).filter(|(_, _, test)| *test).map(|(n, ..)| n).collect();
        assert_eq!(tests, [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_test_module_in_its_own_file_ends_with_its_line() {
        let text = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
        let tests: Vec<_> = lines(text).filter(|(_, _, test)| *test).map(|(n, ..)| n).collect();
        assert_eq!(tests, [1, 2]);
    }

    #[test]
    fn comments_are_no_code() {
        let code: Vec<_> = code("/// a\nfn a() {} // b\n    // c\n").collect();
        assert_eq!(code, [(2, "fn a() {}")]);
    }

    #[test]
    fn test_files_are_told_from_the_packages_below_tests() {
        assert!(is_test_file("runner/store/src/contract/tests.rs"));
        assert!(is_test_file("tests/e2e/tests/demo.rs"));
        assert!(!is_test_file("tests/testkit/src/repository.rs"));
        assert!(!is_test_file("xtask/src/suite.rs"));
    }
}
