//! The host functions as data: one table for the reference, the linter's knowledge and the tests.
//!
//! The cell registers exactly these, and evaluates every example from a script.

/// A host function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFunction {
    /// Its name as called: `state::get`.
    pub name: &'static str,
    /// How it is called, one line for each form.
    pub signatures: &'static [&'static str],
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What it does to the world.
    pub effect: EffectKind,
    /// Code that shows it, and what comes of it.
    pub examples: &'static [Example],
}

/// What a host function does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectKind {
    /// Nothing: the same arguments always give the same.
    Pure,
    /// It reads what a replay could not know again, or writes the log; recorded in passing.
    Cheap,
    /// It happens in the store, in the transaction that records it: exactly once.
    Internal,
    /// It happens outside of the runner: at least once.
    Outside,
}

/// Code and its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// Rhai.
    pub code: &'static str,
    /// The result as JSON.
    pub result: &'static str,
}

macro_rules! functions {
    ($($effect:ident $name:literal [$($signature:literal),+] $summary:literal
        { $($code:literal => $result:literal),+ })*) => {
        /// Every host function, by name.
        pub const ALL: &[HostFunction] = &[$(HostFunction {
            name: $name,
            signatures: &[$($signature),+],
            summary: $summary,
            effect: EffectKind::$effect,
            examples: &[$(Example { code: $code, result: $result }),+],
        }),*];
    };
}

functions! {
    Pure "base64::decode" ["base64::decode(text)"]
        "The bytes that some base64 says, with or without padding; `base64::decode_text` gives text."
        { r#"base64::decode("aGk=").len()"# => "2" }
    Pure "base64::decode_text" ["base64::decode_text(text)"]
        "The text that some base64 says; an error when it is not text."
        { r#"base64::decode_text("aGVsbG8=")"# => r#""hello""# }
    Pure "base64::decode_url" ["base64::decode_url(text)"]
        "The bytes that some base64 in the alphabet for URLs says, with or without padding."
        { r#"base64::decode_url("-_8").len()"# => "2" }
    Pure "base64::encode" ["base64::encode(text)", "base64::encode(bytes)"]
        "Text or bytes as base64."
        { r#"base64::encode("hello")"# => r#""aGVsbG8=""# }
    Pure "base64::encode_url" ["base64::encode_url(text)", "base64::encode_url(bytes)"]
        "Text or bytes as base64 in the alphabet for URLs, without padding."
        { r#"base64::encode_url("a?>")"# => r#""YT8-""# }
    Internal "broker::request" ["broker::request(target)", "broker::request(target, inputs)"]
        "Calls another workspace's flow by `service`, `service@version` or `workspace/flow`, and waits for its result."
        { r#"broker::request("alerts.send@1", #{ message: "hello" }).message"# => r#""hello""# }
    Internal "broker::start" ["broker::start(target)", "broker::start(target, inputs)"]
        "Starts another workspace's flow without waiting; the result is the new run's id."
        { r#"broker::start("reports.count", #{ event: "order" }).len() > 0"# => "true" }
    Pure "connector" ["connector(name)"]
        "A connector of the workspace: `get post put patch delete` for type `http`, which answer like `http::get`, `cpu memory disk disks load uptime` for `system`, `tcp http dns certificate` for `probe`, and `send(payload)` for the others. Each of these is an effect of its own, at least once."
        { r#"connector("api").get("/bars", #{ limit: 20 }).status"# => "200",
          r##"connector("slack").send(#{ channel: "#ops", text: "up" }).status"## => "200" }
    Internal "continue_as" ["continue_as(inputs)"]
        "Ends the run; a successor of the same flow with these inputs takes over, with an empty journal. Nothing behind it is evaluated."
        { "if inputs.n > 100 { continue_as(#{ n: 0 }) } inputs.n" => "3" }
    Pure "csv::decode" ["csv::decode(text)", "csv::decode(text, options)"]
        "The rows of a table: maps by the names in its first row, or lists with `header: false`. Cells are text. Another `separator` than the comma is one character of ASCII."
        { r#"csv::decode("name,size\na,1\n")"# => r#"[{"name":"a","size":"1"}]"#,
          r#"csv::decode("1;2", #{ separator: ";", header: false })"# => r#"[["1","2"]]"# }
    Pure "csv::encode" ["csv::encode(rows)", "csv::encode(rows, options)"]
        "Rows as a table. Rows of maps get a first row with their keys in order, or with the `columns` that are asked for, unless `header` is `false`; `separator` as for reading."
        { r#"csv::encode([#{ b: 2, a: "x, y" }, #{ a: 1.5 }])"# => r#""a,b\n\"x, y\",2\n1.5,\n""#,
          r#"csv::encode([#{ b: 2, a: 1 }], #{ columns: ["b"] })"# => r#""b\n2\n""# }
    Pure "env" ["env(name)", "env(name, default)"]
        "A value of the workspace's own environment; without a default, an unknown name is an error."
        { r#"env("LOG_LEVEL")"# => r#""info""#, r#"env("MISSING", "none")"# => r#""none""# }
    Internal "flow::run" ["flow::run(flow)", "flow::run(flow, inputs)"]
        "Runs another flow of the same workspace, at the same revision, and waits for its result."
        { r#"flow::run("reports/count", #{ days: 7 }).days"# => "7" }
    Internal "flow::start" ["flow::start(flow)", "flow::start(flow, inputs)"]
        "Starts another flow of the same workspace without waiting; the result is the new run's id."
        { r#"flow::start("reports/count").len()"# => "36" }
    Internal "flow::wait" ["flow::wait(run)"]
        "Waits for the result of a run that this run started with `flow::start`."
        { r#"flow::wait(flow::start("reports/count", #{ days: 7 })).days"# => "7" }
    Pure "hash::sha256" ["hash::sha256(text)", "hash::sha256(bytes)"]
        "The SHA-256 digest, as hexadecimal text."
        { r#"hash::sha256("abc")"# => r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""# }
    Pure "hash::sha512" ["hash::sha512(text)", "hash::sha512(bytes)"]
        "The SHA-512 digest, as hexadecimal text."
        { r#"hash::sha512("abc").len()"# => "128" }
    Cheap "hmac" ["hmac(key, message)", "hmac(key, message, options)"]
        "The HMAC of text or bytes, as hexadecimal text; options are `algorithm` (`sha256` or `sha512`) and `encoding` (`hex`, `base64` or `bytes`). With a secret's handle as the key, or in it, the runner makes the digest."
        { r#"hmac("Jefe", "what do ya want for nothing?").sub_string(0, 8)"# => r#""5bdcc146""#,
          r#"hmac(secret("TOKEN"), "body", #{ encoding: "base64" }).len()"# => "44" }
    Pure "http::basic" ["http::basic(user, password)"]
        "The value of an `authorization` header with a user and password; either may be a secret's handle."
        { r#"http::basic("Aladdin", "open sesame")"# => r#""Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==""#,
          r#"http::get("https://example.test/", #{ headers: #{ authorization: http::basic("me", secret("TOKEN")) } }).ok"# => "true" }
    Outside "http::delete" ["http::delete(url)", "http::delete(url, options)"]
        "A DELETE request to a granted host."
        { r#"http::delete("https://example.test/1").ok"# => "true" }
    Outside "http::get" ["http::get(url)", "http::get(url, options)"]
        "A GET request to a granted host; options are `headers`, `query`, `body` and `timeout` in seconds. The response has `status`, `ok`, `headers`, `header(name)`, `text()`, `json()` and `bytes()`; no status is an error by itself."
        { r#"http::get("https://example.test/a", #{ query: #{ q: 1 } }).json().url"# => r#""https://example.test/a?q=1""# }
    Outside "http::patch" ["http::patch(url, body)", "http::patch(url, body, options)"]
        "A PATCH request to a granted host; a body that is neither text nor bytes is sent as JSON."
        { r#"http::patch("https://example.test/1", #{ a: 1 }).status"# => "200" }
    Outside "http::post" ["http::post(url, body)", "http::post(url, body, options)"]
        "A POST request to a granted host; a body that is neither text nor bytes is sent as JSON."
        { r#"http::post("https://example.test/", #{ a: 1 }).json().method"# => r#""POST""# }
    Outside "http::put" ["http::put(url, body)", "http::put(url, body, options)"]
        "A PUT request to a granted host; a body that is neither text nor bytes is sent as JSON."
        { r#"http::put("https://example.test/1", "text").status"# => "200" }
    Outside "http::request" ["http::request(method, url, options)"]
        "A request with any method to a granted host."
        { r#"http::request("HEAD", "https://example.test/", #{}).status"# => "200" }
    Pure "json::encode" ["json::encode(value)"]
        "A value as JSON in one line; bytes as `{\"$bytes\": \"<hex>\"}`."
        { "json::encode(#{ b: [1, 2.5], a: () })" => r#""{\"a\":null,\"b\":[1,2.5]}""# }
    Pure "json::parse" ["json::parse(text)"]
        "The value that some JSON says; an integer that does not fit 64 bits is an error."
        { r#"json::parse("{\"a\": [1, 0.1]}").a[1]"# => "0.1" }
    Pure "json::pretty" ["json::pretty(value)"]
        "A value as JSON in many lines."
        { r#"json::pretty([1]).contains("\n")"# => "true" }
    Cheap "log::error" ["log::error(value)"]
        "Writes a line about something that went wrong."
        { r#"log::error("no answer")"# => "null" }
    Cheap "log::info" ["log::info(value)"]
        "Writes a line about what happens."
        { r#"log::info("3 hits")"# => "null" }
    Cheap "log::trace" ["log::trace(value)"]
        "Writes a line for whoever looks very closely."
        { "log::trace(#{ a: 1 })" => "null" }
    Cheap "log::warn" ["log::warn(value)"]
        "Writes a line that somebody should look at."
        { r#"log::warn("slow")"# => "null" }
    Cheap "metrics::flow" ["metrics::flow(name)"]
        "How the runs of a flow of the workspace ended in the last hour, or in the window of the workspace's `health`, as `metrics::workspace` says it. The platform may name any flow, as `workspace/flow`."
        { r#"metrics::flow("reports/count").last_success"# => r#""2023-11-14T22:13:20.000000Z""# }
    Cheap "metrics::workspace" ["metrics::workspace()", "metrics::workspace(name)"]
        "How the workspace's runs ended in that time: `runs`, `succeeded`, `failed`, `error_rate` and `success_rate` from 0 to 1, `average_duration`, `p95_duration` and `window` in seconds, `last_success`, `last_failure`, `breaches` of thresholds and `alarms`; `()` for what is not known. The platform may name any workspace."
        { "metrics::workspace().error_rate" => "0.05", r#"metrics::workspace("shop").failed"# => "1" }
    Cheap "now" ["now()"]
        "The present as RFC 3339 text in UTC with microseconds; such texts sort by time."
        { r#"now().ends_with("Z")"# => "true", "let a = now(); now() >= a" => "true" }
    Cheap "parallel" ["parallel(closures)"]
        "Calls closures side by side and gives the list of their results. Each has its own copy of what it captured. All are awaited; then the error of the first that failed is thrown."
        { r#"let n = 2; parallel([|| n + 1, || http::get("https://example.test/").status])"# => "[3,200]" }
    Cheap "random" ["random()", "random(low, high)"]
        "A number from 0 up to 1, or a whole number from `low` to `high`, both included. Not for secrets."
        { "let r = random(); r >= 0.0 && r < 1.0" => "true", "random(3, 3)" => "3" }
    Pure "regex::captures" ["regex::captures(text, pattern)"]
        "The groups of the first match, by number, the whole match being `0`, and by name; `()` when there is none."
        { r#"regex::captures("2026-11-21", "(?<year>\\d+)-(\\d+)").year"# => r#""2026""#,
          r#"regex::captures("ab", "a(x)?b")"# => r#"{"0":"ab","1":null}"# }
    Pure "regex::captures_all" ["regex::captures_all(text, pattern)"]
        "The groups of every match."
        { r#"regex::captures_all("a=1 b=2", "(?<k>\\w)=(?<v>\\d)").map(|m| m.k + m.v)"# => r#"["a1","b2"]"# }
    Pure "regex::escape" ["regex::escape(text)"]
        "The pattern that matches exactly this text."
        { r#"regex::is_match("a.b", "^" + regex::escape("a.b") + "$")"# => "true" }
    Pure "regex::find" ["regex::find(text, pattern)"]
        "The first match; `()` when there is none."
        { r#"regex::find("took 45 ms", "\\d+")"# => r#""45""#, r#"regex::find("none", "\\d+")"# => "null" }
    Pure "regex::find_all" ["regex::find_all(text, pattern)"]
        "Every match, from left to right, none inside of another."
        { r#"regex::find_all("1 to 20", "\\d+")"# => r#"["1","20"]"# }
    Pure "regex::is_match" ["regex::is_match(text, pattern)"]
        "Whether the pattern matches anywhere; `^` and `$` bind it to the ends, `(?i)` at its start ignores case."
        { r#"regex::is_match("Error: disk", "(?i)^error")"# => "true" }
    Pure "regex::replace" ["regex::replace(text, pattern, replacement)"]
        "The text with every match replaced; `$1` and `${name}` in the replacement are groups, `$$` is a dollar."
        { r#"regex::replace("2026-11-21", "(\\d+)-(\\d+)-(\\d+)", "$3.$2.$1")"# => r#""21.11.2026""# }
    Pure "regex::split" ["regex::split(text, pattern)"]
        "The parts of a text between the matches."
        { r#"regex::split("a, b;c", "[,;] *")"# => r#"["a","b","c"]"# }
    Pure "run::attempt" ["run::attempt()"]
        "Which attempt of the run this is, from 1."
        { "run::attempt()" => "1" }
    Pure "run::caller" ["run::caller()"]
        "Who called, as `workspace/flow`; `()` unless a call started the run."
        { "run::caller()" => "null" }
    Pure "run::flow" ["run::flow()"]
        "The run's flow."
        { "run::flow()" => r#""test""# }
    Pure "run::id" ["run::id()"]
        "The run's id."
        { "run::id().len()" => "36" }
    Pure "run::revision" ["run::revision()"]
        "The commit that the run is pinned to."
        { "run::revision().len()" => "40" }
    Pure "run::slot" ["run::slot()"]
        "The nominal time of the slot, like `now()`; `()` unless a schedule started the run."
        { "run::slot()" => r#""2023-11-14T22:13:20.000000Z""# }
    Pure "run::trigger" ["run::trigger()"]
        "What started the run: `schedule`, `call`, `api` or `retry`."
        { "run::trigger()" => r#""schedule""# }
    Pure "run::workspace" ["run::workspace()"]
        "The run's workspace."
        { "run::workspace()" => r#""shop""# }
    Cheap "secret" ["secret(name)"]
        "A handle of a secret, for header values and connectors. No script sees the value."
        { r#"http::get("https://example.test/", #{ headers: #{ authorization: `Bearer ${secret("TOKEN")}` } }).ok"# => "true" }
    Internal "sleep" ["sleep(seconds)", "sleep(duration)"]
        "Waits for so many seconds, or for a duration such as `90s`, `1h30m` or `7d`, up to 366 days. Nothing is held while it waits."
        { "sleep(5)" => "null", r#"sleep("1h30m")"# => "null" }
    Internal "sleep_until" ["sleep_until(moment)"]
        "Waits until a moment in RFC 3339; one that is past is not waited for."
        { r#"sleep_until("2026-01-31T00:00:00Z")"# => "null" }
    Internal "state::add" ["state::add(name, by)"]
        "Adds to a whole number, 0 when it is missing; the result is the sum."
        { r#"state::add("count", 2); state::add("count", 3)"# => "5" }
    Internal "state::delete" ["state::delete(name)"]
        "Deletes a value; the result says whether there was one."
        { r#"state::set("x", 1); [state::delete("x"), state::delete("x")]"# => "[true,false]" }
    Internal "state::get" ["state::get(name)", "state::get(name, default)"]
        "A value of the workspace's state; `()` or the default when it is missing."
        { r#"state::get("missing")"# => "null", r#"state::get("missing", 7)"# => "7" }
    Internal "state::list" ["state::list()", "state::list(prefix)"]
        "The names of the values, or of those that start with a prefix."
        { r#"state::set("a/1", 1); state::set("b", 1); state::list("a/")"# => r#"["a/1"]"# }
    Internal "state::set" ["state::set(name, value)"]
        "Sets a value of the workspace's state."
        { r#"state::set("x", #{ a: [1] }); state::get("x").a[0]"# => "1" }
    Internal "state::swap" ["state::swap(name, expected, value)"]
        "Sets a value if it is as expected, `()` for missing; the result says whether it was."
        { r#"[state::swap("x", (), 1), state::swap("x", (), 2)]"# => "[true,false]" }
    Pure "stats::exponential_average" ["stats::exponential_average(numbers, width)"]
        "The exponential moving average at every number, each weighing 2 / (width + 1) against all before it."
        { "stats::exponential_average([1, 2, 4], 3)" => "[1.0,1.5,2.75]" }
    Pure "stats::max" ["stats::max(numbers)"]
        "The largest number, as it stands in the list."
        { "stats::max([1, 7, 2.5])" => "7" }
    Pure "stats::mean" ["stats::mean(numbers)"]
        "The arithmetic mean. As with every figure but the sum, a list without numbers is an error."
        { "stats::mean([1, 2, 6])" => "3.0" }
    Pure "stats::median" ["stats::median(numbers)"]
        "The number in the middle, or between the two that are."
        { "stats::median([9, 1, 2, 3])" => "2.5" }
    Pure "stats::min" ["stats::min(numbers)"]
        "The smallest number, as it stands in the list."
        { "stats::min([4, 1.5, 2])" => "1.5" }
    Pure "stats::moving_average" ["stats::moving_average(numbers, width)"]
        "The mean of each number and those before it, `width` of them; the first ones have fewer."
        { "stats::moving_average([1, 3, 5, 7], 2)" => "[1.0,2.0,4.0,6.0]" }
    Pure "stats::percentile" ["stats::percentile(numbers, percent)"]
        "What so many percent of the numbers are at most; between two of them by their distance."
        { "stats::percentile([10, 20, 30, 40], 75)" => "32.5" }
    Pure "stats::slope" ["stats::slope(numbers)"]
        "How steep the straight line through the numbers is, per place in the list."
        { "stats::slope([1, 3, 5])" => "2.0" }
    Pure "stats::stddev" ["stats::stddev(numbers)"]
        "The standard deviation of these numbers, divided by how many there are."
        { "stats::stddev([2, 4, 4, 4, 5, 5, 7, 9])" => "2.0" }
    Pure "stats::sum" ["stats::sum(numbers)"]
        "The sum, whole when all numbers are; 0 of none."
        { "stats::sum([1, 2])" => "3", "stats::sum([0.5, 2])" => "2.5" }
    Cheap "step" ["step(name, closure)"]
        "Calls the closure and keeps its result: it is not called again when the run is resumed or retried."
        { r#"step("score", || 40 + 2)"# => "42" }
    Pure "text::join" ["text::join(list, separator)"]
        "The parts of a list as one text."
        { r#"text::join(["a", 1, 2.5], ", ")"# => r#""a, 1, 2.5""# }
    Pure "text::lines" ["text::lines(text)"]
        "The lines of a text."
        { r#"text::lines("a\nb")"# => r#"["a","b"]"# }
    Pure "text::pad_left" ["text::pad_left(text, width)"]
        "The text with spaces before it, so many characters wide."
        { r#"text::pad_left("7", 3)"# => r#""  7""# }
    Pure "text::pad_right" ["text::pad_right(text, width)"]
        "The text with spaces behind it, so many characters wide."
        { r#"text::pad_right("7", 3)"# => r#""7  ""# }
    Pure "text::percent_encode" ["text::percent_encode(text)"]
        "The text as it may stand in a URL."
        { r#"text::percent_encode("a b/ä")"# => r#""a%20b%2F%C3%A4""# }
    Pure "text::repeat" ["text::repeat(text, times)"]
        "The text so many times."
        { r#"text::repeat("ab", 2)"# => r#""abab""# }
    Pure "text::slug" ["text::slug(text)"]
        "Lower-case letters and digits, with `-` for whatever is between."
        { r#"text::slug("Hello, World!")"# => r#""hello-world""# }
    Pure "text::trim" ["text::trim(text)"]
        "The text without white space around it."
        { r#"text::trim("  a ")"# => r#""a""# }
    Pure "text::truncate" ["text::truncate(text, most)"]
        "At most so many characters, the last of them `…` when there were more."
        { r#"text::truncate("abcdef", 4)"# => r#""abc…""# }
    Pure "text::words" ["text::words(text)"]
        "The parts of a text between white space."
        { r#"text::words(" a  b ")"# => r#"["a","b"]"# }
    Pure "time::add" ["time::add(moment, seconds)", "time::add(moment, duration)"]
        "A moment so many seconds later, or later by a duration such as `1h30m` or `-15m`."
        { r#"time::add("2026-01-31T00:00:00Z", "1h30m")"# => r#""2026-01-31T01:30:00.000000Z""#,
          r#"time::add("2026-01-31T00:00:00Z", -1)"# => r#""2026-01-30T23:59:59.000000Z""# }
    Pure "time::diff" ["time::diff(later, earlier)"]
        "The seconds between two moments."
        { r#"time::diff("2026-01-01T00:01:00Z", "2026-01-01T00:00:00.5Z")"# => "59.5" }
    Pure "time::format" ["time::format(moment, format)", "time::format(moment, format, zone)"]
        "A moment as text by a strftime format, in UTC or a zone."
        { r#"time::format("2026-07-01T12:00:00Z", "%H:%M", "America/New_York")"# => r#""08:00""# }
    Pure "time::from_unix" ["time::from_unix(seconds)"]
        "The moment so many seconds after 1970."
        { "time::from_unix(0)" => r#""1970-01-01T00:00:00.000000Z""# }
    Pure "time::parse" ["time::parse(text)"]
        "A moment in the form of `now()`, from RFC 3339 text with any offset."
        { r#"time::parse("2026-01-01T01:00:00+01:00")"# => r#""2026-01-01T00:00:00.000000Z""# }
    Pure "time::parts" ["time::parts(moment)", "time::parts(moment, zone)"]
        "A moment's year, month, day, hour, minute, second, microsecond, weekday and offset in seconds."
        { r#"time::parts("2026-07-01T12:34:56Z").minute"# => "34" }
    Pure "time::unix" ["time::unix(moment)"]
        "The whole seconds of a moment since 1970."
        { r#"time::unix("1970-01-02T00:00:00Z")"# => "86400" }
    Pure "time::weekday" ["time::weekday(moment)", "time::weekday(moment, zone)"]
        "The day of the week, 1 for Monday to 7 for Sunday."
        { r#"time::weekday("2026-11-21T12:00:00Z", "UTC")"# => "6" }
    Pure "toml::decode" ["toml::decode(text)"]
        "The map that some TOML says; dates and times are text."
        { r#"toml::decode("[a]\nb = 1\nc = 2026-11-21").a"# => r#"{"b":1,"c":"2026-11-21"}"# }
    Pure "toml::encode" ["toml::encode(map)"]
        "A map as TOML; `()` has no form there."
        { r#"toml::encode(#{ b: 1, a: #{ c: "x" } })"# => r#""b = 1\n\n[a]\nc = \"x\"\n""# }
    Pure "url::decode" ["url::decode(text)"]
        "The text that some of a URL stands for."
        { r#"url::decode("a%20b%2F")"# => r#""a b/""# }
    Pure "url::encode" ["url::encode(text)"]
        "The text as it may stand anywhere in a URL."
        { r#"url::encode("a b/ä")"# => r#""a%20b%2F%C3%A4""# }
    Pure "url::join" ["url::join(base, reference)"]
        "Where a reference leads from a URL."
        { r#"url::join("https://a.test/x/y?q=1", "../z")"# => r#""https://a.test/z""# }
    Pure "url::parse" ["url::parse(text)"]
        "A URL's scheme, user, password, host, port, path, query and fragment. The query is a map; a name that it has more than once has a list."
        { r#"url::parse("https://a.test/x?q=1&q=2").port"# => "443",
          r#"url::parse("https://a.test/x?q=1&q=2").query"# => r#"{"q":["1","2"]}"# }
    Pure "url::query" ["url::query(map)"]
        "The query of a URL, without `?`; a list repeats its name, `()` leaves it out."
        { r#"url::query(#{ q: "a b", tag: [1, 2], none: () })"# => r#""q=a%20b&tag=1&tag=2""# }
    Cheap "uuid" ["uuid()"]
        "A random UUID, version 4."
        { "uuid().len()" => "36" }
    Pure "yaml::decode" ["yaml::decode(text)"]
        "The value of one document of YAML 1.2, in which `no` and `017` are text. Anchors, aliases and tags are refused."
        { r#"yaml::decode("a: [1, no]\nb: 0.5")"# => r#"{"a":[1,"no"],"b":0.5}"# }
    Pure "yaml::encode" ["yaml::encode(value)"]
        "A value as YAML."
        { r#"yaml::encode(#{ b: [1, "no"], a: () })"# => r#""a: ~\nb:\n  - 1\n  - \"no\"\n""# }
}

/// The host function of a name.
pub fn find(name: &str) -> Option<&'static HostFunction> {
    ALL.iter().find(|function| function.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_complete() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
        for function in ALL {
            let name = function.name;
            let begins = |signature: &&str| signature.starts_with(&format!("{name}("));
            assert!(function.signatures.iter().all(begins), "{name}");
            assert!(function.summary.ends_with('.'), "{name}");
        }
    }
}
