//! Host functions that read and write formats: round trips, and texts that mean harm.

use proptest::prelude::*;
use proptest::test_runner::Config;
use signalbox_core::Value;
use signalbox_core::codes::Code;
use signalbox_core::run::Reason;
use signalbox_core::value::encode;

use super::runner::{Record, Runner, run};

/// Evaluates code with `text` as the input `text`.
fn with_text(runner: &mut Runner, code: &str, text: &str) -> Record {
    let inputs = Value::map([("text", Value::from(text))]);
    runner.evaluate_with(&run(code), &encode(&inputs))
}

#[track_caller]
fn refused(code: &str, text: &str, says: &str) {
    let (_, error) = with_text(&mut Runner::new(), code, text).error();
    assert_eq!(error.code, Code::BadValue, "{error:?}");
    assert!(error.message.contains(says), "{}", error.message);
}

#[track_caller]
fn over_a_bound(code: &str, text: &str) {
    let (_, error) = with_text(&mut Runner::new(), code, text).error();
    assert!(matches!(error.code, Code::LimitExceeded | Code::BadValue), "{error:?}");
    assert!(error.message.contains("more than"), "{}", error.message);
}

fn plain_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::Float),
        ".*".prop_map(Value::String),
        "[-+.0-9eExo_:#~ \\n\\t\u{85}\u{2028}\u{feff}]*".prop_map(Value::String),
        prop::sample::select(vec![
            "no", "null", "~", "017", "1_0", "", "- a", "---", "<<", "=", "y"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
            prop::collection::btree_map(".{0,8}", inner, 0..5).prop_map(Value::Map),
        ]
    })
}

/// What `code` makes of `value`, the input of that name, for many values.
fn every_value_survives(code: &str, values: impl Strategy<Value = Value>) {
    let runner = std::cell::RefCell::new(Runner::new());
    let config = Config { failure_persistence: None, ..Config::with_cases(400) };
    let result = prop::test_runner::TestRunner::new(config).run(&values, |value| {
        let inputs = encode(&Value::map([("value", value.clone())]));
        let record = runner.borrow_mut().evaluate_with(&run(code), &inputs);
        prop_assert_eq!(record.value(), value);
        Ok(())
    });
    result.unwrap();
}

#[test]
fn every_value_survives_yaml() {
    let values = prop_oneof![plain_values(), Just(Value::Null)];
    every_value_survives("yaml::decode(yaml::encode(inputs.value))", values);
}

#[test]
fn every_map_survives_toml() {
    let maps = prop::collection::btree_map(".{0,8}", plain_values(), 0..5).prop_map(Value::Map);
    every_value_survives("toml::decode(toml::encode(inputs.value))", maps);
}

#[test]
fn every_table_of_texts_survives_csv() {
    let rows = prop::collection::vec(prop::collection::vec("[^\u{feff}]{0,6}", 3), 1..6).prop_map(
        |rows| {
            let row = |row: Vec<String>| Value::List(row.into_iter().map(Value::String).collect());
            Value::List(rows.into_iter().map(row).collect())
        },
    );
    let code = "csv::decode(csv::encode(inputs.value, #{ separator: \";\" }), #{ separator: \";\", header: false })";
    every_value_survives(code, rows);
}

#[test]
fn every_text_survives_base64_and_urls() {
    let texts = ".*".prop_map(Value::String);
    let code = "let t = inputs.value;
        url::decode(url::encode(base64::decode_text(base64::encode(t)))) == t
            && base64::decode_url(base64::encode_url(t)) == base64::decode(base64::encode(t))";
    let runner = std::cell::RefCell::new(Runner::new());
    let config = Config { failure_persistence: None, ..Config::with_cases(200) };
    let result = prop::test_runner::TestRunner::new(config).run(&texts, |value| {
        let inputs = encode(&Value::map([("value", value)]));
        let record = runner.borrow_mut().evaluate_with(&run(code), &inputs);
        prop_assert_eq!(record.value(), Value::Bool(true));
        Ok(())
    });
    result.unwrap();
}

#[test]
fn yaml_that_multiplies_or_hides_what_it_says_is_refused() {
    let read = "yaml::decode(inputs.text)";
    refused(read, "a: &x 1\nb: *x", "line 1: an anchor");
    refused(read, "a: 1\nb: *x", "unknown anchor");
    refused(read, "a: !!binary aGk=", "a tag");
    refused(read, "<<: *base", "unknown anchor");
    refused(read, "a: 1\na: 2", "`a` is given twice");
    refused(read, "? [1, 2]\n: 3", "a key that is no text");
    refused(read, "a: 1\n---\nb: 2", "a second document");
    refused(read, "a: 9223372036854775808", "beyond 64 bits");
    refused(read, "a: .inf", "not finite");
    refused(read, "a: [1", "");
    refused(read, "a: \"\\x", "");
    refused(read, &"[".repeat(100), "nested deeper than 64");
    refused(read, &"- ".repeat(100_000), "nested deeper than 64");
    refused(read, &"? ".repeat(100_000), "");
    refused(read, &"{a: ".repeat(300), "");
    refused(read, &"{a: ".repeat(100), "nested deeper than 64");
    over_a_bound(read, &format!("[{}]", "1,".repeat(300_000)));
    let laughs: String = (0..40)
        .map(|n| format!("a{n}: &a{n} [*a{n}, *a{n}, *a{n}]\n"))
        .collect::<Vec<_>>()
        .concat();
    refused(read, &laughs, "an anchor");
}

#[test]
fn toml_that_means_harm_is_refused() {
    let read = "toml::decode(inputs.text)";
    refused(read, "a = 1\na = 2", "line 2");
    refused(read, "a = inf", "not finite");
    refused(read, "a = 9223372036854775808", "");
    refused(read, &format!("a = {}", "[".repeat(100_000)), "");
    refused(read, &format!("{}a = 1", "a.".repeat(100_000)), "");
    refused(read, &format!("[{}a]", "a.".repeat(100_000)), "");
    refused(
        read,
        &format!("[{0}a]\n{0}a = {1}1{2}", "a.".repeat(60), "[".repeat(60), "]".repeat(60)),
        "nested deeper than 64",
    );
    over_a_bound(read, &format!("a = [{}]", "1,".repeat(300_000)));
    refused("toml::encode(#{ a: () })", "", "no form for `()`");
    refused("toml::encode(#{ a: \"x\".to_blob() })", "", "base64::encode");
}

#[test]
fn tables_that_do_not_hold_together_are_refused() {
    let read = "csv::decode(inputs.text)";
    refused(read, "a,b\n1\n", "line 2 has 1 cells, and those before it 2");
    refused(read, "a,a\n1,2\n", "the column `a` twice");
    over_a_bound(read, &",".repeat(300_000));
    over_a_bound("csv::decode(inputs.text, #{ header: false })", &"1\n".repeat(300_000));
    refused("csv::decode(\"a\", #{ seperator: \";\" })", "", "did you mean `separator`?");
    refused("csv::decode(\"a\", #{ separator: \"ab\" })", "", "is no separator");
    refused("csv::encode([#{ a: [1] }])", "", "a cell of kind array in row 1");
    refused("csv::encode([1])", "", "row 1 is a integer");
    let quoted = with_text(&mut Runner::new(), "csv::decode(inputs.text)", "a\n\"x\n");
    assert_eq!(quoted.json(), r#"[{"a":"x\n"}]"#);
}

#[test]
fn patterns_are_bounded_and_never_run_away() {
    let long = "a".repeat(1 << 20);
    let mut runner = Runner::new();
    let evil = "[regex::is_match(inputs.text, \"^(a+)+$\"), regex::is_match(inputs.text, \"(a|aa)+$\"), regex::is_match(inputs.text, \"(.*)*x\")]";
    assert_eq!(with_text(&mut runner, evil, &long).json(), "[true,true,false]");
    over_a_bound("regex::is_match(\"a\", \"(\\\\w{100}){100}{100}\")", "");
    over_a_bound("regex::is_match(\"a\", inputs.text)", &"a".repeat(5000));
    refused("regex::is_match(\"a\", inputs.text)", &"(".repeat(500), "");
    refused("regex::is_match(\"a\", \"(\")", "", "unclosed group");
    over_a_bound("regex::find_all(inputs.text, \"a\")", &long);
    over_a_bound("regex::split(inputs.text, \"\")", &long);
    over_a_bound("regex::replace(inputs.text, \"a+\", \"$0$0$0$0$0$0\")", &long);
    over_a_bound("regex::replace(inputs.text, \"\", \"0123456789abcdefghijkl\")", &long[..900_000]);
}

#[test]
fn work_inside_of_host_functions_counts_as_operations() {
    let mut runner = Runner::new();
    runner.operations = 20_000;
    let long = "a".repeat(1 << 16);
    for code in [
        "loop { regex::is_match(inputs.text, \"b\") }",
        "loop { try { regex::find_all(inputs.text, \"a.*b|a\") } catch { } }",
        "loop { base64::encode(inputs.text) }",
        "loop { try { yaml::decode(inputs.text) } catch { } }",
    ] {
        let (reason, _) = with_text(&mut runner, code, &long).error();
        assert_eq!(reason, Reason::LimitExceeded, "{code}");
    }
}

#[test]
fn figures_need_numbers() {
    for (code, says) in [
        ("stats::mean([])", "no numbers"),
        ("stats::max([])", "no numbers"),
        ("stats::mean([1, \"2\"])", "a string among the numbers"),
        ("stats::percentile([1], 101)", "from 0 to 100"),
        ("stats::moving_average([1], 0)", "at least 1"),
        ("stats::sum([9223372036854775807, 1])", "64 bits"),
        ("stats::sum([1e308, 1e308])", "too large"),
    ] {
        refused(code, "", says);
    }
    let exact = "stats::sum([1e100, 1.0, -1e100])";
    assert_eq!(with_text(&mut Runner::new(), exact, "").json(), "1.0");
}

#[test]
fn handles_of_secrets_go_into_no_format() {
    for call in [
        "base64::encode(`${key}`)",
        "url::encode(`${key}`)",
        "url::query(#{ a: key })",
        "url::parse(`http://x/${key}`)",
        "csv::encode([[key]])",
        "toml::encode(#{ a: key })",
        "yaml::encode([key])",
        "hmac(\"key\", key)",
    ] {
        let code = format!("let key = secret(\"TOKEN\");\n{call}");
        let (_, error) = Runner::new().evaluate(&run(&code)).error();
        assert_eq!(error.code, Code::SecretMisused, "{call}: {error:?}");
    }
}
