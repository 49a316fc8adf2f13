use super::fixture::{Ask, Fixture};
use crate::routes::{OPENAPI, openapi};

#[test]
fn the_description_is_as_reviewed() {
    insta::assert_snapshot!("openapi", openapi());
}

#[test]
fn every_operation_says_what_it_does_and_how_it_fails() {
    let description: serde_json::Value = serde_json::from_str(&openapi()).unwrap();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{at}");
            let responses = operation["responses"].as_object().unwrap();
            let fails = responses.keys().any(|status| status.starts_with(['4', '5']));
            let never = ["/healthz", "/metrics", "/api/v1/source"];
            assert!(fails || never.contains(&path.as_str()), "{at}");
        }
    }
}

#[test]
fn nothing_is_referred_to_that_is_not_there() {
    let text = openapi();
    let description: serde_json::Value = serde_json::from_str(&text).unwrap();
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let references = text.split("#/components/schemas/").skip(1);
    for name in references.filter_map(|rest| rest.split('"').next()) {
        assert!(schemas.contains_key(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_path_answers() {
    let server = Fixture::open().await;
    let run = server.start_run("{}").await;
    let served = server.get(OPENAPI).await;
    assert_eq!(served.body, openapi());
    let description = served.json();
    for (path, item) in description["paths"].as_object().unwrap() {
        let path = path
            .replace("{workspace}", "media")
            .replace("{flow}", "monitoring/scan")
            .replace("{run}", &run)
            .replace("{name}", "API_KEY")
            .replace("{webhook}", "open");
        for method in item.as_object().unwrap().keys() {
            if path == "/api/v1/events" {
                continue;
            }
            let ask = Ask::new(&method.to_uppercase(), &path).json("{}");
            let answer = server.send(ask).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(!answer.body.contains("there is nothing at"), "{method} {path} {answer:?}");
            assert!(answer.status < 500 || answer.status == 502, "{method} {path} {answer:?}");
        }
    }
}
